import { type CacheAccess, protectedScope } from '../../core/cache.ts';
import type { Project } from '../../core/project.ts';
import type { UnitOfWork } from '../../core/unit-of-work.ts';
import { isProtectedRef } from '../../engine/protected-refs.ts';
import type { OpenWorkflow } from './open-pipelines.ts';

/** What the steps of a workflow may read and save of caches; `undefined` when none of them has one. */
export async function cacheAccessOf(
  { store }: { readonly store: Pick<UnitOfWork, 'read'> },
  { plan, pipeline }: Pick<OpenWorkflow, 'plan' | 'pipeline'>,
): Promise<CacheAccess | undefined> {
  if (!plan.steps.some(({ cache, skipped }) => cache && !skipped)) return undefined;
  const { projectId, ref, number } = pipeline.row;
  const project = await store.read.projects.find(projectId);
  return project && { projectId, scope: scopeOf(project, ref), pipeline: number };
}

/** A tag may name any commit: only branches can be what everybody in the project trusts. */
function scopeOf({ defaultBranch, protectedRefs }: Project, ref: string): string {
  if (!ref.startsWith('refs/heads/')) return ref;
  return ref === `refs/heads/${defaultBranch}` || isProtectedRef(protectedRefs, ref) ? protectedScope : ref;
}
