import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  busyboxImage,
  findSandboxHindrance,
  openSandboxWorld,
  type SandboxWorld,
} from '../../../../test/support/sandbox-world.ts';
import { Turns } from '../../../lib/turns.ts';
import { generationName } from '../caches/generation.ts';
import type { RuntimeJob, StepLimits } from '../runtime.ts';

const isVersion2 = existsSync('/sys/fs/cgroup/cgroup.controllers');
const hierarchy = isVersion2 ? '/sys/fs/cgroup' : '/sys/fs/cgroup/pids';

describe('Turns', () => {
  it('lets so many at once, and the others in the order in which they asked', async () => {
    const turns = new Turns(2);
    const begun: number[] = [];
    const ends = [1, 2, 3, 4].map(() => Promise.withResolvers<void>());
    const all = ends.map((end, n) =>
      turns.take(async () => {
        begun.push(n);
        await end.promise;
      }),
    );
    expect(begun).toEqual([0, 1]);
    ends[1]!.resolve();
    await all[1];
    expect(begun).toEqual([0, 1, 2]);
    ends[0]!.reject(new Error('it failed'));
    await expect(all[0]).rejects.toThrow('it failed');
    expect(begun).toEqual([0, 1, 2, 3]);
    for (const end of ends) end.resolve();
    await Promise.all(all.slice(1));
  });
});

describe.skipIf(findSandboxHindrance('bubblewrap'))('sandboxes that wait for the next job', () => {
  let world: SandboxWorld;
  let sequence = 0;
  beforeAll(async () => {
    world = await openSandboxWorld('bubblewrap');
  });
  afterAll(() => world.close());

  const groups = (): readonly string[] => {
    const folder = join(hierarchy, generationName(world.options.generation));
    return existsSync(folder) ? readdirSync(folder, { recursive: true, encoding: 'utf8' }) : [];
  };
  const waiting = (): readonly string[] => groups().filter((name) => /^waiting-[^/]+\/\d+$/.test(name));

  async function prepare(): Promise<RuntimeJob> {
    sequence += 1;
    return world.runtime.prepare({ id: `job${sequence}`, workspace: '/drone/src' });
  }

  async function run(job: RuntimeJob, script: string, limits: StepLimits = {}): Promise<string> {
    sequence += 1;
    const step = { id: `s${sequence}`, name: 's', kind: 'commands', image: busyboxImage, pull: 'never' } as const;
    const staged = await job.stage({ ...step, limits, network: 'job' });
    let text = '';
    const running = staged.release({
      script,
      environment: {},
      secrets: {},
      timeoutMs: 20_000,
      graceMs: 100,
      onOutput: (_stream, bytes) => {
        text += bytes.toString();
      },
    });
    expect(await running.outcome).toEqual({ kind: 'exited', exitCode: 0 });
    return text;
  }

  async function furnished(): Promise<readonly string[]> {
    for (let attempt = 0; attempt < 400; attempt += 1) {
      const found = waiting();
      if (found.length > 0) return found;
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
    throw new Error('no sandbox waits');
  }

  it('are made after a job, and the next job runs in them with a workspace of its own', async () => {
    const first = await prepare();
    await run(first, 'echo data > file; echo data > /tmp/file');
    await first.destroy();
    const found = await furnished();

    const second = await prepare();
    expect(await run(second, 'ls -A . /tmp; echo own > file; cat file')).not.toContain('data');
    // In the very sandbox that waited: none was made under the job's name.
    expect(groups().filter((name) => name.startsWith(second.spec.id))).toEqual([]);
    expect(await run(second, 'cat file')).toContain('own');
    await second.destroy();
    expect(groups().filter((name) => found.includes(name))).toEqual([]);
  });

  it('are not for a step with other limits, and go when a job does not want them', async () => {
    const found = await furnished();
    const job = await prepare();
    const limits = { diskBytes: 64 * 2 ** 20 };
    const staged = await job.stage({
      id: 'limited',
      name: 's',
      kind: 'commands',
      image: busyboxImage,
      pull: 'never',
      limits,
      network: 'job',
    });
    expect(groups()).toContain(`${job.spec.id}/limited`);
    await staged.discard();
    await job.destroy();
    expect(groups().filter((name) => found.includes(name))).toEqual([]);
    expect(await world.leftovers()).toEqual([]);
  });

  it('leave nothing when the job ends while it takes one', async () => {
    const [found] = await furnished();
    const job = await prepare();
    const step = { id: 'taken', name: 's', kind: 'commands', image: busyboxImage, pull: 'never', limits: {} } as const;
    const taking = job.stage({ ...step, network: 'job' });
    const settled = Promise.allSettled([taking, job.destroy()]);
    expect((await settled)[1]).toMatchObject({ status: 'fulfilled' });
    await job.destroy();
    expect(groups().filter((name) => name.startsWith(found!.split('/')[0]!))).toEqual([]);
  });

  it('hold nothing of the job that comes: neither script nor environment', async () => {
    const environments = await eventually(async () => {
      const [found] = await furnished();
      const folder = join(hierarchy, generationName(world.options.generation), found!, isVersion2 ? 'main' : '');
      const pids = readFileSync(join(folder, 'cgroup.procs'), 'utf8').split('\n').filter(Boolean);
      // The launcher and the gate.
      expect(pids).toHaveLength(2);
      return pids.map((pid) => readFileSync(`/proc/${pid}/environ`, 'utf8')).join('');
    });
    expect(environments.replaceAll('PATH=/usr/sbin:/usr/bin:/sbin:/bin', '').replaceAll(/PWD=\/|\0/g, '')).toBe('');
  });
});

/** Tries until it passes, for 5 s: sandboxes are made and replaced while nobody waits for them. */
async function eventually<T>(check: () => Promise<T>): Promise<T> {
  const giveUpAt = performance.now() + 5_000;
  for (;;) {
    try {
      return await check();
    } catch (error) {
      if (performance.now() > giveUpAt) throw error;
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
  }
}
