import { describe, expect, it } from 'vitest';
import { readableScopes } from '../core/cache.ts';
import { cacheScopeOf } from './cache-scope.ts';

const project = { defaultBranch: 'main', protectedRefs: ['release', 'stable/*', 'refs/tags/v*'] };
const scope = (ref: string, isUntrusted = false): string => cacheScopeOf(project, { ref, isUntrusted });

describe('the scope of a pipeline for caches and results', () => {
  it('is that of all only for the default branch and branches that are protected by their name', () => {
    expect(['refs/heads/main', 'refs/heads/release'].map((ref) => scope(ref))).toEqual(['protected', 'protected']);
    for (const ref of ['refs/heads/stable/1', 'refs/heads/other', 'refs/tags/v1', 'refs/pull/1/head'])
      expect(scope(ref)).toBe(ref);
  });

  it('of untrusted work is read by nothing that is trusted, and never that of all, whatever its reference', () => {
    for (const ref of ['refs/heads/main', 'refs/heads/other', 'refs/pull/1/head', 'refs/tags/v1']) {
      const untrusted = scope(ref, true);
      const trusted = [scope(ref), scope('refs/heads/main'), scope('refs/heads/other')];
      expect(trusted.flatMap((each) => readableScopes({ scope: each }))).not.toContain(untrusted);
    }
  });
});
