/** The tags that "auto_tag" gives to an image, or why there are none. */
export type AutoTags =
  | { readonly kind: 'tags'; readonly tags: readonly string[] }
  /** Only the default branch and tags are built: nothing to do, and no fault. */
  | { readonly kind: 'not-built' }
  | { readonly kind: 'no-version'; readonly tag: string };

/**
 * What image-building plugins do with `auto_tag`: `latest` for the default branch, and for a tag `v1.2.3` the versions
 * `1`, `1.2` and `1.2.3`; below 1.0 no `0`, and of a pre-release nothing but itself. Zeros before a number stay.
 */
export function autoTags(ref: string, defaultBranch: string, suffix: string): AutoTags {
  const tag = /^refs\/tags\/(.+)$/.exec(ref)?.[1];
  if (tag === undefined) {
    if (ref !== `refs/heads/${defaultBranch}`) return { kind: 'not-built' };
    return { kind: 'tags', tags: [suffix === '' ? 'latest' : suffix] };
  }
  const version = tag.replace(/^v/, '');
  const found = /^(\d+)\.(\d+)\.(\d+)(?:-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?$/.exec(version);
  if (!found) return { kind: 'no-version', tag };
  const [, major = '', minor = '', patch = ''] = found;
  const isPlain = /^[\d.]+$/.test(version);
  const versions = !isPlain
    ? [version]
    : Number(major) === 0
      ? [`${major}.${minor}`, `${major}.${minor}.${patch}`]
      : [major, `${major}.${minor}`, `${major}.${minor}.${patch}`];
  return { kind: 'tags', tags: suffix === '' ? versions : versions.map((each) => `${each}-${suffix}`) };
}
