import { type CacheAccess, protectedScope } from '../../core/cache.ts';
import type { StepPlan } from '../../core/plan.ts';
import type { Project } from '../../core/project.ts';
import type { UnitOfWork } from '../../core/unit-of-work.ts';
import { isProtectedByName } from '../../engine/protected-refs.ts';
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
  return (
    project && {
      projectId,
      scope: scopeOf(project, ref),
      pipeline: number,
      ...(trust === 'untrusted' ? { isAlone: true } : {}),
    }
  );
}

/**
 * Only branches can be what everybody in the project trusts, since a tag may name any commit; and of those only the ones
 * that somebody chose by name: a branch under a protected pattern is made by whoever may push.
 */
function scopeOf({ defaultBranch, protectedRefs }: Project, ref: string): string {
  if (!ref.startsWith('refs/heads/')) return ref;
  return ref === `refs/heads/${defaultBranch}` || isProtectedByName(protectedRefs, ref) ? protectedScope : ref;
}
