import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Config } from './config.ts';
import { imageSettings } from './images.ts';
import { readOutwardSettings } from './outward-settings.ts';
import { type BuilderSettings, imageReadersPath, sandboxFolder } from './runner-settings.ts';

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
    hasOwnCaBundle: config.caBundle !== undefined,
    network,
    images: imageSettings(config, environment, { caBundle, network }),
    readersPath: imageReadersPath(config),
    recordsFolder: join(sandboxFolder(config), 'builds'),
    ecrEndpoint: config.ecrEndpoint,
  };
}
