import { describe, expect, it } from 'vitest';
import { chooseRuntime, planRuntime, type RuntimePolicy, type RuntimeWish } from './runtime-choice.ts';

const plain: RuntimeWish = { trust: 'trusted', asksForHost: false, forbidsSandbox: false, policy: 'auto' };
const policies: readonly (RuntimePolicy | undefined)[] = ['auto', 'sandbox', 'docker', undefined];

describe('planRuntime', () => {
  it.each([
    ['trusted work, where both may be', plain, ['sandbox', 'docker'], 'trusted'],
    ['trusted work, where the installation says sandbox', { ...plain, policy: 'sandbox' }, ['sandbox'], 'installation'],
    ['trusted work, where the installation says docker', { ...plain, policy: 'docker' }, ['docker'], 'installation'],
    ['a project that forbids the sandbox', { ...plain, forbidsSandbox: true }, ['docker'], 'project'],
    ['work that asks for its host', { ...plain, asksForHost: true }, ['docker'], 'host-rights'],
    ['untrusted work', { ...plain, trust: 'untrusted' }, ['docker'], 'untrusted'],
  ] as const)('gives %s its runtimes, with the reason', (_, wish, allowed, reason) => {
    expect(planRuntime(wish)).toMatchObject({ allowed, reason });
  });

  it('never lets untrusted work, or work with rights on its host, into the sandbox, whatever else is said', () => {
    for (const policy of policies)
      for (const forbidsSandbox of [false, true])
        for (const asksForHost of [false, true]) {
          expect(planRuntime({ trust: 'untrusted', asksForHost, forbidsSandbox, policy })).toEqual({
            allowed: ['docker'],
            reason: 'untrusted',
            isStrict: true,
          });
          const plan = planRuntime({ trust: 'trusted', asksForHost: true, forbidsSandbox, policy });
          expect(plan?.allowed).toEqual(['docker']);
          expect(plan?.isStrict).toBeUndefined();
        }
  });

  it('says nothing where nobody has: whatever its runner has will do', () => {
    expect(planRuntime({ ...plain, policy: undefined })).toBeUndefined();
  });
});

describe('chooseRuntime', () => {
  it('takes the first that is allowed and offered, and tells when it is not the preferred one', () => {
    const both = planRuntime(plain);
    expect(chooseRuntime(both, ['docker', 'sandbox'])).toEqual({ runtime: 'sandbox', reason: 'trusted' });
    expect(chooseRuntime(both, ['docker'])).toEqual({ runtime: 'docker', reason: 'no-sandbox' });
  });

  it('finds none rather than one that is not allowed', () => {
    const untrusted = planRuntime({ ...plain, trust: 'untrusted' });
    expect(chooseRuntime(untrusted, ['sandbox'])).toBeUndefined();
    expect(chooseRuntime(untrusted, [])).toBeUndefined();
    expect(chooseRuntime(planRuntime({ ...plain, policy: 'sandbox' }), ['docker'])).toBeUndefined();
  });

  it('takes what there is for a plan of an earlier version, which names none', () => {
    expect(chooseRuntime(undefined, ['docker'])).toEqual({ runtime: 'docker', reason: 'installation' });
  });
});
