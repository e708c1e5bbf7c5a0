import { GantryError } from '../../core/errors.ts';
import type { Happening } from '../../core/events.ts';
import { isFinished, type Pipeline, type Workflow, type WorkflowChange } from '../../core/pipeline.ts';
import type { UnitOfWork } from '../../core/unit-of-work.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Engine } from './engine.ts';
import { loadPipeline } from './open-pipelines.ts';

/**
 * Runs a finished pipeline again: a new attempt of all its workflows, or of those that did not pass, whole. The pipeline
 * goes from finished to running, the one edge that leads backwards (engine.md 4).
 */
export async function rerunPipeline(
  { store, engine, clock }: { readonly store: UnitOfWork; readonly engine: Engine; readonly clock: Clock },
  pipeline: Pipeline,
  only: 'all' | 'failed',
): Promise<Pipeline> {
  if (engine.isExpected(pipeline.id))
    throw new GantryError('PIPELINE_NOT_FINISHED', `Cannot rerun pipeline #${pipeline.number}: it is just being rerun`);
  engine.expect(pipeline.id);
  try {
    await writeNextAttempts(store, engine, clock, pipeline, only);
    await engine.adopt(await loadPipeline(store.read, pipeline.id));
  } finally {
    engine.unexpect(pipeline.id);
  }
  return (await store.read.pipelines.find(pipeline.id)) ?? pipeline;
}

async function writeNextAttempts(
  store: UnitOfWork,
  engine: Engine,
  clock: Clock,
  pipeline: Pipeline,
  only: 'all' | 'failed',
): Promise<void> {
  const what = `Cannot rerun pipeline #${pipeline.number}`;
  await store.write(async (stores) => {
    const now = await stores.pipelines.find(pipeline.id);
    if (!now || !isFinished(now.status) || engine.find(pipeline.id))
      throw new GantryError('PIPELINE_NOT_FINISHED', `${what}: it is ${now?.status ?? 'gone'}`);
    const workflows = await stores.pipelines.workflows(pipeline.id);
    if (workflows.length === 0)
      throw new GantryError('NOTHING_TO_RERUN', `${what}: its file did not compile, so that it has no workflow`);
    const again = workflows.filter(({ status }) => only === 'all' || status !== 'passed');
    if (again.length === 0) throw new GantryError('NOTHING_TO_RERUN', `${what}: every workflow passed`);

    const at = clock.now();
    const names = new Set(again.map(({ name }) => name));
    const happenings: Happening[] = [];
    for (const workflow of again) {
      const attempt = workflow.attempt + 1;
      const change = nextAttempt(workflow, attempt, names, at);
      await stores.pipelines.updateWorkflow(change);
      await stores.pipelines.createSteps({ ...workflow, attempt });
      happenings.push({
        type: 'workflow-changed',
        projectId: pipeline.projectId,
        pipelineId: pipeline.id,
        number: pipeline.number,
        workflowId: workflow.id,
        workflow: workflow.name,
        status: change.status!,
        attempt,
      });
    }
    await stores.pipelines.setStatus(pipeline.id, { status: 'running', finishedAt: null });
    happenings.push({
      type: 'pipeline-changed',
      projectId: pipeline.projectId,
      pipelineId: pipeline.id,
      number: pipeline.number,
      status: 'running',
    });
    await stores.happenings.append(happenings, at);
  });
}

function nextAttempt(workflow: Workflow, attempt: number, again: ReadonlySet<string>, at: Date): WorkflowChange {
  // What passed and is not run again is nothing to wait for.
  const waits = workflow.plan.blocked !== undefined || workflow.plan.dependsOn.some((name) => again.has(name));
  return {
    id: workflow.id,
    status: waits ? 'blocked' : 'queued',
    attempt,
    runnerId: null,
    cancelledBy: null,
    queuedAt: waits ? null : at,
    startedAt: null,
    finishedAt: null,
  };
}
