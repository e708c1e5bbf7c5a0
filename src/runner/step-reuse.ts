import type { RegistryCredentials } from '../core/image.ts';
import type { StepPlan, WorkflowPlan } from '../core/plan.ts';
import {
  holderOf,
  type ReuseMiss,
  type ReuseOffer,
  type ReuseOrigin,
  type ReuseReport,
  reuseLabel,
} from '../core/step-reuse.ts';
import type { KeptResult, Runtime, StepResults, StepResultUse } from '../drivers/runtime/runtime.ts';
import { changedPart, findReuseObstacle, reuseKey, reuseParts, servicesOf } from '../engine/reuse-key.ts';
import type { Assignment, ClaimName } from '../engine/runner-protocol.ts';

/** What happens to a step that may be reused. */
export interface ReuseDecision {
  readonly report: ReuseReport;
  /** Absent = it runs, and nothing of it is kept. */
  readonly use?: StepResultUse;
}

export interface ReuseDecisions {
  /** By position. */
  readonly steps: ReadonlyMap<number, ReuseDecision>;
  /** Every step that does work is reused: nothing need be checked out or started. */
  readonly isWhole: boolean;
  /** What is taken may be collected from then on. */
  release(): void;
}

export const noReuse: ReuseDecisions = { steps: new Map(), isWhole: false, release: () => {} };

interface ReuseDeps {
  readonly runtime: Pick<Runtime, 'name' | 'results'>;
  readonly signal: AbortSignal;
}

/**
 * Decides before the job begins which of its steps are reused. Asks for digests of images and looks into the store, and
 * starts nothing. Whatever cannot be told makes a step run.
 */
export async function decideReuse(claim: ClaimName, assignment: Assignment, deps: ReuseDeps): Promise<ReuseDecisions> {
  const { plan, reuse: offer } = assignment;
  const candidates = plan.steps.flatMap((step, position) => (isCandidate(step) ? [position] : []));
  if (candidates.length === 0 || !offer) return noReuse;
  const { name: runtime, results } = deps.runtime;
  const why = await results?.findHindrance?.();
  if (!results || why !== undefined) {
    const miss: ReuseMiss = { kind: 'runtime', runtime, ...(why === undefined ? {} : { why }) };
    return { ...noReuse, steps: new Map(candidates.map((position) => [position, missed(miss)])) };
  }
  const digests = await readDigests(plan, candidates, results, assignment.registries, deps.signal);
  const held: KeptResult[] = [];
  const keys = new Map<number, string>();
  const steps = new Map<number, ReuseDecision>();
  // In the order of the file each step comes after those that it waits for; where not, its key is not known and it runs.
  for (const position of orderOf(plan, candidates)) {
    const decision = decide(position, { assignment, claim, offer, results, digests, keys, held });
    steps.set(position, decision);
  }
  return {
    steps,
    isWhole: plan.steps.every((step, position) => !doesWork(step) || steps.get(position)?.use?.kind === 'take'),
    release: () => held.forEach((result) => result.release()),
  };
}

/** Whether the workflow has a step that runs whatever is decided: then its surroundings can be made meanwhile. */
export function mustRun(plan: WorkflowPlan): boolean {
  return plan.steps.some((step) => doesWork(step) && !isCandidate(step));
}

interface Deciding {
  readonly claim: ClaimName;
  readonly assignment: Assignment;
  readonly offer: ReuseOffer;
  readonly results: StepResults;
  readonly digests: ReadonlyMap<number, string>;
  readonly keys: Map<number, string>;
  readonly held: KeptResult[];
}

function decide(position: number, deciding: Deciding): ReuseDecision {
  const { assignment, claim, offer, results, digests, keys, held } = deciding;
  const { plan } = assignment;
  const step = plan.steps[position]!;
  const obstacle = findReuseObstacle(plan, position);
  if (obstacle) return missed({ kind: 'upstream', step: obstacle.name });
  const parts = reuseParts(plan, position, {
    inputs: offer.inputs[position] ?? {},
    digestOf: (index) => digests.get(index),
    keyOf: (index) => keys.get(index),
    architecture: process.arch,
    surroundings: results.surroundings,
  });
  if (!parts) return missed(findUnknown(plan, position, deciding));
  const key = reuseKey(parts);
  keys.set(position, key);
  const label = reuseLabel(plan.name, step.name);
  const origin: ReuseOrigin = {
    pipeline: assignment.pipelineNumber,
    workflow: plan.name,
    step: step.name,
    stepId: assignment.stepIds[position]!,
    workflowId: claim.workflowId,
    attempt: claim.attempt,
  };
  const { access } = offer;
  const outputs = step.reuse!.outputs;
  const keep: StepResultUse = {
    kind: 'keep',
    access,
    key,
    label,
    parts,
    origin,
    outputs,
    imageDigest: digests.get(position)!,
  };
  if (offer.isRerun) {
    // What it left before is in doubt: whoever runs it again does not trust it.
    results.forget(access, key);
    return { report: { result: 'missed', miss: { kind: 'rerun' } }, use: keep };
  }
  const found = results.find(access, key);
  const holders = offer.holders?.[position];
  const isComplete = found !== undefined && (!holders || holders.includes(holderOf(found.origin)));
  if (found && !isComplete) {
    // Its artifacts were deleted, or their time is over: what it is to leave has to be made again.
    found.release();
    results.forget(access, key);
    return { report: { result: 'missed', miss: { kind: 'gone' } }, use: keep };
  }
  if (found) {
    held.push(found);
    return { report: { result: 'reused', from: found.origin }, use: { kind: 'take', access, key } };
  }
  const latest = results.latest(access, label);
  const part = latest && changedPart(latest.parts, parts);
  const miss: ReuseMiss = !latest
    ? { kind: 'first' }
    : part === undefined
      ? { kind: 'gone' }
      : { kind: 'changed', part, pipeline: latest.origin.pipeline };
  return { report: { result: 'missed', miss }, use: keep };
}

function findUnknown(plan: WorkflowPlan, position: number, { digests }: Deciding): ReuseMiss {
  const unknown = [position, ...servicesOf(plan, position)].find((index) => !digests.has(index));
  if (unknown !== undefined) return { kind: 'image', image: plan.steps[unknown]!.image };
  return { kind: 'upstream', step: plan.steps[position]!.dependsOn[0] ?? '' };
}

/** Of each image once; those that nobody can tell are left out. */
async function readDigests(
  plan: WorkflowPlan,
  candidates: readonly number[],
  results: StepResults,
  registries: readonly RegistryCredentials[] | undefined,
  signal: AbortSignal,
): Promise<ReadonlyMap<number, string>> {
  const asked = new Map<string, Promise<string | undefined>>();
  const wanted = new Set(candidates.flatMap((position) => [position, ...servicesOf(plan, position)]));
  const found = await Promise.all(
    [...wanted].map(async (position) => {
      const { image, pull } = plan.steps[position]!;
      const name = `${pull} ${image}`;
      const asking =
        asked.get(name) ??
        results
          .digestOf({ image, pull, ...(registries ? { credentials: registries } : {}), signal })
          .catch(() => undefined);
      asked.set(name, asking);
      const digest = await Promise.race([asking, aborted(signal)]);
      return digest === undefined ? [] : [[position, digest] as const];
    }),
  );
  return new Map(found.flat());
}

/** Each after those that it waits for. */
function orderOf(plan: WorkflowPlan, candidates: readonly number[]): readonly number[] {
  const done = new Set<number>();
  const visit = (position: number): void => {
    if (done.has(position)) return;
    done.add(position);
    for (const name of plan.steps[position]!.dependsOn)
      plan.steps.forEach((step, index) => {
        if (step.name === name) visit(index);
      });
    ordered.push(position);
  };
  const ordered: number[] = [];
  for (const position of candidates) visit(position);
  return ordered.filter((position) => candidates.includes(position));
}

function isCandidate(step: StepPlan): boolean {
  return step.reuse !== undefined && step.reuse.off === undefined && !step.skipped;
}

function doesWork(step: StepPlan): boolean {
  return step.kind !== 'clone' && step.background !== 'service' && !step.skipped && step.runOn.success;
}

function missed(miss: ReuseMiss): ReuseDecision {
  return { report: { result: 'missed', miss } };
}

function aborted(signal: AbortSignal): Promise<undefined> {
  if (signal.aborted) return Promise.resolve(undefined);
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(undefined), { once: true }));
}
