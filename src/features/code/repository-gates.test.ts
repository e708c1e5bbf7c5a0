import { describe, expect, it } from 'vitest';
import { RepositoryGates } from './repository-gates.ts';

const never = new AbortController().signal;
const all = ['push', 'fetch'] as const;
/** Polite for ever: what is decided by time is of the tests that ask for it. */
const patient = { giveUpMs: 60_000, politeMs: 60_000, insistMs: 0 };

/** What the next turns of the event loop bring: a promise that is still open then waits for something else. */
async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  let isOver = false;
  void promise.finally(() => {
    isOver = true;
  });
  for (let turn = 0; turn < 3; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  return isOver;
}

describe('RepositoryGates', () => {
  it('lets pushes and fetches pass side by side', async () => {
    const gates = new RepositoryGates(patient);
    const leaves = [await gates.share(1, 'push'), await gates.share(1, 'push'), await gates.share(1, 'fetch')];
    for (const leave of leaves) leave();
  });

  it('waits for those within, lets others pass meanwhile, and is alone then', async () => {
    const gates = new RepositoryGates(patient);
    const log: string[] = [];
    const first = await gates.share(1, 'push');
    const begun = Promise.withResolvers<void>();
    const finished = Promise.withResolvers<void>();
    const work = async (): Promise<void> => {
      begun.resolve();
      await finished.promise;
      log.push('alone');
    };
    const alone = gates.exclude(1, ['push'], work, never);
    const second = await gates.share(1, 'push');
    first();
    expect(await isSettled(alone)).toBe(false);
    second();
    await begun.promise;
    const third = gates.share(1, 'push').then((leave) => {
      log.push('third');
      leave();
    });
    expect(await isSettled(third)).toBe(false);
    finished.resolve();
    expect(await alone).toBe(true);
    await third;
    expect(log).toEqual(['alone', 'third']);
  });

  it('does not wait for a use that the work does no harm to, nor for another repository', async () => {
    const gates = new RepositoryGates(patient);
    const leaves = [await gates.share(1, 'fetch'), await gates.share(2, 'push')];
    const work = async (): Promise<void> => {
      leaves.push(await gates.share(1, 'fetch'));
    };
    expect(await gates.exclude(1, ['push'], work, never)).toBe(true);
    for (const leave of leaves) leave();
  });

  it('gives up for this time when the repository is never free, and holds nobody up afterwards', async () => {
    const gates = new RepositoryGates({ giveUpMs: 20, politeMs: 5, insistMs: 2 });
    const leave = await gates.share(1, 'fetch');
    let isDone = false;
    const work = async (): Promise<void> => {
      isDone = true;
    };
    expect(await gates.exclude(1, all, work, never)).toBe(false);
    expect(isDone).toBe(false);
    (await gates.share(1, 'push'))();
    leave();
    expect(await gates.exclude(1, all, work, never)).toBe(true);
    expect(isDone).toBe(true);
  });

  it('gets its turn although uses follow one another without a gap', async () => {
    const gates = new RepositoryGates({ giveUpMs: 60_000, politeMs: 1, insistMs: 30_000 });
    let isOver = false;
    const inTurns = async (): Promise<void> => {
      let leave = await gates.share(1, 'push');
      while (!isOver) {
        await new Promise((resolve) => setImmediate(resolve));
        const next = gates.share(1, 'push');
        // The next one comes before this one has gone; behind one that insists it has to stay.
        if (!(await isSettled(next))) {
          leave();
          leave = await next;
          continue;
        }
        leave();
        leave = await next;
      }
      leave();
    };
    const using = inTurns();
    expect(await gates.exclude(1, all, async () => {}, never)).toBe(true);
    isOver = true;
    await using;
  });

  it('holds a push up for no longer than it insists when a clone goes on for ever', async () => {
    const gates = new RepositoryGates({ giveUpMs: 60_000, politeMs: 1, insistMs: 5 });
    const stopping = new AbortController();
    await gates.share(1, 'fetch');
    const alone = gates.exclude(1, all, async () => {}, stopping.signal);
    for (let n = 0; n < 20; n += 1) {
      (await gates.share(1, 'push'))();
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    stopping.abort();
    expect(await alone).toBe(false);
  });

  it('opens again when the work fails, and tells the failure', async () => {
    const gates = new RepositoryGates(patient);
    const work = (): Promise<void> => Promise.reject(new Error('the disk is full'));
    await expect(gates.exclude(1, all, work, never)).rejects.toThrow('the disk is full');
    (await gates.share(1, 'push'))();
  });

  it('ends waiting when it is told to stop', async () => {
    const gates = new RepositoryGates(patient);
    const leave = await gates.share(1, 'push');
    const stopping = new AbortController();
    const alone = gates.exclude(1, all, async () => {}, stopping.signal);
    stopping.abort();
    expect(await alone).toBe(false);
    leave();
    expect(await gates.exclude(1, all, async () => {}, AbortSignal.abort())).toBe(false);
  });

  it('leaves it to the one who is at it already', async () => {
    const gates = new RepositoryGates(patient);
    const leave = await gates.share(1, 'push');
    const first = gates.exclude(1, all, async () => {}, never);
    expect(await gates.exclude(1, all, async () => {}, never)).toBe(false);
    leave();
    expect(await first).toBe(true);
  });

  it('ends a use once, however often it is told to', async () => {
    const gates = new RepositoryGates({ giveUpMs: 10, politeMs: 10, insistMs: 1 });
    const leave = await gates.share(1, 'push');
    const other = await gates.share(1, 'push');
    leave();
    leave();
    expect(await gates.exclude(1, all, async () => {}, never)).toBe(false);
    other();
  });
});
