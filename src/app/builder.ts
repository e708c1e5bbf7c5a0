import { existsSync } from 'node:fs';
import type { BuilderProbe } from '../drivers/builder/builder.ts';
import { proxyVariables } from '../engine/step-settings.ts';
import type { Clock } from '../lib/clock.ts';
import type { Logger } from '../lib/logger.ts';
import { systemTimers } from '../lib/timers.ts';
import type { BuildPlace } from '../runner/build-step.ts';
import type { Config } from './config.ts';
import { imageSettings } from './images.ts';
import { readOutwardSettings } from './outward-settings.ts';
import { type BuilderSettings, imageReadersPath } from './runner-settings.ts';

/** What builders take for the proxy by themselves, and keep out of images. */
const proxyArguments = /^(?:https?|no)_proxy$/i;

/**
 * The engine that builds images: the one that is named, or (`auto`) that of GANTRY_DOCKER_HOST where its socket is there;
 * `undefined` = none.
 */
export function builderAddress({
  builder,
  dockerHost,
  runtime,
}: Pick<Config, 'builder' | 'dockerHost' | 'runtime'>): string | undefined {
  if (builder === 'none') return undefined;
  if (builder !== 'auto') return builder;
  if (runtime === 'scripted') return undefined;
  const socket = /^unix:\/\/(.+)$/.exec(dockerHost)?.[1];
  return socket === undefined || existsSync(socket) ? dockerHost : undefined;
}

export function builderSettings(
  config: Config,
  environment: Readonly<Record<string, string | undefined>>,
): BuilderSettings | undefined {
  const engine = builderAddress(config);
  if (engine === undefined) return undefined;
  const { caBundle, network } = readOutwardSettings(config);
  return {
    engine,
    caBundle,
    network,
    images: imageSettings(config, environment, { caBundle, network }),
    readersPath: imageReadersPath(config),
  };
}

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
  const { engine, images, network, readersPath } = settings;
  const proxy = Object.entries(proxyVariables(network)).filter(([name]) => proxyArguments.test(name));
  return {
    builder: createEngineBuilder({
      engine,
      composed: createComposedImages(images),
      defaultRegistry: images.defaultRegistry,
      readersPath,
      timers: systemTimers,
      clock,
      logger,
    }),
    images: network.images,
    registries: network.registries,
    args: Object.fromEntries(proxy),
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
