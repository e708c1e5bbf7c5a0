import type { PullPolicy } from '../../../core/plan.ts';

/**
 * What `default` means for a name: a digest or a version-like tag stays what it was, so what is here is good;
 * `latest`, no tag and branch-like tags move, so they are asked for every time.
 */
export function effectivePolicy(reference: string, policy: PullPolicy): Exclude<PullPolicy, 'default'> {
  if (policy !== 'default') return policy;
  if (reference.includes('@')) return 'if-not-present';
  const tag = /:([^/:]+)$/.exec(reference)?.[1];
  return tag !== undefined && /\d/.test(tag) && tag !== 'latest' ? 'if-not-present' : 'always';
}
