import { type CacheScope, protectedScope } from '../core/cache.ts';
import { isProtectedByName } from './protected-refs.ts';

/**
 * Where a pipeline saves caches and results. Only branches can be what everybody in the project trusts, since a tag may
 * name any commit; and of those only the ones that somebody chose by name: a branch under a protected pattern is made by
 * whoever may push. Untrusted work has a scope of its own on each reference: who wrote a pull request may gain or lose the
 * right to write to the project, and neither may find what the other left.
 */
export function cacheScopeOf(
  project: { readonly defaultBranch: string; readonly protectedRefs: readonly string[] },
  pipeline: { readonly ref: string; readonly isUntrusted: boolean },
): CacheScope {
  const { ref, isUntrusted } = pipeline;
  // No reference has a space in it (git-check-ref-format).
  if (isUntrusted) return `${ref} untrusted`;
  if (!ref.startsWith('refs/heads/')) return ref;
  const isTrustedByAll = ref === `refs/heads/${project.defaultBranch}` || isProtectedByName(project.protectedRefs, ref);
  return isTrustedByAll ? protectedScope : ref;
}
