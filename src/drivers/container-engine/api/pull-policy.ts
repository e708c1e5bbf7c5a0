import type { RegistryCredentials } from '../../../core/image.ts';
import type { PullPolicy } from '../../../core/plan.ts';

/**
 * What `default` means for a name: a digest or a version-like tag stays what it was, so what the engine has is good;
 * `latest`, no tag and branch-like tags move, so they are asked for every time.
 */
export function pullRule(reference: string, policy: PullPolicy): Exclude<PullPolicy, 'default'> {
  if (policy !== 'default') return policy;
  if (reference.includes('@')) return 'if-not-present';
  const tag = /:([^/:]+)$/.exec(reference)?.[1];
  return tag !== undefined && /\d/.test(tag) && tag !== 'latest' ? 'if-not-present' : 'always';
}

/** A name with its registry: `node:24` is one of the default registry's. */
export function withRegistry(reference: string, defaultRegistry: string | undefined): string {
  const slash = reference.indexOf('/');
  const first = slash < 0 ? '' : reference.slice(0, slash);
  if (/[.:]/.test(first) || first === 'localhost') return reference;
  const path = slash < 0 ? `library/${reference}` : reference;
  return `${defaultRegistry ?? 'docker.io'}/${path}`;
}

/** The login whose registry and path match the longest part of a full name. */
export function findCredentials(
  fullName: string,
  credentials: readonly RegistryCredentials[],
): RegistryCredentials | undefined {
  return credentials
    .filter(({ registry }) => {
      const place = registry.replace(/^https?:\/\//, '').replace(/\/$/, '');
      return fullName === place || fullName.startsWith(`${place}/`);
    })
    .toSorted((left, right) => right.registry.length - left.registry.length)[0];
}
