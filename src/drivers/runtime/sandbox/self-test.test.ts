import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { findSandboxHindrance } from '../../../../test/support/sandbox-world.ts';
import { silentLogger } from '../../../lib/logger.ts';
import { BackgroundRemoval } from '../caches/background-removal.ts';
import { readPerl } from '../caches/host-programs.ts';
import { HolderPool } from './holder-pool.ts';
import { readHostSystem } from './host-system.ts';
import { type BubblewrapLaunch, bubblewrapLaunch } from './launcher-bubblewrap.ts';
import { NamespaceHolder } from './namespace-holder.ts';
import { assembleSeccompFilter } from './seccomp-assembler.ts';
import { findSandboxHoles } from './self-test.ts';
import { Skeletons } from './skeleton.ts';
import { findArchitecture } from './system-calls.ts';

describe.skipIf(findSandboxHindrance('bubblewrap'))('findSandboxHoles', () => {
  const cleanUps: (() => void | Promise<void>)[] = [];
  afterEach(async () => {
    for (const cleanUp of cleanUps.splice(0).toReversed()) await cleanUp();
  });

  /** A host whose bubblewrap is started as `weaken` leaves it. */
  const holesOf = async (
    weaken: (launch: BubblewrapLaunch) => BubblewrapLaunch,
    filter: Buffer | 'everything is allowed' = assembleSeccompFilter(findArchitecture()!),
    times = 1,
  ): Promise<readonly string[]> => {
    const folder = mkdtempSync(join(tmpdir(), 'gantry-self-test-'));
    cleanUps.push(() => rmSync(folder, { recursive: true, force: true }));
    const runFolder = join(folder, 'run');
    mkdirSync(runFolder);
    // One instruction: return SECCOMP_RET_ALLOW.
    const program = filter === 'everything is allowed' ? Buffer.from('060000000000ff7f', 'hex') : filter;
    const seccompPath = join(folder, 'filter');
    writeFileSync(seccompPath, program);
    const perl = await readPerl('/usr/bin/perl');
    let sequence = 0;
    const pool = new HolderPool({
      size: 0,
      logger: silentLogger,
      make: () => {
        sequence += 1;
        return NamespaceHolder.start({ name: `h${sequence}`, runFolder, perl: perl.path, isRootless: false });
      },
    });
    cleanUps.push(() => pool.close());
    const removal = new BackgroundRemoval({ folder, rm: '/usr/bin/rm', logger: silentLogger });
    cleanUps.push(() => removal.idle());
    const system = readHostSystem();
    const skeletons = new Skeletons(join(folder, 'skeletons'), perl);
    let holes: readonly string[] = [];
    for (let time = 0; time < times; time += 1) {
      holes = await findSandboxHoles({
        host: {
          architecture: findArchitecture()!,
          isRootless: false,
          du: '/usr/bin/du',
          cgroups: undefined,
          removal,
          caBundle: undefined,
          launcher: (view) => ({
            ...weaken(bubblewrapLaunch('/usr/bin/bwrap', view)),
            seccompPath,
            hasOwnPids: false,
            visibleCgroups: [],
          }),
        },
        launcher: 'bubblewrap',
        launcherProgram: '/usr/bin/bwrap',
        pool,
        system,
        skeleton: () => skeletons.provide({ workspace: '/work', resolvConf: '', hasCaBundle: false, system }),
        folder: join(folder, 'attempt'),
        cacheFolder: folder,
        bootId: 'boot',
        gateway: undefined,
        filter: program,
      });
    }
    if (times > 1) expect(readFileSync(join(folder, 'self-test-bubblewrap.json'), 'utf8')).toContain('"holes":[]');
    return holes;
  };

  it('finds none in the sandbox as it is, and remembers that', async () => {
    expect(await holesOf((launch) => launch, undefined, 2)).toEqual([]);
  });

  it('finds a writable /proc/sys when its cover is left out', async () => {
    const holes = await holesOf((launch) => {
      const { options } = launch;
      const at = options.findIndex((word, index) => word === '--ro-bind' && options[index + 1] === '/proc/sys');
      expect(at).toBeGreaterThan(0);
      return { ...launch, options: options.toSpliced(at, 3) };
    });
    expect(holes).toContain('/proc/sys/kernel/core_pattern can be opened for writing');
  });

  it('finds what a missing filter lets through', async () => {
    const holes = await holesOf((launch) => launch, 'everything is allowed');
    expect(holes).toContain('a user namespace can be made');
    expect(holes).toContain('ptrace works');
    expect(holes).toContain('TIOCSTI is not refused by the filter');
  });

  it('finds the processes of the host when the process namespace is shared', async () => {
    const holes = await holesOf((launch) => ({
      ...launch,
      options: launch.options.filter((word) => !['--unshare-pid', '--as-pid-1'].includes(word)),
    }));
    expect(holes).toContain('processes outside of the sandbox are visible');
  });

  it('takes a test that did not come to its end for a hole', async () => {
    const holes = await holesOf((launch) => {
      const binds = launch.furniture.binds.filter(({ target }) => target !== '/usr');
      expect(binds.length).toBe(launch.furniture.binds.length - 1);
      return { ...launch, furniture: { ...launch.furniture, binds } };
    });
    expect(holes).toEqual([expect.stringContaining('the self-test did not finish')]);
  });
});
