import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { secretsOf } from '../core/network-settings.ts';
import type { RuntimeName } from '../core/runtime-choice.ts';
import type { CacheHome } from '../drivers/runtime/caches/cache-home.ts';
import type { Generation } from '../drivers/runtime/caches/generation.ts';
import { type Runtime, type RuntimeProbe, unusable } from '../drivers/runtime/runtime.ts';
import { caBundlePath, stepSettings } from '../engine/step-settings.ts';
import type { Clock } from '../lib/clock.ts';
import type { Logger } from '../lib/logger.ts';
import { systemTimers } from '../lib/timers.ts';
import { readStepSettingsInput } from './read-step-settings.ts';
import type { RuntimeSettings } from './runner-settings.ts';

/** A runtime that this host was asked for, and what it said of itself. */
export interface ExaminedRuntime {
  readonly name: RuntimeName;
  readonly isOffered: boolean;
  readonly probe: RuntimeProbe;
  /** Open only where it is offered. */
  readonly runtime: Runtime | undefined;
  /** Looks once more at one that is not open; open then where it is usable. */
  readonly lookAgain: () => Promise<{ readonly probe: RuntimeProbe; readonly runtime: Runtime | undefined }>;
}

type Deps = { readonly clock: Clock; readonly logger: Logger };
type RuntimeDeps = Deps & { readonly home: CacheHome | undefined };

/**
 * Opens what a runner of these settings can offer. One that is alone is offered whatever it says, for its steps then tell
 * what is wrong; of several, those that are usable, or else the first.
 */
export async function openRuntimes(
  settings: readonly RuntimeSettings[],
  generation: Generation,
  deps: Deps,
): Promise<readonly ExaminedRuntime[]> {
  const home = await openHome(settings, generation, deps);
  const examined = await Promise.all(
    settings.map((each) => examine(each, settings.length > 1, generation, { ...deps, home })),
  );
  const hasUsable = examined.some(({ probe }) => probe.isUsable);
  return Promise.all(
    examined.map(async (each, index) => {
      const isOffered = each.runtime !== undefined && (each.probe.isUsable || (!hasUsable && index === 0));
      if (!isOffered) await each.runtime?.close();
      const runtime = isOffered ? each.runtime : undefined;
      const lookAgain = async (): ReturnType<ExaminedRuntime['lookAgain']> => {
        const now = await examine(settings[index]!, settings.length > 1, generation, { ...deps, home });
        if (!now.probe.isUsable) await now.runtime?.close();
        return { probe: now.probe, runtime: now.probe.isUsable ? now.runtime : undefined };
      };
      return { ...each, isOffered, runtime, lookAgain };
    }),
  );
}

/** One for all runtimes of a runner: it counts who has what mounted. */
async function openHome(
  settings: readonly RuntimeSettings[],
  generation: Generation,
  { logger }: Deps,
): Promise<CacheHome | undefined> {
  const kept = settings.find((each) => each.kind !== 'scripted');
  if (!kept) return undefined;
  const { openCacheHome } = await import('../drivers/runtime/caches/cache-home.ts');
  return openCacheHome({ folder: kept.folder, limits: kept.caches, generation, logger });
}

async function examine(
  settings: RuntimeSettings,
  isOneOfSeveral: boolean,
  generation: Generation,
  deps: RuntimeDeps,
): Promise<Omit<ExaminedRuntime, 'isOffered' | 'lookAgain'>> {
  // Where there is no socket nobody need load what would call it.
  const socket = settings.kind === 'docker' ? /^unix:\/\/(.+)$/.exec(settings.engine)?.[1] : undefined;
  if (isOneOfSeveral && socket !== undefined && !existsSync(socket))
    return { name: settings.kind, probe: absentEngine(socket), runtime: undefined };
  const runtime = await openRuntime(settings, generation, deps);
  return { name: settings.kind, probe: await runtime.probe(), runtime };
}

function absentEngine(socket: string): RuntimeProbe {
  return unusable(
    `There is no container engine at ${socket}: work from forks, and steps with rights on their host, are refused`,
  );
}

/** Opens the runtime that the settings name; what the other one needs is not loaded. */
async function openRuntime(settings: RuntimeSettings, generation: Generation, deps: RuntimeDeps): Promise<Runtime> {
  if (settings.kind === 'scripted') {
    const { ScriptedRuntime } = await import('../drivers/runtime/scripted/scripted-runtime.ts');
    return new ScriptedRuntime({ clock: deps.clock, timers: systemTimers });
  }
  const [{ RuntimeWithSettings }, { environment, files }] = await Promise.all([
    import('../drivers/runtime/with-settings/runtime-with-settings.ts'),
    readStepSettingsInput(settings).then(stepSettings),
  ]);
  const runtime =
    settings.kind === 'docker'
      ? await openDocker(settings, generation, files, deps)
      : await openSandbox(settings, generation, files, deps);
  const { images, registries } = settings.network;
  return new RuntimeWithSettings(runtime, { environment, secrets: secretsOf(settings.network), images, registries });
}

type Settings<Kind> = Extract<RuntimeSettings, { kind: Kind }>;

async function openSandbox(
  settings: Settings<'sandbox'>,
  generation: Generation,
  stepFiles: ReadonlyMap<string, Buffer>,
  { home, ...deps }: RuntimeDeps,
): Promise<Runtime> {
  const [{ createSandboxRuntime }, { createImages }] = await Promise.all([
    import('../drivers/runtime/sandbox/sandbox-runtime.ts'),
    import('./images.ts'),
  ]);
  return createSandboxRuntime({
    launcher: settings.launcher,
    folder: settings.folder,
    runFolder: settings.runFolder,
    caches: settings.caches,
    cacheHome: home,
    images: createImages(settings.images),
    generation,
    network: { isEnabled: true },
    caBundle: settings.caBundle ?? '',
    stepFiles,
    ...deps,
  });
}

async function openDocker(
  settings: Settings<'docker'>,
  generation: Generation,
  stepFiles: ReadonlyMap<string, Buffer>,
  { home, ...deps }: RuntimeDeps,
): Promise<Runtime> {
  const [{ createDockerRuntime }, { createComposedImages }] = await Promise.all([
    import('../drivers/runtime/docker/docker-runtime.ts'),
    import('./images.ts'),
  ]);
  const { caBundle, engine, images, privilegedImages, readersPath, subnets } = settings;
  return createDockerRuntime({
    engine,
    agent: generation,
    composed: createComposedImages(images),
    defaultRegistry: images.defaultRegistry,
    subnetRange: subnets,
    privilegedImages,
    readersPath,
    caches: home,
    // An engine may be elsewhere: what the sandbox mounts from this host goes there as bytes.
    stepFiles: caBundle === undefined ? stepFiles : new Map([...stepFiles, [caBundlePath, await readFile(caBundle)]]),
    timers: systemTimers,
    ...deps,
  });
}
