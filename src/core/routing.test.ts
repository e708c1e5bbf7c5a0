import { describe, expect, it } from 'vitest';
import { unmetRouting } from './routing.ts';

const runner = {
  known: { platform: 'linux/amd64', os: 'linux', hostname: 'crane', repo: '*' },
  own: { gpu: 'yes', zone: '*' },
};

describe('unmetRouting', () => {
  it.each([
    ['nothing asked for', {}, []],
    ['its platform', { platform: 'linux/amd64' }, []],
    ['another platform', { platform: 'windows/amd64' }, ['platform=windows/amd64']],
    ['a label that it was given', { labels: { gpu: 'yes' } }, []],
    ['a label with another value', { labels: { gpu: 'no' } }, ['gpu=no']],
    ['a label that it has by itself', { labels: { hostname: 'crane', platform: 'linux/amd64' } }, []],
    ['a label whose value may be any', { labels: { zone: 'eu', repo: 'shop/web' } }, []],
    ['a label that it lacks', { labels: { gpu: 'yes', big: '1' } }, ['big=1']],
    ['several', { platform: 'linux/arm64', labels: { big: '1' } }, ['platform=linux/arm64', 'big=1']],
  ])('tells what a runner lacks: %s', (_, routing, unmet) => {
    expect(unmetRouting(routing, runner)).toEqual(unmet);
  });

  it('wants all labels of a runner, and no others, where they are to be exact', () => {
    const own = { gpu: 'yes', zone: 'eu' };
    const unmet = (labels: Record<string, string>): readonly string[] =>
      unmetRouting({ labels, isExact: true }, { known: runner.known, own });
    expect(unmet({ zone: 'eu', gpu: 'yes' })).toEqual([]);
    expect(unmet({ gpu: 'yes' })).toEqual(['gpu=yes']);
    expect(unmet({ gpu: 'yes', zone: 'eu', more: '1' })).toEqual(['gpu=yes', 'zone=eu', 'more=1']);
  });

  it('takes the variant that every arm64 machine has for no variant', () => {
    const arm = { known: { platform: 'linux/arm64' }, own: {} };
    expect(unmetRouting({ platform: 'linux/arm64/v8' }, arm)).toEqual([]);
    expect(unmetRouting({ platform: 'linux/arm/v7' }, arm)).toEqual(['platform=linux/arm/v7']);
  });
});
