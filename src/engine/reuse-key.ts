import { createHash } from 'node:crypto';
import type { CheckoutPlan } from '../core/checkout.ts';
import { environmentOfStep, type StepPlan, type WorkflowPlan } from '../core/plan.ts';
import type { ReuseParts } from '../core/step-reuse.ts';
import { lastingEnvironment } from './reuse-environment.ts';
import { wholeWorkspace } from './workspace-folder.ts';

/** Grows with each change of what enters a key: what was kept by another rule is not found. */
const keyVersion = 1;

/** What a step cannot be judged without. */
export interface ReuseFacts {
  readonly inputs: ReuseParts;
  /** Digest of what the image of the step at this position is. */
  digestOf(position: number): string | undefined;
  /** Keys of steps that it waits for. */
  keyOf(position: number): string | undefined;
  /** Node's name of the machine's architecture. */
  readonly architecture: string;
  /** What the installation adds to every step, as a checksum. */
  readonly surroundings: string;
}

/**
 * Positions of the steps that must have ended before this one, over however many others. Not among them: the checkout,
 * which the inputs stand for, and steps that do not run.
 */
export function upstreamOf({ steps }: WorkflowPlan, position: number): readonly number[] {
  const found = new Set<number>();
  const open = [...steps[position]!.dependsOn];
  for (let name = open.pop(); name !== undefined; name = open.pop())
    steps.forEach((step, index) => {
      if (step.name !== name || found.has(index) || index === position) return;
      found.add(index);
      open.push(...step.dependsOn);
    });
  return [...found].filter((index) => doesWork(steps[index]!)).toSorted((left, right) => left - right);
}

/**
 * The step that makes it unknown what this one starts from: one before it that says nothing about reuse, or that runs
 * beside it on the same workspace. A service without commands has only what its image and its variables say.
 */
export function findReuseObstacle(plan: WorkflowPlan, position: number): StepPlan | undefined {
  return upstreamOf(plan, position)
    .map((index) => plan.steps[index]!)
    .find((step) => (step.background ? !isPlainService(step) : !step.reuse || step.onFailure === 'ignore'));
}

/** Positions of the services that this step can talk to: none without the network. */
export function servicesOf({ steps }: WorkflowPlan, position: number): readonly number[] {
  if (!steps[position]!.reuse?.usesNetwork) return [];
  return steps.flatMap((step, index) => (step.background === 'service' && !step.skipped ? [index] : []));
}

/**
 * Everything that enters the step, each under a name that can be told; `undefined` when something of it is not known.
 * The inputs are what git has hashed; texts are told by their checksums.
 */
export function reuseParts(plan: WorkflowPlan, position: number, facts: ReuseFacts): ReuseParts | undefined {
  const step = plan.steps[position]!;
  const { reuse } = step;
  const image = facts.digestOf(position);
  if (!reuse || image === undefined) return undefined;
  const parts: Record<string, string> = {
    rule: String(keyVersion),
    architecture: facts.architecture,
    ...Object.fromEntries(Object.entries(facts.inputs).map(([path, id]) => [`input ${path}`, id])),
    commands: checksum(step.kind, step.commands, step.entrypoint ?? null, step.command ?? null),
    image,
    ...variableParts(step),
  };
  for (const index of upstreamOf(plan, position)) {
    const other = plan.steps[index]!;
    if (other.background) continue;
    const key = facts.keyOf(index);
    if (key === undefined) return undefined;
    parts[`step ${other.name}`] = key;
  }
  for (const index of servicesOf(plan, position)) {
    const service = plan.steps[index]!;
    const digest = facts.digestOf(index);
    if (digest === undefined) return undefined;
    parts[`service ${service.name}`] = checksum(
      digest,
      service.entrypoint ?? null,
      service.command ?? null,
      lastingEnvironment(environmentOfStep(plan, service)),
      service.hostName ?? null,
      service.user ?? null,
    );
  }
  parts['outputs'] = checksum(reuse.outputs);
  parts['surroundings'] = checksum(
    facts.surroundings,
    reuse.usesNetwork,
    wholeWorkspace(plan.workspace),
    plan.clone.isDisabled,
    ...checkoutParts(plan.clone),
    step.startsIn ?? null,
    step.workingDirectory ?? null,
    step.user ?? null,
  );
  return parts;
}

/** The content key: two steps that have it get the same and leave the same. */
export function reuseKey(parts: ReuseParts): string {
  return createHash('sha256')
    .update(JSON.stringify(Object.entries(parts).toSorted(([left], [right]) => (left < right ? -1 : 1))))
    .digest('hex');
}

/** Name of the first part, in the order in which a reader would ask, in which two keys differ. */
export function changedPart(before: ReuseParts, after: ReuseParts): string | undefined {
  const names = [...new Set([...Object.keys(after), ...Object.keys(before)])];
  const changed = names.filter((name) => before[name] !== after[name]);
  return changed.find((name) => name.startsWith('input ')) ?? changed[0];
}

function doesWork(step: StepPlan): boolean {
  return step.kind !== 'clone' && !step.skipped && step.runOn.success;
}

function isPlainService({ background, kind }: StepPlan): boolean {
  return background === 'service' && kind === 'image';
}

function variableParts({ environment }: StepPlan): ReuseParts {
  return Object.fromEntries(Object.entries(environment).map(([name, value]) => [`variable ${name}`, checksum(value)]));
}

function checksum(...values: readonly unknown[]): string {
  const sorted = (_key: string, value: unknown): unknown =>
    value !== null && typeof value === 'object' && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).toSorted(([left], [right]) => (left < right ? -1 : 1)))
      : value;
  return createHash('sha256').update(JSON.stringify(values, sorted)).digest('hex').slice(0, 24);
}

/** What another checkout than the usual one puts into the workspace; nothing for the usual one, whose keys stay what they are. */
function checkoutParts(clone: CheckoutPlan): readonly unknown[] {
  const { depth: _depth, isDisabled: _isDisabled, lfsLine: _lfsLine, ...other } = clone;
  return Object.keys(other).length === 0 ? [] : [other];
}
