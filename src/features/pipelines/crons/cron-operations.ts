import type { CronView, SlotView } from '../../../api/crons.ts';
import { cronSentence, zonedInstant } from '../../../api/messages/cron-sentence.ts';
import { pipelineView } from '../../../api/views/pipeline-view.ts';
import type { NewAuditEntry } from '../../../core/audit.ts';
import { type Cron, cronsPerProject } from '../../../core/cron.ts';
import { GantryError } from '../../../core/errors.ts';
import { type Project, projectSlug } from '../../../core/project.ts';
import type { Repository } from '../../../core/repository.ts';
import type { Stores } from '../../../core/unit-of-work.ts';
import { parseCronExpression } from '../../../lib/cron-expression.ts';
import { nextSlot } from '../../../lib/cron-slots.ts';
import type { OperationHandlers, RequestContext } from '../../feature.ts';
import { type StartPipelineDeps, startCron } from '../start-pipeline.ts';
import type { CronScheduler } from './cron-scheduler.ts';
import { nextSlots, readCronTimes } from './cron-times.ts';

export interface CronOperationsDeps extends StartPipelineDeps {
  readonly repository: Pick<Repository, 'resolve'>;
  readonly scheduler: CronScheduler;
}

type Language = RequestContext['language'];

interface ProjectName {
  readonly owner: string;
  readonly project: string;
}

/** What people set of a cron. */
type Settings = Pick<Cron, 'name' | 'expression' | 'timeZone' | 'branch' | 'isEnabled'>;

const slotsShown = 5;

/** The operations of `api/crons.ts`. */
export function cronOperations(deps: CronOperationsDeps) {
  const { store, clock, repository, scheduler } = deps;

  async function getProject({ owner, project }: ProjectName): Promise<Project> {
    const found = await store.read.projects.findBySlug(owner, project);
    if (found) return found;
    const slug = `${owner}/${project}`;
    throw new GantryError(
      'PROJECT_NOT_FOUND',
      `Cannot find the project ${slug}: there is none, or you may not see it`,
      {
        details: { project: slug },
      },
    );
  }

  async function requireBranch(project: Project, branch: string, what: string): Promise<void> {
    const ref = `refs/heads/${branch}`;
    const found = await repository.resolve(project.id, ref);
    if (found?.ref !== ref) throw new GantryError('REF_NOT_FOUND', `${what}: there is no branch "${branch}"`);
  }

  return {
    async listCrons({ params }, { language }) {
      const project = await getProject(params);
      const crons = await store.read.crons.list(project.id);
      return { items: crons.map((cron) => cronView(cron, language)) };
    },

    async createCron({ params, body }, request) {
      const project = await getProject(params);
      const settings: Settings = { ...body, branch: body.branch ?? project.defaultBranch };
      const what = `Cannot create the cron "${body.name}" of ${projectSlug(project)}`;
      const at = clock.now();
      const expression = readCronTimes(settings, at);
      await requireBranch(project, settings.branch, what);
      const cron = await store.write(async (stores) => {
        if ((await stores.crons.list(project.id)).length >= cronsPerProject)
          throw new GantryError('CRON_LIMIT', `${what}: it has ${cronsPerProject} already`);
        const created = await stores.crons.create({
          ...settings,
          expression: expression.source,
          projectId: project.id,
          nextAt: settings.isEnabled ? nextSlot(expression, settings.timeZone, at) : undefined,
          createdAt: at,
          createdBy: nameOf(request),
        });
        if (!created) throw nameTaken(what, body.name);
        await stores.audit.append(entry(request, at, 'cron:create', project, { ...settingsOf(created) }));
        return created;
      });
      void scheduler.wake();
      return cronView(cron, request.language);
    },

    async updateCron({ params, body }, request) {
      const project = await getProject(params);
      const what = `Cannot change the cron "${params.name}" of ${projectSlug(project)}`;
      const at = clock.now();
      if (body.branch !== undefined) await requireBranch(project, body.branch, what);
      const cron = await store.write(async (stores) => {
        const before = await getCron(stores, project, params.name, what);
        const after: Settings = { ...settingsOf(before), ...given(body) };
        const expression = readCronTimes(after, at);
        const changed = { ...after, expression: expression.source };
        const differences = differencesOf(settingsOf(before), changed);
        if (Object.keys(differences).length === 0) return before;
        // What was to come under the old times does not come any more; nothing is made up for.
        const nextAt = after.isEnabled ? nextSlot(expression, after.timeZone, at) : null;
        const isSameTime = ['expression', 'timeZone', 'isEnabled'].every((key) => !(key in differences));
        const isFree = await stores.crons.update(before.id, { ...changed, ...(isSameTime ? {} : { nextAt }) });
        if (!isFree) throw nameTaken(what, changed.name);
        await stores.audit.append(entry(request, at, 'cron:update', project, { cron: before.name, ...differences }));
        return (await stores.crons.find(before.id)) ?? before;
      });
      void scheduler.wake();
      return cronView(cron, request.language);
    },

    async removeCron({ params }, request) {
      const project = await getProject(params);
      const at = clock.now();
      await store.write(async (stores) => {
        const what = `Cannot remove the cron "${params.name}" of ${projectSlug(project)}`;
        const cron = await getCron(stores, project, params.name, what);
        await stores.crons.remove(cron.id);
        await stores.audit.append(entry(request, at, 'cron:remove', project, { ...settingsOf(cron) }));
      });
    },

    async runCron({ params }, request) {
      const project = await getProject(params);
      const cron = await getCron(store.read, project, params.name, `Cannot run the cron "${params.name}"`);
      const { actor, idempotencyKey } = request;
      if (actor.kind !== 'person') throw new GantryError('SIGN_IN_REQUIRED', 'Cannot run a cron: nobody is signed in');
      const { id, name } = actor.person;
      const person = { id, name, tokenProjectIds: actor.projectIds };
      return pipelineView(await startCron(deps, { project, cron, person, idempotencyKey }));
    },

    previewCron({ body }, { language }) {
      const now = clock.now();
      const expression = readCronTimes(body, now);
      const next = nextSlots(expression, body.timeZone, now, slotsShown);
      return Promise.resolve({
        sentence: cronSentence(expression, language),
        next: next.map((at) => slotView(at, body.timeZone, language)),
      });
    },
  } satisfies OperationHandlers;
}

async function getCron({ crons }: Pick<Stores, 'crons'>, project: Project, name: string, what: string): Promise<Cron> {
  const cron = await crons.findByName(project.id, name);
  if (!cron) throw new GantryError('CRON_NOT_FOUND', `${what}: there is none of this name`, { details: { name } });
  return cron;
}

function nameTaken(what: string, name: string): GantryError {
  return new GantryError('CRON_EXISTS', `${what}: there is one of the name "${name}"`, { details: { name } });
}

function settingsOf({ name, expression, timeZone, branch, isEnabled }: Cron): Settings {
  return { name, expression, timeZone, branch, isEnabled };
}

/** What a request names; a key that is there without a value is none. */
function given(body: { readonly [Key in keyof Settings]?: Settings[Key] | undefined }): Partial<Settings> {
  return Object.fromEntries(Object.entries(body).filter(([, value]) => value !== undefined));
}

/** Old and new value of each field that differs: what the audit log keeps. */
function differencesOf(before: Settings, after: Settings): Record<string, unknown> {
  return Object.fromEntries(
    (Object.keys(before) as (keyof Settings)[])
      .filter((key) => before[key] !== after[key])
      .map((key) => [key, { before: before[key], after: after[key] }]),
  );
}

function nameOf({ actor }: RequestContext): string {
  return actor.kind === 'person' ? actor.person.name : 'anonymous';
}

function entry(
  request: RequestContext,
  at: Date,
  action: string,
  project: Project,
  details: Readonly<Record<string, unknown>>,
): NewAuditEntry {
  return {
    at,
    actor: nameOf(request),
    action,
    subject: projectSlug(project),
    remoteAddress: request.remoteAddress,
    requestId: request.requestId,
    details,
    projectId: project.id,
  };
}

function cronView(cron: Cron, language: Language): CronView {
  const { timeZone } = cron;
  return {
    name: cron.name,
    expression: cron.expression,
    timeZone,
    branch: cron.branch,
    isEnabled: cron.isEnabled,
    sentence: cronSentence(parseCronExpression(cron.expression), language),
    next: cron.nextAt ? slotView(cron.nextAt, timeZone, language) : null,
    last: cron.lastAt ? slotView(cron.lastAt, timeZone, language) : null,
    createdAt: cron.createdAt.toISOString(),
    createdBy: cron.createdBy,
  };
}

function slotView(at: Date, timeZone: string, language: Language): SlotView {
  return { at: at.toISOString(), local: zonedInstant(at, timeZone, language) };
}
