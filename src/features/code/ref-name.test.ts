import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { fc } from '../../../test/support/properties.ts';
import { eventKindOf, isValidBranchName, refNameProblem } from './ref-name.ts';

function gitTakes(ref: string): boolean {
  try {
    execFileSync('git', ['check-ref-format', ref], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

describe('refNameProblem', () => {
  it.each([
    'refs/heads/main',
    'refs/heads/feature/ünïcode-功能',
    'refs/tags/v1.0.0',
    'refs/notes/commits',
    'refs/heads/a@b',
    'refs/heads/a{b',
  ])('takes %s', (ref) => {
    expect(refNameProblem(ref)).toBeUndefined();
  });

  it('takes nothing that git would refuse', () => {
    const part = fc.stringMatching(/^[a-z.@{}\-/~^:?*[\\ \x7f\x01]{1,8}(\.lock)?$/);
    fc.assert(
      fc.property(part, (name) => {
        const ref = `refs/heads/${name}`;
        if (refNameProblem(ref) === undefined) expect(gitTakes(ref), ref).toBe(true);
      }),
      { numRuns: 300 },
    );
  });

  it('says that references of Gantry itself are kept', () => {
    expect(refNameProblem('refs/gantry/pipelines/1')).toMatch(/kept by Gantry/);
  });
});

describe('isValidBranchName', () => {
  it.each(['-h', '--exec=x', 'HEAD', '', 'a..b', 'a b', '/a', 'a/', 'a.lock', '@', 'a\nb', '\u0000'])(
    'refuses %j',
    (name) => {
      expect(isValidBranchName(name)).toBe(false);
    },
  );
});

describe('eventKindOf', () => {
  it('makes events of branches and tags alone', () => {
    expect(['refs/heads/main', 'refs/tags/v1', 'refs/notes/commits'].map(eventKindOf)).toEqual([
      'push',
      'tag',
      undefined,
    ]);
  });
});
