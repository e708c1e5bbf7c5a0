import type { Event } from '../../core/event.ts';
import type { Pipeline } from '../../core/pipeline.ts';
import type { Project } from '../../core/project.ts';
import type { Repository } from '../../core/repository.ts';
import type { TraceEntry, TraceRule } from '../../core/trace.ts';
import type { UnitOfWork } from '../../core/unit-of-work.ts';
import { chooseFiles } from '../../engine/choose-files.ts';

interface ReadChangedPathsDeps {
  readonly store: UnitOfWork;
  readonly repository: Pick<Repository, 'resolve' | 'changedPaths' | 'mergeBase'>;
}

/** What a push touched, and since when; `paths` is absent when everything counts as changed. */
export interface ChangedPaths {
  readonly paths: readonly string[] | undefined;
  readonly trace: readonly TraceEntry[];
}

const nobodyAsks: ChangedPaths = { paths: undefined, trace: [] };
const allZeros = /^0+$/;

/**
 * Answers what conditions on paths look at. In `.gantry.yml` that is what differs from the last green pipeline, so that
 * a part which failed is not left out because the next push touched another. In files of other systems it is what this
 * push brought, as there; for a new branch, since it left the default branch. Asked for only where a file looks at it.
 */
export async function readChangedPaths(
  deps: ReadChangedPathsDeps,
  event: Event,
  project: Project,
  commit: string,
  files: readonly { readonly path: string; readonly text?: string }[],
): Promise<ChangedPaths> {
  const readable = files.flatMap(({ path, text }) => (text === undefined ? [] : [{ path, text }]));
  if (
    (event.kind !== 'push' && event.kind !== 'pull_request') ||
    !readable.some(({ text }) => /\bpaths?\b|CI_PIPELINE_FILES/.test(text))
  )
    return nobodyAsks;
  if (event.pullRequest) return { paths: await sinceMergeBase(deps, event, commit), trace: [] };
  if (chooseFiles(readable)?.dialect === 'gantry') return sinceLastGreen(deps, event, project, commit);
  const before = allZeros.test(event.before) ? await whereItLeft(deps, project, commit) : event.before;
  return before === undefined
    ? nobodyAsks
    : { paths: await deps.repository.changedPaths(project.id, before, commit), trace: [] };
}

/** What a pull request would bring: what its target did since they parted does not count. */
async function sinceMergeBase(
  { repository }: ReadChangedPathsDeps,
  { projectId, before }: Event,
  commit: string,
): Promise<readonly string[] | undefined> {
  const base = await repository.mergeBase(projectId, before, commit);
  return base === undefined ? undefined : repository.changedPaths(projectId, base, commit);
}

async function sinceLastGreen(
  deps: ReadChangedPathsDeps,
  event: Event,
  project: Project,
  commit: string,
): Promise<ChangedPaths> {
  const branch = event.ref.replace('refs/heads/', '');
  const green =
    (await findLastGreen(deps, project, branch)) ?? (await findLastGreen(deps, project, project.defaultBranch));
  // After a rewritten history its objects may be gone.
  const paths = green && (await deps.repository.changedPaths(project.id, green.commit, commit));
  const noted = (rule: TraceRule, values: TraceEntry['values']): readonly TraceEntry[] => [
    { subject: { kind: 'event' }, rule, verdict: 'noted', values },
  ];
  if (!paths || !green) return { paths: undefined, trace: noted('event.paths-all', { branch }) };
  const values = { pipeline: green.number, branch: green.branch, commit: green.commit };
  // Who starts what is green already once more wants to see it run.
  if (paths.length === 0 && event.parentNumber !== undefined)
    return { paths: undefined, trace: noted('event.paths-again', values) };
  return { paths, trace: noted('event.paths-since', values) };
}

async function findLastGreen(
  { store }: ReadChangedPathsDeps,
  project: Project,
  branch: string,
): Promise<Pipeline | undefined> {
  const page = await store.read.pipelines.list(project.id, { branch, event: 'push', status: ['passed'], limit: 1 });
  return page.items[0];
}

async function whereItLeft(
  { repository }: ReadChangedPathsDeps,
  project: Project,
  commit: string,
): Promise<string | undefined> {
  const trunk = await repository.resolve(project.id, `refs/heads/${project.defaultBranch}`);
  return trunk && repository.mergeBase(project.id, trunk.commit, commit);
}
