import type { Runtime } from '../drivers/runtime/runtime.ts';
import type { Generation } from '../drivers/runtime/sandbox/generation.ts';
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
  const [{ createSandboxRuntime }, { createImages }] = await Promise.all([
    import('../drivers/runtime/sandbox/sandbox-runtime.ts'),
    import('./images.ts'),
  ]);
  return createSandboxRuntime({
    launcher: settings.launcher,
    folder: settings.folder,
    runFolder: settings.runFolder,
    images: createImages(settings.images),
    generation,
    network: { isEnabled: true },
    caBundle: settings.caBundle,
    ...deps,
  });
}
