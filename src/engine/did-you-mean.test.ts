import { describe, expect, it } from 'vitest';
import { didYouMean } from './did-you-mean.ts';

const known = ['name', 'image', 'commands', 'command', 'depends_on', 'environment', 'when', 'timeout'];

describe('didYouMean', () => {
  it.each([
    ['comands', 'commands'],
    ['Commands', 'commands'],
    ['dependsOn', 'depends_on'],
    ['depends-on', 'depends_on'],
    ['enviroment', 'environment'],
    ['iamge', 'image'],
    ['whne', 'when'],
    ['timout', 'timeout'],
  ])('finds what "%s" is a slip of', (written, meant) => {
    expect(didYouMean(written, known)).toBe(meant);
  });

  it.each(['x', 'stages', 'artifacts', '', 'x'.repeat(10_000)])('says nothing of "%s"', (written) => {
    expect(didYouMean(written, known)).toBeUndefined();
  });
});
