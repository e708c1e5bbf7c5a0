import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { GantryError } from '../core/errors.ts';
import { secretsOf } from '../core/network-settings.ts';
import type { SecretVault } from '../core/secret-vault.ts';
import { FilesystemBlobs } from '../drivers/blobs/filesystem/filesystem-blobs.ts';
import type { LogStorage } from '../drivers/logs/logs.ts';
import { cachesFolder, createCacheShelf } from '../drivers/runtime/caches/cache-records.ts';
import { CachedCompiler } from '../engine/cached-compiler.ts';
import { CompileProcess } from '../engine/compile-process.ts';
import { ConvertingCompiler } from '../engine/convert/converting-compiler.ts';
import { ProgramConverter } from '../engine/convert/program-converter.ts';
import { sampleFacts } from '../engine/sample-facts.ts';
import { proxyVariables } from '../engine/step-settings.ts';
import { accountsFeature, createPasswords } from '../features/accounts/index.ts';
import { cachesFeature } from '../features/caches/index.ts';
import { type CodeFeature, codeFeature } from '../features/code/index.ts';
import type { Feature } from '../features/feature.ts';
import { artifactsFeature } from '../features/pipelines/artifacts/artifacts-feature.ts';
import { type PipelinesFeature, pipelinesFeature } from '../features/pipelines/index.ts';
import { logOperations } from '../features/pipelines/logs/log-operations.ts';
import { logRoutes } from '../features/pipelines/logs/log-routes.ts';
import { secretsFeature } from '../features/secrets/index.ts';
import { settingsFeature } from '../features/settings/index.ts';
import { webhooksFeature } from '../features/webhooks/index.ts';
import { AddressGuard } from '../lib/address-guard.ts';
import type { Clock } from '../lib/clock.ts';
import type { Logger } from '../lib/logger.ts';
import { rootFolder } from '../lib/root-folder.ts';
import { systemTimers } from '../lib/timers.ts';
import { housekeeping } from '../server/housekeeping.ts';
import type { Store } from '../store/open-store.ts';
import { builderAddress } from './builder.ts';
import type { Config } from './config.ts';
import { readOutwardSettings } from './outward-settings.ts';
import { runtimePolicy, sandboxFolder } from './runner-settings.ts';

export interface Features {
  /** In the order of their start. */
  readonly all: readonly Feature[];
  readonly code: CodeFeature;
  readonly pipelines: PipelinesFeature;
  readonly compiler: CompileProcess;
}

/** The one list of what this Gantry can do. */
export function createFeatures(deps: {
  readonly config: Config;
  readonly store: Store;
  readonly logs: LogStorage;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly instanceId: string;
  readonly publicUrl: string;
  readonly version: string;
  readonly configHome: string | undefined;
}): Features {
  const { config, store, logs, clock, publicUrl } = deps;
  const logger = (feature: string): Logger => deps.logger.child({ feature });
  const compiler = new CompileProcess();
  const outward = readOutwardSettings(config);
  const blobs = new FilesystemBlobs(join(config.dataFolder, 'blobs'));
  const accounts = accountsFeature({ store, clock, passwords: createPasswords(), publicUrl, version: deps.version });
  const secrets = secretsFeature({
    store,
    clock,
    dataFolder: config.dataFolder,
    keyFilePath: config.keyFile ?? join(deps.configHome ?? join(homedir(), '.config'), 'gantry/keys', deps.instanceId),
  });
  const settings = settingsFeature({ store, clock });
  const code = codeFeature({
    unitOfWork: store,
    happenings: store.happenings,
    clock,
    logger: logger('code'),
    dataFolder: config.dataFolder,
    publicUrl: () => publicUrl,
    onPushBegin: () => compiler.warm(),
    foreign: {
      guard: new AddressGuard(config.gitAllow),
      caBundle: outward.caBundle,
      proxyVariables: proxyVariables(outward.network),
      logins: (projectId) => secrets.vault.gitLogins(projectId),
    },
  });
  const converter = new ProgramConverter({ wasmPath: join(rootFolder, 'dist/convert/convert.wasm') });
  const pipelines = pipelinesFeature({
    unitOfWork: store,
    happenings: store.happenings,
    repository: code.repository,
    checkouts: code.checkouts,
    compiler: new CachedCompiler(new ConvertingCompiler(compiler, converter, sampleFacts)),
    secrets: maskingAlways(secrets.vault, secretsOf(outward.network)),
    logs,
    blobs,
    clock,
    logger: logger('pipelines'),
    publicUrl: () => publicUrl,
    installation: {
      runtime: runtimePolicy(config),
      privilegedImages: config.privilegedImages,
      hasNoBuilder: builderAddress(config) === undefined,
    },
    config: {
      logLimitBytes: config.logLimit,
      runningStepsLimit: config.slots,
      artifacts: {
        artifactBytes: config.artifactLimit,
        pipelineBytes: config.artifactPipelineLimit,
        projectBytes: config.artifactProjectLimit,
      },
      runnerWaitLimitMs: config.runnerWaitLimit,
    },
  });
  const logViews: Feature = {
    name: 'logs',
    operations: logOperations({ store, logs }),
    routes: logRoutes({ store, logs, logBus: pipelines.logBus }),
  };
  const webhooks = webhooksFeature({
    store,
    happenings: store.happenings,
    repository: code.repository,
    sealer: secrets.sealer,
    planNow: (eventId) => pipelines.planNow(eventId),
    clock,
    timers: systemTimers,
    logger: logger('webhooks'),
    publicUrl: () => publicUrl,
    guard: new AddressGuard(config.webhookAllow),
    ca: config.caBundle === undefined ? undefined : readCertificates(config.caBundle),
  });
  const artifacts = artifactsFeature({ store, blobs, clock, timers: systemTimers, logger: logger('artifacts') });
  const caches = cachesFeature({ store, clock, shelf: createCacheShelf(cachesFolder(sandboxFolder(config))) });
  // Pipelines before code: an event that code finds at its start must find somebody who plans it.
  const tidy = housekeeping({ store, clock, logger: logger('housekeeping') });
  return {
    all: [accounts, secrets, settings, pipelines, code, caches, artifacts, logViews, webhooks, tidy],
    code,
    pipelines,
    compiler,
  };
}

/** What no log may show, whatever the project: the runner masks it too, from the first line on. */
function maskingAlways(vault: SecretVault, always: readonly string[]): SecretVault {
  return { ...vault, maskValues: async (projectId) => [...(await vault.maskValues(projectId)), ...always] };
}

function readCertificates(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new GantryError('CONFIG_INVALID', `Cannot read the CA certificates ${path}: ${(error as Error).message}`, {
      cause: error,
    });
  }
}
