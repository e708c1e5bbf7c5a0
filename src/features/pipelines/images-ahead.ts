import { isFinished } from '../../core/pipeline.ts';
import type { StepPlan } from '../../core/plan.ts';
import type { WishedImage } from '../../engine/runner-protocol.ts';
import type { OpenWorkflow } from './open-pipelines.ts';

/** More than that are left to their steps. */
const maxImages = 64;

/**
 * Images that a workflow will need and that are worth fetching while it waits: each once, and not those of steps that
 * may be reused, which need none then.
 */
export function imagesAhead({ plan, steps }: Pick<OpenWorkflow, 'plan' | 'steps'>): readonly WishedImage[] {
  const found = new Map<string, WishedImage>();
  plan.steps.forEach((step, position) => {
    if (!isFetchable(step) || isFinished(steps[position]?.status ?? 'waiting')) return;
    const { image, pull } = step;
    if (found.size < maxImages) found.set(`${pull} ${image}`, { image, pull });
  });
  return [...found.values()];
}

function isFetchable({ image, kind, pull, reuse, runOn, skipped }: StepPlan): boolean {
  const runsInImage = kind === 'commands' || kind === 'image';
  return runsInImage && image !== '' && pull !== 'never' && !skipped && runOn.success && !(reuse && !reuse.off);
}
