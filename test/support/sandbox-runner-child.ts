/**
 * A runner that is about to be killed: opens a sandbox runtime, goes as far as it is told, says so in a line, and stays.
 *
 *     node sandbox-runner-child.ts <launcher> <folder> <point> <mark>
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { StepResultUse } from '../../src/drivers/runtime/runtime.ts';
import { createSandboxRuntime } from '../../src/drivers/runtime/sandbox/sandbox-runtime.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { silentLogger } from '../../src/lib/logger.ts';
import { busyboxImage, ownGeneration, testImages } from './sandbox-world.ts';

const [launcher, folder, point, mark] = process.argv.slice(2) as [string, string, string, string];
const tell = (what: string): void => void process.stdout.write(`${what}\n`);
const stay = setInterval(() => {}, 1_000_000);

const runtime = await createSandboxRuntime({
  launcher: launcher === 'runc' ? 'runc' : 'bubblewrap',
  folder: join(folder, 'data'),
  runFolder: join(folder, 'run'),
  images: testImages(join(folder, 'layer')),
  generation: ownGeneration('killed'),
  network: { isEnabled: true },
  clock: systemClock,
  logger: silentLogger,
});
const stage = {
  name: 'step',
  kind: 'commands',
  image: busyboxImage,
  pull: 'never',
  limits: {},
  network: 'job',
} as const;
async function releaseKept(): Promise<{ readonly outcome: Promise<unknown>; readonly kept: Promise<void> }> {
  const job = await runtime.prepare({ id: 'doomed', workspace: '/drone/src' });
  const result: StepResultUse = {
    kind: 'keep',
    access: { projectId: 1, scope: 'protected', pipeline: 1 },
    key: 'k',
    label: 'reuse: build / step',
    parts: {},
    origin: { pipeline: 1, workflow: 'build', step: 'step', stepId: 1, workflowId: 1, attempt: 1 },
    outputs: ['out'],
    imageDigest: await runtime.results!.digestOf({ image: busyboxImage, pull: 'never' }),
  };
  const staged = await job.stage({ ...stage, id: 'one', result });
  const kept = Promise.withResolvers<void>();
  const { outcome } = staged.release({
    script: 'mkdir out; for n in $(seq 1 40); do dd if=/dev/zero of=out/f$n bs=1M count=2 2>/dev/null; done',
    environment: {},
    secrets: {},
    timeoutMs: 600_000,
    graceMs: 10_000,
    onResult: ({ kind }) => kind === 'kept' && kept.resolve(),
    onOutput: () => {},
  });
  return { outcome, kept: kept.promise };
}

const steps: Record<string, () => Promise<void>> = {
  opened: async () => {},
  prepared: async () => {
    await runtime.prepare({ id: 'doomed', workspace: '/drone/src' });
  },
  staging: async () => {
    const job = await runtime.prepare({ id: 'doomed', workspace: '/drone/src' });
    void job.stage({ ...stage, id: 'one' });
    void job.stage({ ...stage, id: 'two' });
  },
  staged: async () => {
    const job = await runtime.prepare({ id: 'doomed', workspace: '/drone/src' });
    await job.stage({ ...stage, id: 'one' });
  },
  running: async () => {
    const job = await runtime.prepare({ id: 'doomed', workspace: '/drone/src' });
    await job.stage({ ...stage, id: 'ahead' });
    const staged = await job.stage({ ...stage, id: 'one' });
    const begun = Promise.withResolvers<void>();
    staged.release({
      script: `trap '' TERM HUP; echo data > file; (setsid sleep ${mark} &) ; sleep ${mark} & echo begun; sleep ${mark}`,
      environment: {},
      secrets: {},
      timeoutMs: 600_000,
      graceMs: 10_000,
      onOutput: () => begun.resolve(),
    });
    await begun.promise;
  },
  /** The entry is in its place, and on its way to the disk. */
  saved: async () => {
    const caches = { projectId: 1, scope: 'protected', pipeline: 1 };
    const job = await runtime.prepare({ id: 'doomed', workspace: '/drone/src', caches });
    const cache = { key: 'k', restore: [], paths: ['/drone/src/kept'] };
    const staged = await job.stage({ ...stage, id: 'one', cache });
    await new Promise<void>((resolve) => {
      staged.release({
        script: 'dd if=/dev/zero of=kept/file bs=1M count=64 2>/dev/null',
        environment: {},
        secrets: {},
        timeoutMs: 600_000,
        graceMs: 10_000,
        onCache: ({ kind }) => kind === 'saved' && resolve(),
        onOutput: () => {},
      });
    });
  },
  /** In the midst of copying what the step left. */
  keeping: async () => {
    void (await releaseKept()).outcome;
    const job = join(folder, 'data/generations');
    while (!readdirSync(job, { recursive: true }).some((path) => String(path).endsWith('/upper/0/f7')))
      await new Promise((resolve) => setTimeout(resolve, 1));
  },
  /** The result is in its place, and on its way to the disk. */
  kept: async () => {
    await (await releaseKept()).kept;
  },
  destroying: async () => {
    const job = await runtime.prepare({ id: 'doomed', workspace: '/drone/src' });
    await job.stage({ ...stage, id: 'one' });
    void job.destroy();
  },
};
await steps[point]!();
tell(`at ${point}`);
await new Promise(() => stay);
