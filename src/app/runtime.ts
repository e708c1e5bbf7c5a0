import { readFile } from 'node:fs/promises';
import { secretsOf } from '../core/network-settings.ts';
import { debianAddresses, readHostSources } from '../drivers/images/composed/host-debian-sources.ts';
import type { Runtime } from '../drivers/runtime/runtime.ts';
import type { Generation } from '../drivers/runtime/sandbox/generation.ts';
import { caBundlePath, type StepSettings, stepSettings } from '../engine/step-settings.ts';
import type { Clock } from '../lib/clock.ts';
import type { Logger } from '../lib/logger.ts';
import { systemTimers } from '../lib/timers.ts';
import type { OutwardRuntimeSettings, RunnerSettings } from './runner-settings.ts';

/** Opens the runtime that the settings name; what the other one needs is not loaded. */
export async function openRuntime(
  settings: RunnerSettings['runtime'],
  generation: Generation,
  deps: { readonly clock: Clock; readonly logger: Logger },
): Promise<Runtime> {
  if (settings.kind === 'scripted') {
    const { ScriptedRuntime } = await import('../drivers/runtime/scripted/scripted-runtime.ts');
    return new ScriptedRuntime({ clock: deps.clock, timers: systemTimers });
  }
  const [{ RuntimeWithSettings }, { environment, files }] = await Promise.all([
    import('../drivers/runtime/with-settings/runtime-with-settings.ts'),
    readStepSettings(settings),
  ]);
  const runtime =
    settings.kind === 'docker'
      ? await openDocker(settings, generation, files, deps)
      : await openSandbox(settings, generation, files, deps);
  const { images, registries } = settings.network;
  return new RuntimeWithSettings(runtime, { environment, secrets: secretsOf(settings.network), images, registries });
}

type Settings<Kind> = Extract<RunnerSettings['runtime'], { kind: Kind }>;

async function openSandbox(
  settings: Settings<'sandbox'>,
  generation: Generation,
  stepFiles: ReadonlyMap<string, Buffer>,
  deps: { readonly clock: Clock; readonly logger: Logger },
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
  deps: { readonly clock: Clock; readonly logger: Logger },
): Promise<Runtime> {
  const [{ createDockerRuntime }, { createComposedImages }] = await Promise.all([
    import('../drivers/runtime/docker/docker-runtime.ts'),
    import('./images.ts'),
  ]);
  const { caBundle, engine, images, subnets } = settings;
  return createDockerRuntime({
    engine,
    agent: generation,
    composed: createComposedImages(images),
    defaultRegistry: images.defaultRegistry,
    subnetRange: subnets,
    // An engine may be elsewhere: what the sandbox mounts from this host goes there as bytes.
    stepFiles: caBundle === undefined ? stepFiles : new Map([...stepFiles, [caBundlePath, await readFile(caBundle)]]),
    timers: systemTimers,
    ...deps,
  });
}

/** What every step is given, from the settings and from what this host has. */
async function readStepSettings({
  caBundle,
  network,
}: Pick<OutwardRuntimeSettings, 'caBundle' | 'network'>): Promise<StepSettings> {
  return stepSettings({
    network,
    caBundle: caBundle === undefined ? undefined : await readFile(caBundle, 'utf8'),
    debianSources: debianAddresses(await readHostSources(), 'bookworm'),
  });
}
