import { describe, expect, it } from 'vitest';
import { compareDebianVersions } from './debian-version.ts';

describe('compareDebianVersions', () => {
  // Each is older than the next (Debian policy 5.6.12).
  const ordered = [
    ['1.0~rc1', '1.0'],
    ['1.0', '1.0-1'],
    ['1.0-1', '1.0-1+deb12u1'],
    ['1.0-1+deb12u2', '1.0-1+deb12u10'],
    ['9.9', '1:0.1'],
    ['1.2.9', '1.2.10'],
    ['1.0a', '1.0+b'],
    ['2.0~~', '2.0~'],
    ['1.35.0-4+b1', '1.35.0-4+deb12u1+b1'],
  ] as const;

  it.each(ordered)('sorts %s before %s', (older, newer) => {
    expect(compareDebianVersions(older, newer)).toBeLessThan(0);
    expect(compareDebianVersions(newer, older)).toBeGreaterThan(0);
  });

  it('takes equal versions as equal', () => {
    expect(compareDebianVersions('1:2.3-4', '1:2.3-4')).toBe(0);
  });
});
