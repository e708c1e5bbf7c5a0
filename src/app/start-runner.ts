import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { closeSync, existsSync, openSync, readdirSync, renameSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { isAlive } from '../lib/process-identity.ts';
import { builderSettings } from './builder.ts';
import type { Config } from './config.ts';
import { processVariables } from './outward-settings.ts';
import { openRunnerFolder, type RunnerFolder } from './runner-folder.ts';
import { livingRunners, type RunnerRecord } from './runner-record.ts';
import { type RunnerSettings, runtimeSettings } from './runner-settings.ts';

type Environment = Readonly<Record<string, string | undefined>>;

export interface EnsureRunnerOptions {
  readonly folder: RunnerFolder;
  readonly config: Config;
  readonly environment: Environment;
  readonly instanceId: string;
  /** Told when a runner that was started here ends. */
  readonly onExit: (how: { readonly code: number | null; readonly signal: string | null }) => void;
}

/** How long a runner without work waits for a server before it leaves. */
const leaveAfterMs = 60_000;
const ownPrefix = 'local-';
const maxOutputFileBytes = 8 * 2 ** 20;
/** Variables that the runner's own process needs; none of the server's settings or secrets is among them. */
const passedVariables = [
  'PATH',
  'HOME',
  'LANG',
  'LC_ALL',
  'TZ',
  'TMPDIR',
  'NODE_COMPILE_CACHE',
  'NODE_EXTRA_CA_CERTS',
  'SSL_CERT_FILE',
];

/**
 * Sees to it that a runner of this very program and these settings lives: takes the one that is there, or starts one,
 * detached and in a session of its own. Runners of another build are asked to finish what they have and leave.
 */
export function ensureRunner(options: EnsureRunnerOptions): { readonly runnerId: string; readonly isNew: boolean } {
  const settings = newRunnerSettings(options);
  const living = livingRunners(options.folder.recordsFolder);
  for (const runner of living) if (runner.build !== settings.build) signal(runner, 'SIGUSR2');
  const existing = living.find(({ build }) => build === settings.build);
  if (existing) return { runnerId: existing.runnerId, isNew: false };
  start(settings, options);
  return { runnerId: settings.runnerId, isNew: true };
}

/** Whether a runner was started by a server of this host, and not from elsewhere with an address and a token. */
export function isOfThisHost(runnerId: string): boolean {
  return runnerId.startsWith(ownPrefix);
}

/** Ends every runner of the data folder, with all that it runs. Resolves when they are gone. */
export async function stopRunner(options: { readonly dataFolder: string; readonly runFolder: string }): Promise<void> {
  const { recordsFolder } = openRunnerFolder(options);
  const living = livingRunners(recordsFolder);
  for (const runner of living) signal(runner, 'SIGINT');
  await Promise.all(living.map((runner) => waitForEnd(runner)));
  livingRunners(recordsFolder);
}

async function waitForEnd(runner: RunnerRecord): Promise<void> {
  const patienceMs = 15_000;
  for (let waitedMs = 0; isAlive(runner); waitedMs += 20) {
    if (waitedMs === patienceMs) signal(runner, 'SIGKILL');
    // It is no child of ours: nobody tells us of its end.
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function signal(runner: RunnerRecord, name: NodeJS.Signals): void {
  if (!isAlive(runner)) return;
  try {
    process.kill(runner.pid, name);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
}

/** What a runner of this server is started with: every call names another one. */
export function newRunnerSettings(options: Omit<EnsureRunnerOptions, 'onExit'>): RunnerSettings {
  const { config, environment, folder, instanceId } = options;
  const chosen = {
    instanceId,
    socketPath: folder.socketPath,
    slots: config.slots,
    logLevel: config.logLevel,
    stepLimits: {
      memoryBytes: config.stepMemory,
      cpuMillis: config.stepCpus,
      pids: config.stepPids,
      diskBytes: config.stepDisk,
    },
    serviceReadyLimitMs: config.serviceReadyLimit,
    leaveAfterMs,
    labels: config.runnerLabels,
    builder: builderSettings(config, environment),
    runtimes: runtimeSettings(config, environment, folder),
  };
  const build = createHash('sha256')
    .update(JSON.stringify([process.version, programState(), chosen]))
    .digest('hex')
    .slice(0, 16);
  return named({ ...chosen, build }, folder);
}

/** The settings of a runner that nobody is yet. */
export function named(settings: Omit<RunnerSettings, 'runnerId' | 'recordPath'>, folder: RunnerFolder): RunnerSettings {
  const runnerId = `${ownPrefix}${randomBytes(4).toString('hex')}`;
  return { ...settings, runnerId, recordPath: join(folder.recordsFolder, `${runnerId}.json`) };
}

/** Sizes and times of the program's files: changes with every build, and in development with every edit. */
function programState(): string {
  const source = dirname(import.meta.dirname);
  return ['core', 'drivers', 'engine', 'lib', 'runner', 'app']
    .flatMap((folder) =>
      readdirSync(join(source, folder), { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile() && !/\.(test|contract)\.ts$/.test(entry.name))
        .map((entry) => {
          const path = join(entry.parentPath, entry.name);
          const { size, mtimeMs } = statSync(path);
          return `${path} ${size} ${mtimeMs}`;
        }),
    )
    .sort()
    .join('\n');
}

function start(settings: RunnerSettings, { config, environment, onExit }: EnsureRunnerOptions): void {
  const outputFile = join(config.dataFolder, 'runner.log');
  if (existsSync(outputFile) && statSync(outputFile).size > maxOutputFileBytes)
    renameSync(outputFile, `${outputFile}.1`);
  const output = openSync(outputFile, 'a', 0o600);
  try {
    const extension = import.meta.filename.endsWith('.ts') ? 'ts' : 'js';
    const flags = process.execArgv.filter((flag) => flag === '--use-system-ca');
    const program = join(dirname(import.meta.dirname), 'cli', `main.${extension}`);
    const outward = settings.runtimes.find((each) => each.kind !== 'scripted');
    const child = spawn(process.execPath, [...flags, program, 'runner', '--settings', '-'], {
      // A session and a process group of its own: what ends the server by group or terminal does not end its steps.
      detached: true,
      cwd: '/',
      env: {
        ...Object.fromEntries(
          passedVariables.flatMap((name) => (environment[name] === undefined ? [] : [[name, environment[name]]])),
        ),
        ...(outward ? processVariables({ caBundle: undefined, ...outward }) : {}),
      },
      stdio: ['pipe', output, output],
    });
    child.once('exit', (code, name) => onExit({ code, signal: name }));
    child.once('error', () => onExit({ code: null, signal: null }));
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(JSON.stringify(settings));
    child.unref();
  } finally {
    closeSync(output);
  }
}
