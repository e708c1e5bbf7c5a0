import type { CacheAccess } from '../../core/cache.ts';
import type { CheckoutSource } from '../../core/checkout.ts';
import type { RegistryCredentials } from '../../core/image.ts';
import type { Repository } from '../../core/repository.ts';
import type { RuntimeName } from '../../core/runtime-choice.ts';
import type { ReuseOffer } from '../../core/step-reuse.ts';
import type { Assignment } from '../../engine/runner-protocol.ts';
import type { OpenPipeline, OpenWorkflow } from './open-pipelines.ts';

/** Where the repositories of projects are, for runners and for what their checkouts say. */
export interface AssignedRepository {
  readonly repository: Pick<Repository, 'folder'>;
  readonly publicUrl: () => string;
}

/** The project's own repository at the commit of the pipeline. */
export function repositoryOf(
  { row, slug }: OpenPipeline,
  { repository, publicUrl }: AssignedRepository,
): CheckoutSource {
  return {
    folder: repository.folder(row.projectId),
    remoteUrl: `${publicUrl()}/${slug}.git`,
    commit: row.commit,
    ref: row.ref,
    ...(row.ref.startsWith('refs/heads/') ? { branch: row.branch } : {}),
  };
}

/** What a runner is given with a workflow. */
export function assignmentOf(
  { pipeline, plan, steps }: OpenWorkflow,
  deps: AssignedRepository & { readonly config: { readonly logLimitBytes: number } },
  registries: readonly RegistryCredentials[],
  caches: CacheAccess | undefined,
  reuse: ReuseOffer | undefined,
  runtime: RuntimeName | undefined,
): Assignment {
  const { row, slug } = pipeline;
  return {
    plan,
    stepIds: steps.map(({ id }) => id),
    projectSlug: slug,
    pipelineNumber: row.number,
    repository: repositoryOf(pipeline, deps),
    logLimitBytes: deps.config.logLimitBytes,
    ...(runtime === undefined ? {} : { runtime }),
    ...(caches ? { caches } : {}),
    ...(reuse ? { reuse } : {}),
    ...(registries.length === 0 ? {} : { registries }),
  };
}
