import { createHash } from 'node:crypto';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { release } from 'node:os';
import { join } from 'node:path';
import { runProgram } from '../caches/run-program.ts';
import { gateProgram } from './gate-program.ts';
import type { HolderPool } from './holder-pool.ts';
import type { HostSystem } from './host-system.ts';
import type { LaunchHost } from './launch-host.ts';
import type { LauncherName } from './launcher.ts';
import { namespaceHolderProgram } from './namespace-holder-program.ts';
import { launchSandbox } from './sandbox-launch.ts';
import { selfTestCalls, selfTestProgram } from './self-test-program.ts';
import { syscallArguments } from './system-calls.ts';

export interface SelfTestOptions {
  readonly host: LaunchHost;
  readonly launcher: LauncherName;
  /** Absolute path of the launcher: its version is part of what a kept result holds for. */
  readonly launcherProgram: string;
  readonly pool: HolderPool;
  readonly system: HostSystem;
  readonly skeleton: () => Promise<string>;
  /** Private to the test; removed with it. */
  readonly folder: string;
  /** Where results are kept: one per launcher, for this boot and these versions. */
  readonly cacheFolder: string;
  readonly bootId: string;
  /** The host's own address on the job network; absent without a network. */
  readonly gateway: string | undefined;
  /** Text of the compiled filter and settings that enter the result. */
  readonly filter: Buffer;
}

/**
 * Tries from inside a sandbox what must not work. Answers the holes that it found: with one of them the launcher is not
 * used. Kept per boot and versions, because nothing else changes the answer.
 */
export async function findSandboxHoles(options: SelfTestOptions): Promise<readonly string[]> {
  const version = await runProgram([options.launcherProgram, '--version']);
  const key = createHash('sha256')
    .update(
      JSON.stringify([
        options.bootId,
        release(),
        options.launcher,
        version.stdout,
        selfTestProgram,
        gateProgram,
        namespaceHolderProgram,
        options.host.isRootless,
        options.gateway !== undefined,
      ]),
    )
    .update(options.filter)
    .digest('hex');
  const path = join(options.cacheFolder, `self-test-${options.launcher}.json`);
  const kept = readKept(path, key);
  if (kept) return kept;
  const holes = await attempt(options);
  writeFileSync(`${path}.new`, JSON.stringify({ key, holes }));
  renameSync(`${path}.new`, path);
  return holes;
}

async function attempt(options: SelfTestOptions): Promise<readonly string[]> {
  const { host } = options;
  const holder = await options.pool.take();
  const listeners = await Promise.all(['127.0.0.1', options.gateway].map((address) => listen(address)));
  let text = '';
  let complaint = '';
  try {
    await holder.setWorkspace({ folder: options.cacheFolder });
    const staged = await launchSandbox(host, {
      holder,
      cgroupName: 'self-test/attempt',
      folder: options.folder,
      step: { name: 'self-test', kind: 'image', limits: {}, network: 'job' },
      layers: [],
      skeleton: await options.skeleton(),
      image: {
        environment: [],
        entrypoint: ['/usr/bin/perl', '-e', selfTestProgram],
        command: [
          ...syscallArguments(selfTestCalls, host.architecture),
          ...listeners.map((listener) => listener?.text ?? '-'),
        ],
        user: '0:0',
        workingDirectory: '',
      },
      binds: options.system.binds,
      workspace: '/work',
      environment: {},
      diskFolders: [],
    });
    const running = staged.release({
      environment: {},
      secrets: {},
      timeoutMs: 20_000,
      graceMs: 100,
      onOutput: (stream, bytes) => {
        if (stream === 'stdout') text += bytes.toString('utf8');
        else complaint += bytes.toString('utf8').slice(0, 500);
      },
    });
    const outcome = await running.outcome;
    await staged.destroy();
    const holes = [...text.matchAll(/^hole (.*)$/gm)].map((match) => match[1]!);
    // A test that did not come to its end has proven nothing.
    if (!text.endsWith('done\n')) {
      holes.push(`the self-test did not finish (${JSON.stringify(outcome)}) ${complaint.slice(0, 300)}`.trim());
    }
    return holes;
  } finally {
    for (const listener of listeners) listener?.server.close();
    await holder.close();
    host.cgroups?.removeJob('self-test');
  }
}

async function listen(address: string | undefined): Promise<{ server: Server; text: string } | undefined> {
  if (address === undefined) return undefined;
  const server = createServer((socket) => socket.destroy());
  server.unref();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, address, resolve);
  });
  const at = server.address();
  return { server, text: `${address}:${typeof at === 'object' ? at?.port : 0}` };
}

function readKept(path: string, key: string): readonly string[] | undefined {
  try {
    const kept = JSON.parse(readFileSync(path, 'utf8')) as { key?: unknown; holes?: unknown };
    if (kept.key !== key || !Array.isArray(kept.holes)) return undefined;
    // Only a pass is kept: what failed is tried again, the host may have been repaired.
    return kept.holes.length === 0 ? [] : undefined;
  } catch {
    return undefined;
  }
}
