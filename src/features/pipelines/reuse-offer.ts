import type { CacheAccess } from '../../core/cache.ts';
import type { Repository } from '../../core/repository.ts';
import type { ReuseOffer } from '../../core/step-reuse.ts';
import type { OpenWorkflow } from './open-pipelines.ts';
import { reuseInputs } from './reuse-inputs.ts';

/** What a runner is given to find results of a workflow's steps with; `undefined` when none of them may be reused. */
export async function reuseOfferOf(
  { repository }: { readonly repository: Pick<Repository, 'listFolder'> },
  { attempt, pipeline, plan }: Pick<OpenWorkflow, 'attempt' | 'pipeline' | 'plan'>,
  access: CacheAccess | undefined,
): Promise<ReuseOffer | undefined> {
  const { projectId, commit, ref } = pipeline.row;
  const wanted = plan.steps.flatMap(({ reuse, skipped }, position) =>
    reuse && !reuse.off && !skipped ? [{ position, inputs: reuse.inputs }] : [],
  );
  if (!access || wanted.length === 0) return undefined;
  const found = await Promise.all(
    wanted.map(
      async ({ position, inputs }) =>
        [position, await reuseInputs(repository, { id: projectId, commit, ref }, inputs)] as const,
    ),
  );
  return { access, ...(attempt > 1 ? { isRerun: true } : {}), inputs: Object.fromEntries(found) };
}
