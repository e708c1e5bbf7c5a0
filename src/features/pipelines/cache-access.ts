import type { CacheAccess } from '../../core/cache.ts';
import type { StepPlan } from '../../core/plan.ts';
import type { UnitOfWork } from '../../core/unit-of-work.ts';
import { cacheScopeOf } from '../../engine/cache-scope.ts';
import type { OpenWorkflow } from './open-pipelines.ts';

/** What the steps of a workflow may read and save of caches and results; `undefined` when none of them has either. */
export async function cacheAccessOf(
  { store }: { readonly store: Pick<UnitOfWork, 'read'> },
  { plan, pipeline }: Pick<OpenWorkflow, 'plan' | 'pipeline'>,
): Promise<CacheAccess | undefined> {
  const isConcerned = ({ cache, reuse, skipped }: StepPlan): boolean =>
    !skipped && (cache !== undefined || (reuse !== undefined && reuse.off === undefined));
  if (!plan.steps.some(isConcerned)) return undefined;
  const { projectId, ref, number, trust } = pipeline.row;
  const project = await store.read.projects.find(projectId);
  const isUntrusted = trust === 'untrusted';
  return (
    project && {
      projectId,
      scope: cacheScopeOf(project, { ref, isUntrusted }),
      pipeline: number,
      ...(isUntrusted ? { isAlone: true } : {}),
    }
  );
}
