import type { Outcome } from '../../core/pipeline.ts';
import type { MaskSet } from './masker.ts';

/** How a step ended, with every free text of it masked: what went wrong, and names of images, which may be secrets too. */
export function maskOutcome(outcome: Outcome, masks: MaskSet): Outcome {
  if ('message' in outcome) return { ...outcome, message: masks.maskText(outcome.message) };
  if (outcome.kind !== 'exited' || !outcome.pushed) return outcome;
  const pushed = outcome.pushed.map(({ name, digest }) => ({ name: masks.maskText(name), digest }));
  return { ...outcome, pushed };
}
