import { isWanted } from '../../core/artifact.ts';
import type { CacheAccess } from '../../core/cache.ts';
import { isGathered } from '../../core/checkout.ts';
import type { Repository } from '../../core/repository.ts';
import { holderOf, type ReuseOffer } from '../../core/step-reuse.ts';
import type { UnitOfWork } from '../../core/unit-of-work.ts';
import type { OpenWorkflow } from './open-pipelines.ts';
import { reuseInputs } from './reuse-inputs.ts';

/** Older results whose artifacts are still there are not looked for. */
const maxHolders = 500;

/** What a runner is given to find results of a workflow's steps with; `undefined` when none of them may be reused. */
export async function reuseOfferOf(
  {
    repository,
    store,
  }: { readonly repository: Pick<Repository, 'listFolder'>; readonly store: Pick<UnitOfWork, 'read'> },
  { attempt, pipeline, plan }: Pick<OpenWorkflow, 'attempt' | 'pipeline' | 'plan'>,
  access: CacheAccess | undefined,
): Promise<ReuseOffer | undefined> {
  const { projectId, commit, ref } = pipeline.row;
  const wanted = plan.steps.flatMap(({ artifacts, name, reuse, skipped }, position) =>
    reuse && !reuse.off && !skipped ? [{ position, name, artifacts, inputs: reuse.inputs }] : [],
  );
  // Inputs are read in the commit of the event: of what comes from other repositories they say nothing.
  if (!access || wanted.length === 0 || isGathered(plan.clone)) return undefined;
  const found = await Promise.all(
    wanted.map(
      async ({ position, inputs }) =>
        [position, await reuseInputs(repository, { id: projectId, commit, ref }, inputs)] as const,
    ),
  );
  const holders = await Promise.all(
    wanted.map(async ({ position, name, artifacts = [] }) => {
      const left = artifacts.filter((artifact) => isWanted(artifact, true)).map((artifact) => artifact.name);
      if (left.length === 0) return [];
      const found = await store.read.artifacts.holders(projectId, name, left, maxHolders);
      return [[position, found.map(holderOf)] as const];
    }),
  );
  return {
    access,
    ...(attempt > 1 ? { isRerun: true } : {}),
    inputs: Object.fromEntries(found),
    holders: Object.fromEntries(holders.flat()),
  };
}
