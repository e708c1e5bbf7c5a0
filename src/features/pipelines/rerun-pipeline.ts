import { GantryError } from '../../core/errors.ts';
import type { Happening } from '../../core/events.ts';
import { isFinished, type Pipeline, type Workflow, type WorkflowChange } from '../../core/pipeline.ts';
import type { TraceEntry } from '../../core/trace.ts';
import type { Stores, UnitOfWork } from '../../core/unit-of-work.ts';
import { chooseRetries } from '../../engine/choose-retries.ts';
import type { Clock } from '../../lib/clock.ts';
import { requireApproval } from './approvals/require-approval.ts';
import type { Engine } from './engine.ts';
import { loadPipeline } from './open-pipelines.ts';

const namesTold = 20;

/** What of a pipeline is run again: one workflow takes with it what depends on it, over however many others. */
export type RerunPart =
  | { readonly what: 'all' | 'failed' }
  | { readonly what: 'workflow'; readonly workflow: string }
  /** By itself: what nobody's verdict ended and `retry` asks to be run again, with what depends on it. */
  | { readonly what: 'retry' };

/** Who runs it again; without an id it is Gantry itself. */
export interface Rerunner {
  readonly id?: number;
  readonly name: string;
  readonly tokenProjectIds?: readonly number[] | undefined;
}

/**
 * Runs a finished pipeline again: a new attempt of all its workflows, of those that did not pass, or of one and those
 * that depend on it, whole. What it was is kept in the trace. The pipeline goes from finished to running, the one edge
 * that leads backwards (engine.md 4).
 */
export async function rerunPipeline(
  { store, engine, clock }: { readonly store: UnitOfWork; readonly engine: Engine; readonly clock: Clock },
  pipeline: Pipeline,
  part: RerunPart,
  by: Rerunner,
): Promise<Pipeline> {
  if (engine.isExpected(pipeline.id))
    throw new GantryError('PIPELINE_NOT_FINISHED', `Cannot rerun pipeline #${pipeline.number}: it is just being rerun`);
  engine.expect(pipeline.id);
  try {
    await writeNextAttempts(store, engine, clock, pipeline, part, by);
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
  part: RerunPart,
  by: Rerunner,
): Promise<void> {
  const what = `Cannot rerun pipeline #${pipeline.number}`;
  await store.write(async (stores) => {
    const now = await stores.pipelines.find(pipeline.id);
    if (!now || !isFinished(now.status) || engine.find(pipeline.id))
      throw new GantryError('PIPELINE_NOT_FINISHED', `${what}: it is ${now?.status ?? 'gone'}`);
    await requireApproval(stores, now, what);
    const workflows = await stores.pipelines.workflows(pipeline.id);
    if (workflows.length === 0)
      throw new GantryError('NOTHING_TO_RERUN', `${what}: its file did not compile, so that it has no workflow`);
    const { again, entry, retried } = await chooseRerun(stores, { pipeline, workflows, part, by: by.name, what });

    const at = clock.now();
    const names = new Set(again.map(({ name }) => name));
    const happenings: Happening[] = [];
    for (const workflow of again) {
      const attempt = workflow.attempt + 1;
      const change = { ...nextAttempt(workflow, attempt, names, at), retries: retriesAfter(workflow, retried) };
      await stores.pipelines.updateWorkflow(change);
      if (by.id !== undefined)
        await stores.pipelines.noteRerun(workflow.id, { personId: by.id, tokenProjectIds: by.tokenProjectIds });
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
    await stores.pipelines.addTrace(pipeline.id, [entry], at);
    // One that runs again by itself goes on; a person's begins anew, and how long it takes counts from here.
    const anew = retried ? {} : { startedAt: at };
    await stores.pipelines.setStatus(pipeline.id, { status: 'running', ...anew, finishedAt: null });
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

interface Rerun {
  readonly again: readonly Workflow[];
  readonly entry: TraceEntry;
  /** Ids of those that run again by themselves; absent when a person asked. */
  readonly retried?: ReadonlySet<number>;
}

async function chooseRerun(
  stores: Stores,
  {
    pipeline,
    workflows,
    part,
    by,
    what,
  }: {
    readonly pipeline: Pipeline;
    readonly workflows: readonly Workflow[];
    readonly part: RerunPart;
    readonly by: string;
    readonly what: string;
  },
): Promise<Rerun> {
  const subject = { kind: 'event' } as const;
  // Whoever runs it again first: it is not run again by itself on top of that.
  const isDue = await stores.pipelines.takeRetry(pipeline.id);
  if (part.what !== 'retry') {
    const again = choose(workflows, part, what);
    const kept = namesOf(workflows.filter((workflow) => !again.includes(workflow)));
    const values = { by, what: part.what, again: namesOf(again), kept };
    return { again, entry: { subject, rule: 'pipeline.rerun', verdict: 'noted', values } };
  }
  const { chosen, step, message } = await findRetried(stores, workflows);
  const project = await stores.projects.find(pipeline.projectId);
  if (!isDue || chosen.length === 0 || project?.archivedAt)
    throw new GantryError('NOTHING_TO_RERUN', `${what}: nothing of it is to run again by itself`);
  const again = withDependants(workflows, new Set(chosen.map(({ name }) => name)));
  const entry: TraceEntry = {
    subject,
    rule: 'pipeline.retried',
    verdict: 'noted',
    values: { again: namesOf(again), step, message },
  };
  return { again, entry, retried: new Set(chosen.map(({ id }) => id)) };
}

/** A person's rerun begins to count anew; what only hangs on a retried one is not counted. */
function retriesAfter({ id, retries = 0 }: Workflow, retried: Rerun['retried']): number {
  if (!retried) return 0;
  return retried.has(id) ? retries + 1 : retries;
}

/** Those that run again by themselves, and what happened to the first of them. */
async function findRetried(
  stores: Stores,
  workflows: readonly Workflow[],
): Promise<{ readonly chosen: readonly Workflow[]; readonly step: string; readonly message: string }> {
  const candidates = await Promise.all(
    workflows.map(async (workflow) => ({
      ...workflow,
      retries: workflow.retries ?? 0,
      steps: await stores.pipelines.stepsOf(workflow.id, workflow.attempt),
    })),
  );
  const chosen = chooseRetries(candidates);
  const lost = chosen[0]?.steps.find(({ status }) => status === 'infrastructure');
  const message = lost?.outcome?.kind === 'infrastructure' ? lost.outcome.message : '';
  return { chosen, step: lost?.name ?? '', message };
}

/** Whoever depends on one of these names, over however many others, comes in as well. */
function withDependants(workflows: readonly Workflow[], names: Set<string>): readonly Workflow[] {
  const all = new Set(names);
  // A set grows while it is walked through.
  for (const name of all)
    for (const workflow of workflows) if (workflow.plan.dependsOn.includes(name)) all.add(workflow.name);
  return workflows.filter(({ name }) => all.has(name));
}

function choose(
  workflows: readonly Workflow[],
  part: Exclude<RerunPart, { what: 'retry' }>,
  what: string,
): readonly Workflow[] {
  switch (part.what) {
    case 'all':
      return workflows;
    case 'failed': {
      const failed = workflows.filter(({ status }) => status !== 'passed');
      if (failed.length === 0) throw new GantryError('NOTHING_TO_RERUN', `${what}: every workflow passed`);
      return failed;
    }
    case 'workflow': {
      const names = new Set(workflows.filter((workflow) => isNamed(workflow, part.workflow)).map(({ name }) => name));
      if (names.size === 0)
        throw new GantryError('WORKFLOW_NOT_FOUND', `${what}: it has no workflow "${part.workflow}"`, {
          details: { workflow: part.workflow, workflows: workflows.map(({ name }) => name) },
        });
      return withDependants(workflows, names);
    }
  }
}

/** By its name; those of a matrix by the name that they share as well. */
function isNamed({ name, plan }: Workflow, wanted: string): boolean {
  return name === wanted || (plan.matrix !== undefined && name.startsWith(`${wanted} (`));
}

/** As a sentence takes them: not more than a few, and how many there are besides. */
function namesOf(workflows: readonly Workflow[]): string {
  const names = [...new Set(workflows.map(({ name }) => name))];
  const shown = names.slice(0, namesTold).join(', ');
  return names.length > namesTold ? `${shown} (+${names.length - namesTold})` : shown;
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
    cancelCause: null,
    isCancelFinal: false,
    queuedAt: waits ? null : at,
    startedAt: null,
    finishedAt: null,
  };
}
