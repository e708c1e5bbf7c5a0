import type { OperationId } from '../../src/api/operations.ts';
import type { PipelineDetail } from '../../src/api/pipelines.ts';
import type { StreamEvents } from '../../src/api/stream.ts';
import { cache } from '../api.ts';

type Happening = StreamEvents['happening'];

/** A burst of happenings is one fetch: the first at once, the others together after this. */
const gatherMs = 250;
const due = new Map<string, { timer: ReturnType<typeof setTimeout>; again: boolean }>();

/** What the happening says is written at once; what it does not say is fetched. */
export function applyHappening(happening: Happening): void {
  const [owner, project] = happening.project?.split('/') ?? [];
  switch (happening.type) {
    case 'step-changed':
      patchPipeline(owner, project, happening.number, (pipeline) => ({
        ...pipeline,
        steps: pipeline.steps.map((step) =>
          step.id === happening.stepId ? { ...step, status: happening.status } : step,
        ),
      }));
      refetchPipeline(owner, project, happening.number);
      return;
    case 'workflow-changed':
      patchPipeline(owner, project, happening.number, (pipeline) => ({
        ...pipeline,
        workflows: pipeline.workflows.map((workflow) =>
          workflow.name === happening.workflow ? { ...workflow, status: happening.status } : workflow,
        ),
      }));
      refetchPipeline(owner, project, happening.number);
      return;
    case 'pipeline-changed':
      patchPipeline(owner, project, happening.number, (pipeline) => ({ ...pipeline, status: happening.status }));
      refetchPipeline(owner, project, happening.number);
      refetch('listPipelines', { owner, project });
      refetch('getProject', { owner, project });
      refetch('listProjects');
      return;
    case 'push-received':
      for (const id of ['getProject', 'listRefs', 'listCommits', 'getTree', 'getFile'] as const)
        refetch(id, { owner, project });
      refetch('listProjects');
      return;
    case 'pull-request-changed':
      refetch('listPullRequests', { owner, project });
      return;
    case 'event-planned':
      refetch('listPipelines', { owner, project });
      refetch('listEvents', { owner, project });
      return;
    case 'members-changed':
      refetch('listMembers', { owner, project });
      refetch('getProject', { owner, project });
      return;
    case 'project-created':
    case 'project-changed':
      refetch('getProject', { owner, project });
      refetch('listProjects');
  }
}

/** Everything that is shown is fetched anew: what was missed is no longer kept. */
export function applyReset(): void {
  void cache.invalidateQueries();
}

function patchPipeline(
  owner: string | undefined,
  project: string | undefined,
  number: number,
  change: (pipeline: PipelineDetail) => PipelineDetail,
): void {
  cache.setQueriesData<PipelineDetail>({ queryKey: ['getPipeline', { owner, project, number }] }, (pipeline) =>
    pipeline ? change(pipeline) : undefined,
  );
}

function refetchPipeline(owner: string | undefined, project: string | undefined, number: number): void {
  for (const id of ['getPipeline', 'explainPipeline', 'listStepAttempts'] as const)
    refetch(id, { owner, project, number });
}

function refetch(id: OperationId, params?: object): void {
  const queryKey = params === undefined ? [id] : [id, params];
  const key = JSON.stringify(queryKey);
  const waiting = due.get(key);
  if (waiting) {
    waiting.again = true;
    return;
  }
  const timer = setTimeout(() => {
    const again = due.get(key)?.again === true;
    due.delete(key);
    if (again) void cache.invalidateQueries({ queryKey });
  }, gatherMs);
  due.set(key, { timer, again: false });
  void cache.invalidateQueries({ queryKey });
}
