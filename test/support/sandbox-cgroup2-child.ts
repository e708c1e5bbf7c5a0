/**
 * A runner that sees control groups of version 2 and no other: run in a mount namespace of its own, it hides what the host
 * has behind a fresh cgroup2. Prints one JSON line with what became of its steps.
 *
 *     unshare -m node sandbox-cgroup2-child.ts <launcher>
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { generationName } from '../../src/drivers/runtime/caches/generation.ts';
import { busyboxImage, openSandboxWorld } from './sandbox-world.ts';

execFileSync('mount', ['--make-rprivate', '/']);
execFileSync('umount', ['-R', '/sys/fs/cgroup']);
execFileSync('mount', ['-t', 'cgroup2', 'none', '/sys/fs/cgroup']);

const world = await openSandboxWorld(process.argv[2] === 'runc' ? 'runc' : 'bubblewrap');
const probe = await world.runtime.probe();
const job = await world.runtime.prepare({ id: 'job', workspace: '/drone/src' });
const group = join('/sys/fs/cgroup', generationName(world.options.generation), 'job');
const stage = { name: 's', kind: 'commands', image: busyboxImage, pull: 'never', limits: {}, network: 'job' } as const;
const release = { environment: {}, secrets: {}, timeoutMs: 20_000, graceMs: 100 };

const first = await job.stage({ ...stage, id: 'first' });
const processes = readFileSync(join(group, 'first/main/cgroup.procs'), 'utf8').split('\n').filter(Boolean).length;
const exited = await first.release({
  ...release,
  script: '(trap "" TERM HUP; setsid sleep 1000 &); exit 3',
  onOutput: () => undefined,
}).outcome;

const begun = Promise.withResolvers<void>();
const second = await job.stage({ ...stage, id: 'second' });
const running = second.release({
  ...release,
  script: 'trap "" TERM; (setsid sleep 1000 &); echo begun; sleep 1000; sleep 1000',
  onOutput: () => begun.resolve(),
});
await begun.promise;
running.cancel('by a test');
const cancelled = await running.outcome;
await job.destroy();
const leftovers = await world.leftovers();
await world.close();
process.stdout.write(`${JSON.stringify({ probe, processes, exited, cancelled, leftovers })}\n`);
