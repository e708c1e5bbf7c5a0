import type { BuilderProbe } from '../drivers/builder/builder.ts';
import { buildNetwork } from '../engine/build-network.ts';
import { proxyVariables } from '../engine/step-settings.ts';
import type { Clock } from '../lib/clock.ts';
import type { Logger } from '../lib/logger.ts';
import { systemTimers } from '../lib/timers.ts';
import type { BuildPlace } from '../runner/build-step.ts';
import { readStepSettingsInput } from './read-step-settings.ts';
import type { BuilderSettings } from './runner-settings.ts';

/** What builders take for the proxy by themselves, and keep out of images. */
const proxyArguments = /^(?:https?|no)_proxy$/i;

/** Opens the builder of a runner; nothing of it is loaded where there is none. */
export async function openBuilder(
  settings: BuilderSettings | undefined,
  { clock, logger }: { readonly clock: Clock; readonly logger: Logger },
): Promise<BuildPlace | undefined> {
  if (!settings) return undefined;
  const [{ createEngineBuilder }, { createComposedImages }] = await Promise.all([
    import('../drivers/builder/engine/engine-builder.ts'),
    import('./images.ts'),
  ]);
  const { ecrEndpoint, engine, hasOwnCaBundle, images, network, readersPath, recordsFolder } = settings;
  const input = await readStepSettingsInput(settings);
  const proxy = Object.entries(proxyVariables(network)).filter(([name]) => proxyArguments.test(name));
  return {
    builder: createEngineBuilder({
      engine,
      composed: createComposedImages(images),
      defaultRegistry: images.defaultRegistry,
      readersPath,
      recordsFolder,
      timers: systemTimers,
      clock,
      logger,
    }),
    images: network.images,
    registries: network.registries,
    args: Object.fromEntries(proxy),
    network: buildNetwork({ ...input, hasOwnCaBundle }),
    ecrEndpoint,
  };
}

/** What `gantry doctor` says of it. */
export async function probeBuilder(
  settings: BuilderSettings,
  deps: { readonly clock: Clock; readonly logger: Logger },
): Promise<BuilderProbe> {
  const place = await openBuilder(settings, deps);
  if (!place) return { isUsable: false, findings: [], platforms: [] };
  try {
    return await place.builder.probe();
  } finally {
    await place.builder.close();
  }
}
