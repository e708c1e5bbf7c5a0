import { join } from 'node:path';
import type { NetworkSettings } from '../core/network-settings.ts';
import type { RuntimePolicy } from '../core/runtime-choice.ts';
import type { CacheLimits } from '../drivers/runtime/caches/cache-store.ts';
import type { StepLimits } from '../drivers/runtime/runtime.ts';
import type { LogLevel } from '../lib/logger.ts';
import type { Config } from './config.ts';
import { type ImageSettings, imageSettings } from './images.ts';
import { readOutwardSettings } from './outward-settings.ts';
import type { RunnerFolder } from './runner-folder.ts';

/** All that a runner on this host is told: plain data, given to it on its standard input. */
export interface RunnerSettings {
  readonly instanceId: string;
  readonly runnerId: string;
  /** Which program and settings it was started with: a server with others starts a new one. */
  readonly build: string;
  readonly socketPath: string;
  /** Where it leaves word of itself while it lives. */
  readonly recordPath: string;
  readonly slots: number;
  readonly logLevel: LogLevel;
  readonly stepLimits: StepLimits;
  readonly serviceReadyLimitMs: number;
  readonly leaveAfterMs: number;
  /** Labels that it was given. */
  readonly labels: Readonly<Record<string, string>>;
  /** Absent = it cannot build images. */
  readonly builder?: BuilderSettings | undefined;
  /** All that it may offer; of several, those that this host has. */
  readonly runtimes: readonly RuntimeSettings[];
}

/** What steps run on, and what that is told. */
export type RuntimeSettings =
  | { readonly kind: 'scripted' }
  | (OutwardRuntimeSettings & {
      readonly kind: 'sandbox';
      readonly launcher: 'auto' | 'bubblewrap' | 'runc';
      /** Uppers, checkouts, caches. */
      readonly folder: string;
      readonly runFolder: string;
      readonly caches: CacheLimits;
    })
  | (OutwardRuntimeSettings & {
      readonly kind: 'docker';
      readonly engine: string;
      /** As that of the sandbox: what the one keeps of steps lies beside what the other does. */
      readonly folder: string;
      readonly caches: CacheLimits;
      readonly subnets: string;
      /** File that remembers which images were pulled with which logins. */
      readonly readersPath: string;
      readonly privilegedImages: readonly string[];
    });

/** What builds images, and what that is told of the world outside. */
export type BuilderSettings = OutwardRuntimeSettings & {
  /** The CA bundle is not the host's, but one that the settings name. */
  readonly hasOwnCaBundle: boolean;
  readonly readersPath: string;
  /** Address of a Docker Engine. */
  readonly engine: string;
  /** Folder in which builds are recorded while they run. */
  readonly recordsFolder: string;
  /** Where AWS is asked for logins; absent = its own address of the region. */
  readonly ecrEndpoint?: string | undefined;
};

/** What each runtime of real steps is told of the world outside. */
export interface OutwardRuntimeSettings {
  readonly images: ImageSettings;
  /** Absolute path of a file that is there; absent = steps trust what their image does. */
  readonly caBundle?: string | undefined;
  readonly network: NetworkSettings;
}

/** What a sandbox runner keeps on the disk: uppers, checkouts, caches. */
export function sandboxFolder({ dataFolder }: Pick<Config, 'dataFolder'>): string {
  return join(dataFolder, 'runner');
}

/** What the policy of an installation is called; scripted runs whatever it is given. */
export function runtimePolicy({ runtime }: Pick<Config, 'runtime'>): RuntimePolicy | undefined {
  if (runtime === 'scripted') return undefined;
  return runtime === 'podman' ? 'docker' : runtime;
}

/** The file that remembers of an engine's images with which logins they were pulled. */
export function imageReadersPath(config: Pick<Config, 'dataFolder'>): string {
  return join(sandboxFolder(config), 'engine-images.json');
}

/** The part of the settings that says what steps run on: the preferred one first. */
export function runtimeSettings(
  config: Config,
  environment: Readonly<Record<string, string | undefined>>,
  { folder }: Pick<RunnerFolder, 'folder'>,
): readonly RuntimeSettings[] {
  if (config.runtime === 'scripted') return [{ kind: 'scripted' }];
  const { caBundle, network } = readOutwardSettings(config);
  const outward = { caBundle, network, images: imageSettings(config, environment, { caBundle, network }) };
  const kept = {
    folder: sandboxFolder(config),
    caches: {
      entryBytes: config.cacheEntryLimit,
      projectBytes: config.cacheProjectLimit,
      totalBytes: config.cacheLimit,
    },
  };
  const docker: RuntimeSettings = {
    ...outward,
    ...kept,
    kind: 'docker',
    engine: config.dockerHost,
    subnets: config.dockerSubnets,
    readersPath: imageReadersPath(config),
    privilegedImages: config.privilegedImages,
  };
  if (config.runtime === 'docker' || config.runtime === 'podman') return [docker];
  const sandbox: RuntimeSettings = {
    ...outward,
    kind: 'sandbox',
    ...kept,
    launcher: config.launcher,
    runFolder: folder,
  };
  return config.runtime === 'auto' ? [sandbox, docker] : [sandbox];
}
