import { describe, expect, it } from 'vitest';
import { dependencyClosure, readPackageIndex } from './package-index.ts';

const suite = `Package: app
Version: 1.0
Architecture: amd64
Pre-Depends: libc6 (>= 2.36)
Depends: awk, perl:any | python3, default-mta | mail-transport-agent

Package: libc6
Version: 2.36-9
Architecture: amd64

Package: libc6
Version: 2.36-9+deb12u10
Architecture: amd64

Package: mawk
Version: 1.3
Architecture: amd64
Provides: awk

Package: perl
Version: 5.36
Architecture: amd64

Package: postfix
Version: 3
Architecture: amd64
Provides: mail-transport-agent

Package: foreign
Version: 1
Architecture: s390x
`;

describe('readPackageIndex', () => {
  const index = readPackageIndex(suite, 'amd64');

  it('keeps the newest of several versions, and no foreign architecture', () => {
    expect(index.packages.get('libc6')?.version).toBe('2.36-9+deb12u10');
    expect(index.packages.has('foreign')).toBe(false);
  });
});

describe('dependencyClosure', () => {
  const index = readPackageIndex(suite, 'amd64');
  const names = (roots: string[], skip: string[] = []): string[] =>
    dependencyClosure(index, roots, new Set([...skip, 'default-mta'])).map(({ name }) => name);

  it('follows Pre-Depends, alternatives and providers', () => {
    expect(names(['app'])).toEqual(['app', 'libc6', 'mawk', 'perl']);
  });

  it('takes a group as satisfied when one of it is skipped', () => {
    expect(names(['app'], ['python3'])).toEqual(['app', 'libc6', 'mawk']);
  });

  it('names a package that the suite does not have', () => {
    expect(() => names(['nothing-like-it'])).toThrow(
      'the suite has no package "nothing-like-it" (needed by the recipe)',
    );
  });
});
