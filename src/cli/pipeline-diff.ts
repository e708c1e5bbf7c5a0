import type { PipelineDetail, StepView } from '../api/pipelines.ts';

/** A value that is not the same in two pipelines; `null` = it is not there. */
export interface Difference {
  readonly name: string;
  readonly before: string | null;
  readonly after: string | null;
}

export interface StepDifference {
  readonly workflow: string;
  readonly name: string;
  /** In the first pipeline only, in the second only, or in both and not the same. */
  readonly change: 'removed' | 'added' | 'changed';
  /** Status, exit code, image, what it depends on, whether its failure counts. */
  readonly differences: readonly Difference[];
  readonly beforeMs: number | null;
  readonly afterMs: number | null;
}

export interface PipelineDiff {
  readonly before: number;
  readonly after: number;
  /** Status, event, branch, commit, target, person, pipeline file, duration. */
  readonly facts: readonly Difference[];
  readonly parameters: readonly Difference[];
  readonly steps: readonly StepDifference[];
  /** Steps that are in both and the same. */
  readonly sameSteps: number;
}

/** A step never takes the same time twice: only so much more or less is a difference. */
const noticeableMs = 1_000;
const noticeableShare = 0.25;

/** What differs between two pipelines of a project: what they were started with, their plans, and what came of them. */
export function diffPipelines(before: PipelineDetail, after: PipelineDetail): PipelineDiff {
  const [left, right] = [stepsByPlace(before), stepsByPlace(after)];
  const steps: StepDifference[] = [];
  for (const place of new Set([...left.keys(), ...right.keys()])) {
    const difference = diffStep(left.get(place), right.get(place));
    if (difference) steps.push(difference);
  }
  const places = new Set([...left.keys(), ...right.keys()]).size;
  return {
    before: before.number,
    after: after.number,
    facts: diffValues(factsOf(before), factsOf(after)),
    parameters: diffValues(before.parameters, after.parameters),
    steps,
    sameSteps: places - steps.length,
  };
}

function factsOf(pipeline: PipelineDetail): Record<string, string | null> {
  return {
    status: pipeline.status,
    event: pipeline.event,
    target: pipeline.target,
    cron: pipeline.cron,
    ref: pipeline.ref,
    commit: pipeline.commit,
    subject: pipeline.subject,
    person: pipeline.personName,
    file: pipeline.path,
    error: pipeline.error?.message ?? null,
  };
}

/** By workflow and name; of several that share both, in their order. */
function stepsByPlace({ steps }: PipelineDetail): Map<string, StepView> {
  const places = new Map<string, StepView>();
  for (const step of steps) {
    let place = JSON.stringify([step.workflow, step.name]);
    while (places.has(place)) place += '+';
    places.set(place, step);
  }
  return places;
}

function diffStep(before: StepView | undefined, after: StepView | undefined): StepDifference | undefined {
  const step = after ?? before;
  if (!step) return undefined;
  const [beforeMs, afterMs] = [durationMs(before), durationMs(after)];
  const place = { workflow: step.workflow, name: step.name, beforeMs, afterMs };
  if (!before || !after)
    return { ...place, change: before ? 'removed' : 'added', differences: diffValues(planOf(before), planOf(after)) };
  const differences = diffValues(planOf(before), planOf(after));
  return differences.length > 0 || isNoticeable(beforeMs, afterMs)
    ? { ...place, change: 'changed', differences }
    : undefined;
}

function planOf(step: StepView | undefined): Record<string, string | null> {
  if (!step) return {};
  return {
    status: step.status,
    exitCode: step.exitCode === null ? null : String(step.exitCode),
    image: step.image,
    dependsOn: step.dependsOn.join(', '),
    failureIgnored: String(step.isIgnored),
  };
}

function durationMs(step: StepView | undefined): number | null {
  if (!step?.startedAt || !step.finishedAt) return null;
  return Date.parse(step.finishedAt) - Date.parse(step.startedAt);
}

function isNoticeable(beforeMs: number | null, afterMs: number | null): boolean {
  if (beforeMs === null || afterMs === null) return false;
  const byMs = Math.abs(afterMs - beforeMs);
  return byMs >= noticeableMs && byMs >= noticeableShare * Math.min(beforeMs, afterMs);
}

function diffValues(
  before: Readonly<Record<string, string | null>>,
  after: Readonly<Record<string, string | null>>,
): readonly Difference[] {
  return [...new Set([...Object.keys(before), ...Object.keys(after)])]
    .map((name) => ({ name, before: before[name] ?? null, after: after[name] ?? null }))
    .filter((one) => one.before !== one.after);
}
