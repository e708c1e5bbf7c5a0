import { hostTrusts } from '../../core/pipeline-settings.ts';
import type { StepPlan } from '../../core/plan.ts';
import { compilePipeline } from '../compile.ts';
import type { CompileInput, CompileResult, EventFacts, PipelineFile } from '../compile-input.ts';
import { sampleFacts } from '../sample-facts.ts';
import type { ImportNote } from './import-note.ts';

/** Events that source and result are compared at. */
export const probes: readonly EventFacts[] = (
  [
    ['push', 'refs/heads/main', 'main'],
    ['push', 'refs/heads/feature/x', 'feature/x'],
    ['tag', 'refs/tags/v1.2.3', 'v1.2.3'],
    ['pull_request', 'refs/pull/7/head', 'main'],
    ['manual', 'refs/heads/main', 'main'],
    ['promote', 'refs/heads/main', 'main'],
    ['rollback', 'refs/heads/main', 'main'],
    ['cron', 'refs/heads/main', 'main'],
  ] as const
).map(([kind, ref, branch]) => ({
  ...sampleFacts.event,
  kind,
  ref,
  branch,
  ...(kind === 'promote' || kind === 'rollback' ? { target: 'production' } : {}),
  ...(kind === 'cron' ? { schedule: 'nightly' } : {}),
  ...(kind === 'pull_request'
    ? { pullRequest: { number: 7, title: 't', sourceBranch: 'feature/x', targetBranch: 'main', action: 'opened' } }
    : {}),
}));

/** The notes, after source and result were compiled: what is said to be carried, and is not the same at every probe, becomes a remark. */
export function compareImport(
  files: readonly PipelineFile[],
  text: string,
  notes: readonly ImportNote[],
): readonly ImportNote[] {
  const found = new Map<ImportNote, string>();
  for (const event of probes) {
    const compiled = compileAtProbe(files, event);
    // It asks for what Gantry does not do: that has been told.
    if (compiled.kind === 'failed') continue;
    const source = planOf(compiled);
    const result = planOf(compileAtProbe([{ path: '.gantry.yml', text }], event));
    for (const note of notes) {
      if (note.verdict !== 'carried' || note.workflow === undefined || found.has(note)) continue;
      const difference = differenceOf(note, source, result);
      if (difference !== undefined) found.set(note, `${difference} at ${event.kind} of ${event.branch}`);
    }
  }
  return notes.map((note) => {
    const difference = found.get(note);
    return difference === undefined ? note : { ...note, verdict: 'remark', texts: [difference] };
  });
}

type Plan = ReadonlyMap<string, ReadonlyMap<string, StepPlan>>;

/** As the server would, with all that a project can be trusted with. */
export function compileAtProbe(files: readonly PipelineFile[], event: EventFacts): CompileResult {
  // What it is trusted with is no matter of its file.
  const rules = { trusts: hostTrusts };
  const input: CompileInput = { ...sampleFacts, files, event, secretNames: [], stepTimeoutMs: 3_600_000, rules };
  return compilePipeline(input);
}

function planOf(result: CompileResult): Plan {
  const workflows = result.kind === 'planned' ? result.plan.workflows : [];
  return new Map(workflows.map(({ name, steps }) => [name, new Map(steps.map((step) => [step.name, step]))]));
}

/** In words, what of a workflow or step is not the same in both plans. */
function differenceOf(
  { workflow = '', step }: Pick<ImportNote, 'workflow' | 'step'>,
  source: Plan,
  result: Plan,
): string | undefined {
  const [before, after] = [source.get(workflow), result.get(workflow)];
  if (!before || !after) return before === after ? undefined : 'whether it runs is not the same';
  if (step === undefined) return undefined;
  const [was, is] = [before.get(step), after.get(step)];
  if (!was || !is) return was === is ? undefined : 'whether it runs is not the same';
  if (!was.skipped !== !is.skipped) return 'whether it runs is not the same';
  if (was.skipped) return undefined;
  if (JSON.stringify(was.runOn) !== JSON.stringify(is.runOn)) return 'whether it runs after a failure is not the same';
  if (
    JSON.stringify([was.image, was.commands, was.entrypoint, was.command]) !==
    JSON.stringify([is.image, is.commands, is.entrypoint, is.command])
  )
    return 'what it runs is not the same';
  return sameNames(runningBefore(was, before), runningBefore(is, after))
    ? undefined
    : 'what it waits for is not the same';
}

/** All steps that are run before this one can start: those it waits for, through those that do not run. */
function runningBefore(step: StepPlan, steps: ReadonlyMap<string, StepPlan>): ReadonlySet<string> {
  const found = new Set<string>();
  const look = (one: StepPlan): void => {
    for (const name of one.dependsOn) {
      const dependency = steps.get(name);
      if (!dependency || found.has(name)) continue;
      if (!dependency.skipped && dependency.background !== 'service') found.add(name);
      look(dependency);
    }
  };
  look(step);
  return found;
}

function sameNames(left: ReadonlySet<string>, right: ReadonlySet<string>): boolean {
  return left.size === right.size && left.isSubsetOf(right);
}
