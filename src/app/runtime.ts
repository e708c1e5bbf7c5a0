import { readFile } from 'node:fs/promises';
import { secretsOf } from '../core/network-settings.ts';
import { debianAddresses, readHostSources } from '../drivers/images/composed/host-debian-sources.ts';
import type { Runtime } from '../drivers/runtime/runtime.ts';
import type { Generation } from '../drivers/runtime/sandbox/generation.ts';
import { type StepSettings, stepSettings } from '../engine/step-settings.ts';
import type { Clock } from '../lib/clock.ts';
import type { Logger } from '../lib/logger.ts';
import { systemTimers } from '../lib/timers.ts';
import type { RunnerSettings } from './runner-settings.ts';

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
  const [{ createSandboxRuntime }, { createImages }, { RuntimeWithSettings }, { environment, files }] =
    await Promise.all([
      import('../drivers/runtime/sandbox/sandbox-runtime.ts'),
      import('./images.ts'),
      import('../drivers/runtime/with-settings/runtime-with-settings.ts'),
      readStepSettings(settings),
    ]);
  const sandbox = await createSandboxRuntime({
    launcher: settings.launcher,
    folder: settings.folder,
    runFolder: settings.runFolder,
    images: createImages(settings.images),
    generation,
    network: { isEnabled: true },
    caBundle: settings.caBundle ?? '',
    stepFiles: files,
    ...deps,
  });
  const { images, registries } = settings.network;
  return new RuntimeWithSettings(sandbox, { environment, secrets: secretsOf(settings.network), images, registries });
}

/** What every step is given, from the settings and from what this host has. */
async function readStepSettings({
  caBundle,
  network,
}: Pick<Extract<RunnerSettings['runtime'], { kind: 'sandbox' }>, 'caBundle' | 'network'>): Promise<StepSettings> {
  return stepSettings({
    network,
    caBundle: caBundle === undefined ? undefined : await readFile(caBundle, 'utf8'),
    debianSources: debianAddresses(await readHostSources(), 'bookworm'),
  });
}
