import type { CacheAccess } from '../../core/cache.ts';
import type { RegistryCredentials } from '../../core/image.ts';
import type { Repository } from '../../core/repository.ts';
import type { RuntimeName } from '../../core/runtime-choice.ts';
import type { ReuseOffer } from '../../core/step-reuse.ts';
import type { Assignment } from '../../engine/runner-protocol.ts';
import type { OpenWorkflow } from './open-pipelines.ts';

/** What a runner is given with a workflow. */
export function assignmentOf(
  { pipeline, plan, steps }: OpenWorkflow,
  deps: {
    readonly repository: Pick<Repository, 'folder'>;
    readonly publicUrl: () => string;
    readonly config: { readonly logLimitBytes: number };
  },
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
    repository: {
      folder: deps.repository.folder(row.projectId),
      remoteUrl: `${deps.publicUrl()}/${slug}.git`,
      commit: row.commit,
      ref: row.ref,
      ...(row.ref.startsWith('refs/heads/') ? { branch: row.branch } : {}),
    },
    logLimitBytes: deps.config.logLimitBytes,
    ...(runtime === undefined ? {} : { runtime }),
    ...(caches ? { caches } : {}),
    ...(reuse ? { reuse } : {}),
    ...(registries.length === 0 ? {} : { registries }),
  };
}
