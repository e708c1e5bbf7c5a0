import type { PipelineSettingsChange, PipelineSettingsView } from '../../api/settings.ts';
import { GantryError } from '../../core/errors.ts';
import { can } from '../../core/permission.ts';
import { hostTrusts, type PipelineSettings } from '../../core/pipeline-settings.ts';
import { type Project, projectSlug } from '../../core/project.ts';
import type { Stores } from '../../core/unit-of-work.ts';
import { findGlobFault } from '../../engine/glob.ts';
import { auditEntry } from '../audit-entry.ts';
import type { OperationHandlers, RequestContext } from '../feature.ts';
import type { SettingsDeps } from './deps.ts';

/** Operations on how the pipelines of a project are run. */
export function pipelineSettingsOperations({ store, clock }: SettingsDeps) {
  return {
    async getPipelineSettings({ params: { owner, project } }) {
      return settingsView(await getProject(store.read, owner, project));
    },

    async updatePipelineSettings({ params: { owner, project }, body }, request) {
      check(`${owner}/${project}`, body);
      const at = clock.now();
      return store.write(async (stores) => {
        const before = await getProject(stores, owner, project);
        const after = changed(before, body);
        const details = differences(settingsView(before), settingsView(after));
        refuseHostSettings(`${owner}/${project}`, details, request);
        if (Object.keys(details).length > 0) {
          const subject = projectSlug(before);
          const named = { subject, projectId: before.id };
          await stores.projects.update(after);
          await stores.audit.append(auditEntry(request, at, 'project:configure', named, details));
          await stores.happenings.append([{ type: 'project-changed', projectId: before.id, slug: subject }], at);
        }
        return settingsView(after);
      });
    },
  } satisfies OperationHandlers;
}

async function getProject(stores: Stores, owner: string, name: string): Promise<Project> {
  const project = await stores.projects.findBySlug(owner, name);
  if (project) return project;
  const slug = `${owner}/${name}`;
  throw new GantryError('PROJECT_NOT_FOUND', `Cannot find the project "${slug}": there is none that you may see`, {
    details: { project: slug },
  });
}

/** What steps may have of their hosts is the site's: an admin of the project alone does not change it. */
function refuseHostSettings(slug: string, details: Record<string, unknown>, { actor }: RequestContext): void {
  const field = (['trusts', 'forbidsSandbox'] as const).find((each) => each in details);
  if (field === undefined || can(actor, 'site:administer', { on: 'site' }).allowed) return;
  throw new GantryError(
    'ACCESS_DENIED',
    `Cannot change the settings of "${slug}": "${field}" is about the hosts of steps, and only a site admin changes it`,
    { details: { action: 'site:administer', needs: 'a site admin' } },
  );
}

function check(slug: string, { path, promotionRules = [] }: PipelineSettingsChange): void {
  const what = `Cannot change the settings of "${slug}"`;
  if (typeof path === 'string') {
    const problem = pathProblem(path);
    if (problem !== undefined)
      throw new GantryError('REQUEST_INVALID', `${what}: the pipeline file cannot be "${path}", ${problem}`);
  }
  for (const { target } of promotionRules) {
    const fault = findGlobFault(target, 'woodpecker');
    if (fault !== undefined)
      throw new GantryError('REQUEST_INVALID', `${what}: "${target}" is no pattern of targets, ${fault}`);
  }
}

function pathProblem(path: string): string | undefined {
  if (path.startsWith('/')) return 'it begins at the root of the repository without a slash';
  if (path.split('/').some((part) => part === '.' || part === '..')) return 'it has parts "." or ".."';
  if (/\/\//.test(path)) return 'it has an empty part';
  if (/[\0-\x1f\\]/.test(path)) return 'it has a character that paths here do not have';
  return path.endsWith('/') || /\.(ya?ml|star|jsonnet)$/.test(path)
    ? undefined
    : 'a file ends with .yml, .yaml, .star or .jsonnet, and a folder with a slash';
}

function changed(project: Project, change: PipelineSettingsChange): Project {
  const { path, timeoutMs, stepTimeoutMs, ...rest } = change;
  const given = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined));
  const pipelines: PipelineSettings = {
    ...project.pipelines,
    ...(given as Partial<PipelineSettings>),
    path: path === undefined ? project.pipelines.path : (path ?? undefined),
    timeoutMs: timeoutMs === undefined ? project.pipelines.timeoutMs : (timeoutMs ?? undefined),
  };
  return { ...project, pipelines, stepTimeoutMs: stepTimeoutMs ?? project.stepTimeoutMs };
}

function settingsView({ pipelines, stepTimeoutMs }: Project): PipelineSettingsView {
  return {
    path: pipelines.path ?? null,
    disabledEvents: [...new Set(pipelines.disabledEvents)],
    supersedingEvents: [...new Set(pipelines.supersedingEvents)] as PipelineSettingsView['supersedingEvents'],
    evaluatesDronePaths: pipelines.evaluatesDronePaths,
    toleratesFilteredSteps: pipelines.toleratesFilteredSteps,
    ignoresCaches: pipelines.ignoresCaches,
    runsBuildersAsContainers: pipelines.runsBuildersAsContainers ?? false,
    stepTimeoutMs,
    timeoutMs: pipelines.timeoutMs ?? null,
    promotionRules: pipelines.promotionRules.map(({ target, role }) => ({ target, role })),
    pullRequestApproval: pipelines.pullRequestApproval,
    ignoresForks: pipelines.ignoresForks,
    usesTargetFile: pipelines.usesTargetFile,
    requiresSignature: pipelines.requiresSignature,
    unavailable: pipelines.unavailable ?? 'wait',
    trusts: hostTrusts.filter((trust) => pipelines.trusts?.includes(trust)),
    forbidsSandbox: pipelines.forbidsSandbox ?? false,
  };
}

/** Old and new value of each field that differs: what the audit log keeps. */
function differences(before: PipelineSettingsView, after: PipelineSettingsView): Record<string, unknown> {
  const fields = Object.keys(after) as (keyof PipelineSettingsView)[];
  return Object.fromEntries(
    fields
      .filter((field) => JSON.stringify(before[field]) !== JSON.stringify(after[field]))
      .map((field) => [field, { before: before[field], after: after[field] }]),
  );
}
