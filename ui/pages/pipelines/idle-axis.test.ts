import { describe, expect, it } from 'vitest';
import { idleAxis } from './idle-axis.ts';

const day = 86_400_000;

describe('idleAxis', () => {
  it('is time itself where something is always under way, short pauses included', () => {
    const { place, cuts } = idleAxis([
      { from: 200, to: 5_000 },
      { from: 5_900, to: 9_000 },
      { from: 1_000, to: 2_000 },
    ]);
    expect([place(0), place(2_500), place(9_000), cuts]).toEqual([0, 2_500, 9_000, []]);
  });

  it('leaves out a day before an approval and one before a rerun', () => {
    const { place, cuts } = idleAxis([
      { from: 2 * day, to: 2 * day + 500 },
      { from: day, to: day + 4_000 },
      { from: day + 1_000, to: day + 6_000 },
    ]);
    expect([day, day + 4_000, day + 6_000, 2 * day, 2 * day + 500].map(place)).toEqual([0, 4_000, 6_000, 6_000, 6_500]);
    expect(cuts).toEqual([0, 6_000]);
    // A moment in between lies at the cut.
    expect(place(day + 100_000)).toBe(6_000);
  });

  it('of nothing has nothing to leave out', () => {
    expect(idleAxis([]).cuts).toEqual([]);
  });
});
