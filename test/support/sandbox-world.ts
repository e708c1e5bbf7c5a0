import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { GantryError } from '../../src/core/errors.ts';
import type { Images, UnpackedImage } from '../../src/core/image.ts';
import {
  type Generation,
  generationHash,
  generationName,
  startTicksOf,
} from '../../src/drivers/runtime/caches/generation.ts';
import type { Runtime } from '../../src/drivers/runtime/runtime.ts';
import type { SandboxRuntimeOptions } from '../../src/drivers/runtime/sandbox/assemble-host.ts';
import { createSandboxRuntime } from '../../src/drivers/runtime/sandbox/sandbox-runtime.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { silentLogger } from '../../src/lib/logger.ts';

export const busyboxImage = 'test/busybox:1';
/** The same files with settings of its own: user `app`, an entrypoint, an environment. */
export const configuredImage = 'test/configured:1';

/** A runtime of its own in temporary folders, with an image made of this host's static busybox. */
export interface SandboxWorld {
  readonly runtime: Runtime;
  readonly options: SandboxRuntimeOptions;
  /** Folder of the image's only layer. */
  readonly layer: string;
  readonly folder: string;
  /** What the runtime has on this host for jobs, its pool left out. */
  leftovers(): Promise<readonly string[]>;
  close(): Promise<void>;
}

export function findBusybox(): string | undefined {
  return ['/bin/busybox', '/usr/bin/busybox'].find((path) => existsSync(path));
}

/** Why sandboxes cannot be tested here; `undefined` when they can. */
export function findSandboxHindrance(launcher: 'bubblewrap' | 'runc'): string | undefined {
  if (process.platform !== 'linux') return 'sandboxes are for Linux';
  if (!findBusybox()) return 'busybox-static is not installed';
  const program = launcher === 'bubblewrap' ? 'bwrap' : 'runc';
  const isInstalled = ['/usr/bin', '/usr/sbin'].some((folder) => existsSync(`${folder}/${program}`));
  if (!isInstalled) return `${launcher} is not installed`;
  return process.getuid?.() === 0 ? undefined : 'this suite needs root';
}

export function ownGeneration(instanceId: string): Generation {
  return {
    instanceId,
    pid: process.pid,
    startTicks: startTicksOf(process.pid) ?? 0,
    bootId: readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim(),
  };
}

/** Writes a busybox root file system: one folder, as an unpacked layer is. */
export function makeBusyboxLayer(folder: string): void {
  const busybox = findBusybox()!;
  for (const name of ['bin', 'etc', 'root', 'home/app']) mkdirSync(join(folder, name), { recursive: true });
  copyFileSync(busybox, join(folder, 'bin/busybox'));
  chmodSync(join(folder, 'bin/busybox'), 0o755);
  for (const applet of execFileSync(busybox, ['--list'], { encoding: 'utf8' }).trim().split('\n')) {
    if (applet !== 'busybox') symlinkSync('busybox', join(folder, 'bin', applet));
  }
  writeFileSync(join(folder, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\napp:x:1000:1001:app:/home/app:/bin/sh\n');
  writeFileSync(join(folder, 'etc/group'), 'root:x:0:\napp:x:1001:\nextra:x:1500:app\n');
}

export function testImages(layer: string): Images {
  const image = (reference: string, config: Partial<UnpackedImage['config']>): UnpackedImage => ({
    reference,
    digest: `sha256:${(reference === busyboxImage ? '0' : '1').repeat(64)}`,
    layers: [layer],
    config: {
      environment: ['PATH=/bin'],
      entrypoint: [],
      command: [],
      user: '',
      workingDirectory: '',
      volumes: [],
      ...config,
    },
  });
  return {
    async provide(reference) {
      if (reference === busyboxImage) return image(reference, {});
      if (reference === configuredImage) {
        return image(reference, {
          user: 'app',
          environment: ['PATH=/bin', 'FROM_IMAGE=yes', 'OVERRIDDEN=by nobody'],
          entrypoint: ['sh', '-c'],
          command: ['echo "$FROM_IMAGE"; id -un; echo "$HOME"'],
        });
      }
      throw new GantryError('IMAGE_NOT_FOUND', `Cannot find image "${reference}": there is none`);
    },
    async digestOf(reference, options) {
      return (await this.provide(reference, options)).digest;
    },
  };
}

export async function openSandboxWorld(
  launcher: SandboxRuntimeOptions['launcher'],
  change: Partial<SandboxRuntimeOptions> = {},
): Promise<SandboxWorld> {
  const folder = mkdtempSync(join(tmpdir(), 'gantry-sandbox-'));
  const layer = join(folder, 'layer');
  makeBusyboxLayer(layer);
  const options: SandboxRuntimeOptions = {
    launcher,
    folder: join(folder, 'data'),
    runFolder: join(folder, 'run'),
    images: testImages(layer),
    generation: ownGeneration(folder.slice(-6)),
    network: { isEnabled: true },
    clock: systemClock,
    logger: silentLogger,
    ...change,
  };
  const runtime = await createSandboxRuntime(options);
  return {
    runtime,
    options,
    layer,
    folder,
    async leftovers() {
      // What was renamed into the trash is being deleted; for 5 s that is no leftover.
      const giveUpAt = performance.now() + 5_000;
      while (
        (readdirSync(join(options.folder, 'trash')).length > 0 || listLeftovers(options).length > 0) &&
        performance.now() < giveUpAt
      ) {
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
      return listLeftovers(options);
    },
    async close() {
      await runtime.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Names of what a generation has on the host for jobs: control groups, folders, mounts, links. */
export function listLeftovers(
  options: Pick<SandboxRuntimeOptions, 'folder' | 'runFolder' | 'generation'>,
): readonly string[] {
  const generation = generationName(options.generation);
  const list = (path: string): readonly string[] =>
    existsSync(path)
      ? readdirSync(path, { withFileTypes: true })
          .filter((entry) => entry.isDirectory())
          .map((entry) => `${path}/${entry.name}`)
      : [];
  const mounts = readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .filter((line) => line.includes(options.folder) || line.includes(options.runFolder));
  const links = readdirSync('/sys/class/net').filter((name) => name.startsWith(`gv${generationHash(generation)}`));
  // Two holders are kept ready, and one more may be on its way.
  const surplus = Math.max(0, links.length - 3);
  const traces = [
    ...readdirSync('/sys/fs/cgroup').flatMap((controller) => list(`/sys/fs/cgroup/${controller}/${generation}`)),
    ...list(`/sys/fs/cgroup/${generation}`),
    ...list(join(options.folder, 'generations', generation, 'jobs')),
    ...list(join(options.folder, 'generations', generation, 'waiting')).map((path) =>
      path.replace(/[^/]*$/, 'waiting-$&'),
    ),
  ];
  // In one holder sandboxes wait for the next job.
  const waiting = new Set(
    traces.map((path) => /\/(waiting-[^/]*)$/.exec(path)?.[1]).filter((name) => name !== undefined),
  );
  return [
    ...traces.filter((path) => !path.includes('/waiting-') || waiting.size > 1),
    ...list(join(options.folder, 'trash')),
    ...mounts,
    ...(surplus > 0 ? [`${surplus} links too many`] : []),
  ];
}
