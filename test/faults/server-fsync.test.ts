import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { GantryProcess } from '../support/gantry-process.ts';
import { dataIsWhole, everyLogIsWhole, everyPushHasOnePipeline } from '../support/nothing-lost.ts';

const file = `kind: pipeline
name: default
steps:
  - {name: build, image: base/busybox, commands: [echo built]}
  - {name: test, image: base/busybox, commands: [echo tested]}
`;

/**
 * Counts are per thread: the first ones are hit by the database's own thread and by the pool that syncs logs and
 * folders. They run until none is left that a push and its pipeline reach.
 */
const furthest = 40;

function findHindrance(): string | undefined {
  try {
    execFileSync('strace', ['-qq', '-o', '/dev/null', '-e', 'trace=fsync', 'true'], { stdio: 'pipe' });
    return undefined;
  } catch (error) {
    return `strace cannot trace here: ${error instanceof Error ? error.message.split('\n')[0] : String(error)}`;
  }
}

const hindrance = findHindrance();

describe.skipIf(hindrance)(
  hindrance
    ? `a server that is killed at a sync of a file (not here: ${hindrance})`
    : 'a server that is killed at a sync of a file',
  () => {
    let gantry: GantryProcess;
    let strace: ChildProcess | undefined;
    afterEach(() => void strace?.kill('SIGKILL'));
    afterAll(() => gantry?.dispose());

    it('loses nothing at any of them, and no push runs twice', async () => {
      gantry = await GantryProcess.start();
      await gantry.createProject('shop');
      const acknowledged: string[] = [];
      const push = async (count: string): Promise<void> => {
        const commit = await gantry.push('shop', { '.gantry.yml': file, count }).catch(() => undefined);
        if (commit) acknowledged.push(commit);
      };
      let killed = 0;
      for (let n = 1; n <= furthest; n += n < 12 ? 1 : 4) {
        strace = await killAtSync(gantry.serverPid, n);
        const before = acknowledged.length;
        await push(`${n}`);
        const fired = await Promise.race([
          gantry.serverEnded().then(() => true),
          // Beyond the last sync of the whole way nothing fires.
          untilPassed(acknowledged.length > before).then(() => false),
        ]);
        if (!fired) break;
        killed += 1;
        expect(gantry.lastExit.signal).toBe('SIGKILL');
        await gantry.startServer();
        await everyPushHasOnePipeline(gantry, 'shop', acknowledged);
      }
      expect(killed).toBeGreaterThan(6);
      strace?.kill('SIGKILL');
      await gantry.signalServer('SIGKILL');
      await gantry.startServer();
      await push('last');
      const items = await everyPushHasOnePipeline(gantry, 'shop', acknowledged);
      expect(new Set(items.map(({ status }) => status))).toEqual(new Set(['passed']));
      await everyLogIsWhole(gantry, 'shop');
      await gantry.signalServer('SIGTERM');
      await dataIsWhole(gantry);

      async function untilPassed(isPushed: boolean): Promise<void> {
        if (isPushed) await everyPushHasOnePipeline(gantry, 'shop', acknowledged).catch(() => undefined);
        await sleep(1_000);
      }
    });
  },
);

/** Resolves when strace holds every thread of the process. Children that become other programs are let go of. */
async function killAtSync(pid: number, n: number): Promise<ChildProcess> {
  const syncs = 'fsync,fdatasync';
  const child = spawn(
    'strace',
    ['-f', '-b', 'execve', '-o', '/dev/null', '-p', String(pid)].concat(
      ['-e', `trace=${syncs}`],
      ['-e', `inject=${syncs}:signal=KILL:when=${n}`],
    ),
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  await once(createInterface({ input: child.stderr! }), 'line');
  return child;
}
