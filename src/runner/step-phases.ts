import type { CacheEvent } from '../core/cache.ts';
import type { Outcome, StepPhases } from '../core/pipeline.ts';

/** The phases with the time that the cache of the step took, if that is what happened. */
export function withCacheTime(phases: StepPhases, event: CacheEvent): StepPhases {
  if (event.kind === 'restored') return { ...phases, restoreMs: atLeastOne(event.elapsedMs) };
  if (event.kind === 'saved') return { ...phases, saveMs: atLeastOne(event.elapsedMs) };
  return phases;
}

/** What happened took some time. */
function atLeastOne(ms: number): number {
  return Math.max(1, Math.round(ms));
}

/** The outcome with the phases that took any time. */
export function withPhases(outcome: Outcome, phases: StepPhases): Outcome {
  if (outcome.kind !== 'exited' || !Object.values(phases).some((ms) => ms > 0)) return outcome;
  return { ...outcome, phases };
}
