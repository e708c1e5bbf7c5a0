import { includedPlaceView, pipelineView } from '../../api/views/pipeline-view.ts';
import { GantryError } from '../../core/errors.ts';
import type { Pipeline, Step, Workflow } from '../../core/pipeline.ts';
import { projectSlug } from '../../core/project.ts';
import type { TraceEntry } from '../../core/trace.ts';
import type { UnitOfWork } from '../../core/unit-of-work.ts';
import { isWorkflowFile } from '../../engine/choose-files.ts';
import { pipelineFilePaths } from '../../engine/compile-input.ts';
import type { EnvironmentFacts } from '../../engine/environment-facts.ts';
import type { LintResult } from '../../engine/lint-result.ts';
import { findingInChinese } from '../../engine/lint-sentences.zh.ts';
import type { Clock } from '../../lib/clock.ts';
import type { OperationHandlers, RequestContext } from '../feature.ts';
import { cancelPipeline } from './cancel-pipeline.ts';
import type { Engine } from './engine.ts';
import { getPipeline, getProject, type ProjectName } from './find-requested.ts';
import { pipelineDetail, stepViews, traceView } from './pipeline-views.ts';
import { requirePromotionRight, roleForTarget } from './promotion-rights.ts';
import { readPromotionTargets } from './promotion-targets.ts';
import { type RerunPart, rerunPipeline } from './rerun-pipeline.ts';
import { readStartParameters } from './start-parameters.ts';
import {
  promotePipeline,
  repeatPipeline,
  type StartByHandDeps,
  type Starter,
  startPipeline,
} from './start-pipeline.ts';

/** Checks a pipeline file within the limits of R5. */
export interface PipelineLinter {
  /** For a push to the default branch of some project unless `facts` say otherwise. */
  lint(path: string, text: string, facts?: EnvironmentFacts): Promise<LintResult>;
  /** Gets ready: a file is to be read in a moment. */
  warm?(): void;
}

export interface PipelineOperationsDeps extends StartByHandDeps {
  readonly store: UnitOfWork;
  readonly engine: Engine;
  readonly linter: PipelineLinter;
  readonly clock: Clock;
}

/** How many events the answer to "what happened" holds. */
const eventsShown = 50;

/** The operations of `api/pipelines.ts`: each reads the request, calls one use case, and answers. */
export function pipelineOperations(deps: PipelineOperationsDeps): OperationHandlers {
  const { store, engine, clock } = deps;
  const { read } = store;

  return {
    async listPipelines({ params, query }) {
      const project = await getProject(store, params);
      const { limit, after, status, branch, event } = query;
      const page = await read.pipelines.list(project.id, {
        limit,
        after,
        branch,
        event,
        ...(status === undefined ? {} : { status: typeof status === 'string' ? [status] : status }),
      });
      return { items: page.items.map(pipelineView), next: page.next };
    },

    async startPipeline({ params, body }, request) {
      deps.linter.warm?.();
      const project = await getProject(store, params);
      const pipeline = await startPipeline(deps, {
        project,
        ref: body.ref,
        parameters: body.parameters,
        ignoresCaches: body.ignoresCaches,
        ignoresReuse: body.ignoresReuse,
        person: personOf(request),
        idempotencyKey: request.idempotencyKey,
      });
      return pipelineView(pipeline);
    },

    async listPipelineParameters({ params, query }) {
      const project = await getProject(store, params);
      const found = await deps.repository.resolve(project.id, query.ref ?? project.defaultBranch);
      if (!found) {
        if (query.ref === undefined) return { items: [] };
        const message = `Cannot show the parameters of pipelines: there is no branch or tag "${query.ref}"`;
        throw new GantryError('REF_NOT_FOUND', message);
      }
      const parameters = await readStartParameters(deps, project, found.commit);
      return {
        items: parameters.map(({ name, type, default: value, isRequired, options, description, pattern = null }) => ({
          name,
          type,
          default: value,
          isRequired,
          options: [...options],
          description,
          pattern,
        })),
      };
    },

    async listPromotionTargets({ params }) {
      const [project, pipeline] = await Promise.all([getProject(store, params), getPipeline(store, params)]);
      const targets = await readPromotionTargets(deps, project, pipeline.commit);
      return { items: targets.map((name) => ({ name, role: roleForTarget(project.pipelines, name) ?? null })) };
    },

    async promotePipeline({ params, body }, request) {
      deps.linter.warm?.();
      const [project, pipeline] = await Promise.all([getProject(store, params), getPipeline(store, params)]);
      const promotion = {
        ...body,
        project,
        pipeline,
        person: personOf(request),
        idempotencyKey: request.idempotencyKey,
      };
      return pipelineView(await notingRefusals(request, params, promotePipeline(deps, promotion)));
    },

    async getPipeline({ params }, request) {
      const pipeline = await getPipeline(store, params);
      return describe(pipeline, request);
    },

    async explainPipeline({ params }, { language }) {
      const pipeline = await getPipeline(store, params);
      const [workflows, steps, ofEvent, ofPipeline] = await Promise.all([
        read.pipelines.workflows(pipeline.id),
        read.pipelines.steps(pipeline.id),
        read.events.trace(pipeline.eventId),
        read.pipelines.trace(pipeline.id),
      ]);
      const attempts = new Map(workflows.map(({ id, attempt }) => [id, attempt]));
      const reasons = steps
        .filter(({ workflowId, attempt }) => attempts.get(workflowId) === attempt)
        .flatMap(({ reason }) => (reason ? [reason] : []));
      const waits = workflows.flatMap((workflow) => waitsNow(workflow) ?? []);
      // A step that was filtered out carries the reason that the plan gave: it is told once.
      const told = new Set<string>();
      const entries = [...ofEvent, ...ofPipeline, ...reasons, ...waits].filter((entry) => {
        const key = JSON.stringify([entry.subject, entry.rule, entry.values]);
        if (told.has(key) && entry.subject.kind === 'step') return false;
        told.add(key);
        return true;
      });
      return { items: entries.map((entry) => traceView(entry, language)) };
    },

    async listEvents({ params }, { language }) {
      const project = await getProject(store, params);
      const events = await read.events.listByProject(project.id, eventsShown);
      const items = await Promise.all(
        events.map(async (event) => {
          const [trace, pipeline] = await Promise.all([
            read.events.trace(event.id),
            event.pipelineId === undefined ? undefined : read.pipelines.find(event.pipelineId),
          ]);
          return {
            kind: event.kind,
            ref: event.ref,
            before: event.before,
            after: event.after,
            personName: event.personName,
            target: event.target ?? null,
            cron: event.cron ?? null,
            createdAt: event.createdAt.toISOString(),
            pipeline: pipeline?.number ?? null,
            why: trace.map((entry) => traceView(entry, language)),
          };
        }),
      );
      return { items };
    },

    async cancelPipeline({ params }, request) {
      const pipeline = await getPipeline(store, params);
      return pipelineView(await cancelPipeline({ store, engine }, pipeline, personOf(request).name));
    },

    async rerunPipeline({ params, body }, request) {
      const pipeline = await getPipeline(store, params);
      const person = personOf(request);
      if ('parameters' in body) {
        const project = await getProject(store, params);
        const { parameters, ignoresCaches, ignoresReuse } = body;
        const { idempotencyKey } = request;
        const repetition = { project, pipeline, parameters, ignoresCaches, ignoresReuse, person, idempotencyKey };
        return pipelineView(await notingRefusals(request, params, repeatPipeline(deps, repetition)));
      }
      if (pipeline.target !== undefined) {
        const project = await getProject(store, params);
        const what = `Cannot rerun pipeline #${pipeline.number} of ${projectSlug(project)}`;
        const asked = requirePromotionRight(store, project, person.id, pipeline.target, what);
        await notingRefusals(request, params, asked);
      }
      if ('only' in body && (await read.pipelines.workflows(pipeline.id)).length === 0) {
        // There is nothing of it to run again, but what kept its file from compiling may be otherwise by now.
        const project = await getProject(store, params);
        const repetition = { project, pipeline, parameters: {}, person, idempotencyKey: request.idempotencyKey };
        return pipelineView(await notingRefusals(request, params, repeatPipeline(deps, repetition)));
      }
      const part: RerunPart = 'workflow' in body ? { what: 'workflow', workflow: body.workflow } : { what: body.only };
      return pipelineView(await rerunPipeline({ store, engine, clock }, pipeline, part, person));
    },

    async listStepAttempts({ params }, { language }) {
      const pipeline = await getPipeline(store, params);
      const [workflows, steps] = await Promise.all([
        read.pipelines.workflows(pipeline.id),
        read.pipelines.steps(pipeline.id),
      ]);
      return { items: stepViews(workflows, steps, language) };
    },

    async lintPipelineFile({ body }, { language }) {
      const path = (pipelineFilePaths as readonly string[]).includes(body.path) ? body.path : dialectPath(body.path);
      const { isValid, findings, workflows } = await deps.linter.lint(path, body.text);
      return {
        isValid,
        findings: (language === 'zh' ? findings.map(findingInChinese) : findings).map(({ included, ...finding }) => ({
          ...finding,
          ...(included ? { included: includedPlaceView(included) } : {}),
        })),
        workflows: workflows.map(({ name, steps }) => ({ name, steps: [...steps] })),
      };
    },
  };

  async function describe(pipeline: Pipeline, { language }: RequestContext) {
    const [workflows, steps] = await Promise.all([
      read.pipelines.workflows(pipeline.id),
      read.pipelines.steps(pipeline.id),
    ]);
    // Only the plan knows why nobody can take a workflow; it said so in the trace of the event.
    const isBlocked = workflows.some(({ status, plan }) => status === 'blocked' && plan.blocked !== undefined);
    const trace = isBlocked ? await read.events.trace(pipeline.eventId) : [];
    const blockedBy = (workflow: Workflow): TraceEntry | undefined =>
      workflow.status === 'blocked'
        ? trace.find(
            ({ rule, subject }) =>
              rule === 'workflow.no-runner' && subject.kind === 'workflow' && subject.workflow === workflow.name,
          )
        : undefined;
    return pipelineDetail(
      pipeline,
      workflows,
      steps,
      (workflow) => waitsNow(workflow) ?? blockedBy(workflow) ?? silentService(workflow, steps),
      language,
    );
  }

  function waitsNow(workflow: Workflow): TraceEntry | undefined {
    const open = engine.find(workflow.pipelineId)?.workflows.find(({ id }) => id === workflow.id);
    return open && open.attempt === workflow.attempt ? engine.dispatcher.waitsFor(open) : undefined;
  }
}

/** The service of a workflow that never answered: its steps went on without it, which nobody should have to find out. */
function silentService(workflow: Workflow, steps: readonly Step[]): TraceEntry | undefined {
  const silent = steps.find(
    ({ attempt, reason, workflowId }) =>
      workflowId === workflow.id && attempt === workflow.attempt && reason?.rule === 'service.not-ready',
  );
  if (!silent?.reason) return undefined;
  const subject = { kind: 'workflow', workflow: workflow.name } as const;
  const values = { step: silent.name, ...silent.reason.values };
  return { subject, rule: 'workflow.service-silent', verdict: 'noted', values };
}

/** The route's own question was answered: what the rules of a target refuse goes into the audit log as well. */
async function notingRefusals<T>(
  request: RequestContext,
  { owner, project }: ProjectName,
  work: Promise<T>,
): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof GantryError && error.code === 'ACCESS_DENIED')
      await request.noteRefusal('pipeline:promote:refused', `${owner}/${project}`);
    throw error;
  }
}

/** Any other name is read as the dialect that its ending tells. */
function dialectPath(path: string): string {
  if (isWorkflowFile(path)) return path;
  if (/(^|\/)\.woodpecker\b/.test(path)) return '.woodpecker.yml';
  return /(^|\/)\.?drone\b/.test(path) ? '.drone.yml' : '.gantry.yml';
}

/** The routes that act are open to people only. */
function personOf({ actor }: RequestContext): Starter {
  if (actor.kind !== 'person') throw new GantryError('SIGN_IN_REQUIRED', 'Cannot run pipelines: nobody is signed in');
  const { person, projectIds } = actor;
  return { id: person.id, name: person.name, tokenProjectIds: projectIds };
}
