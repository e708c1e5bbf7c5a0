import { afterEach, describe, expect, it } from 'vitest';
import { armFailpoints, failpoint } from './failpoint.ts';

afterEach(() => armFailpoints(undefined));

describe('failpoint', () => {
  it('does nothing where nobody armed it', () => {
    expect(failpoint('claim.afterCommit')).toBeUndefined();
  });

  it('throws on the call that was named, and on no other', async () => {
    armFailpoints('claim.afterCommit=throw@2');
    await failpoint('claim.afterCommit');
    await failpoint('start.afterCommit');
    expect(() => failpoint('claim.afterCommit')).toThrow('Failpoint claim.afterCommit');
    await failpoint('claim.afterCommit');
  });

  it('holds its caller for a while, or for ever', async () => {
    armFailpoints('a.b=delay:1;c.d=hang');
    await failpoint('a.b');
    const held = failpoint('c.d');
    expect(await Promise.race([held?.then(() => 'went on'), Promise.resolve('held')])).toBe('held');
  });

  it('refuses what it cannot read', () => {
    expect(() => armFailpoints('claim.afterCommit=explode')).toThrow(
      'Cannot arm failpoint "claim.afterCommit=explode": write name=kill|throw|hang|delay:<ms>[@n]',
    );
  });
});
