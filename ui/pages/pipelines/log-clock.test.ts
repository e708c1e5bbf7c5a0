import { describe, expect, it } from 'vitest';
import { formatSinceStart } from './log-clock.ts';

describe('formatSinceStart', () => {
  it.each([
    [0, '0:00.0'],
    [99.9, '0:00.0'],
    [7_350, '0:07.3'],
    [59_999, '0:59.9'],
    [62_000, '1:02.0'],
    [3_600_000, '1:00:00.0'],
    [-5, '0:00.0'],
  ])('writes %d ms as %s', (ms, text) => {
    expect(formatSinceStart(ms)).toBe(text);
  });
});
