import { describe, expect, it } from 'vitest';
import { formatStepAddress, parseStepAddress, type StepAddress } from './step-address.ts';

describe('a step’s address', () => {
  it.each<[string, StepAddress]>([
    ['#unit', { step: 'unit' }],
    ['#unit:L12', { step: 'unit', lines: [12, 12] }],
    ['#build/unit@2:L10-L20', { workflow: 'build', step: 'unit', attempt: 2, lines: [10, 20] }],
    ['#unit%20tests%2Fall', { step: 'unit tests/all' }],
    ['#%E5%8D%95%E5%85%83:L1', { step: '单元', lines: [1, 1] }],
  ])('%s is read and written', (hash, address) => {
    expect(parseStepAddress(hash)).toEqual(address);
    expect(formatStepAddress(address)).toBe(hash);
  });

  it('takes a range in either order', () => {
    expect(parseStepAddress('#unit:L20-L10')?.lines).toEqual([10, 20]);
  });

  it.each(['', '#', '#a:b:c', '#%', '#a/b/c', '#a:L99999999999'])('refuses %s', (hash) => {
    expect(parseStepAddress(hash)).toBeUndefined();
  });
});
