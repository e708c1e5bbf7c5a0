import { describe, expect, it } from 'vitest';
import { heldClock } from '../../test/support/server-world.ts';
import { RateLimiter } from './rate-limiter.ts';

describe('RateLimiter', () => {
  it('gives what a bucket holds, says how long the next takes, and refills', () => {
    const clock = heldClock();
    const limiter = new RateLimiter(clock, { capacity: 3, perSecond: 2 });
    expect([1, 2, 3, 4].map(() => limiter.take('a'))).toEqual([0, 0, 0, 500]);
    expect(limiter.take('b')).toBe(0);
    clock.advance(250);
    expect(limiter.take('a')).toBe(250);
    clock.advance(250);
    expect(limiter.take('a')).toBe(0);
    clock.advance(3_600_000);
    expect([1, 2, 3, 4].map(() => limiter.take('a'))).toEqual([0, 0, 0, 500]);
  });

  it('forgets those unused for longest when there are too many', () => {
    const limiter = new RateLimiter(heldClock(), { capacity: 1, perSecond: 1 }, 100);
    for (let i = 0; i < 100; i += 1) limiter.take(`key-${i}`);
    expect(limiter.take('key-0')).toBe(1_000);
    limiter.take('one more');
    expect(limiter.take('key-0')).toBe(1_000);
    expect(limiter.take('key-1')).toBe(0);
  });
});
