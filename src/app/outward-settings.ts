import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { GantryError } from '../core/errors.ts';
import type { NetworkSettings } from '../core/network-settings.ts';
import { proxyVariables } from '../engine/step-settings.ts';
import type { Config } from './config.ts';
import { readNetworkFile } from './network-file.ts';

/** How this host and its steps reach the rest of the world. */
export interface OutwardSettings {
  /** Absolute path of a file that is there; absent = this host has no bundle. */
  readonly caBundle: string | undefined;
  readonly network: NetworkSettings;
}

const hostCaBundle = '/etc/ssl/certs/ca-certificates.crt';

/** Reads the file of proxy and mirrors, and finds the CA bundle. Throws CONFIG_INVALID. */
export function readOutwardSettings(config: Pick<Config, 'caBundle' | 'mirrors'>): OutwardSettings {
  const network = readNetworkFile(config.mirrors);
  if (config.caBundle === undefined) return { caBundle: existsSync(hostCaBundle) ? hostCaBundle : undefined, network };
  const caBundle = resolve(config.caBundle);
  if (!existsSync(caBundle))
    throw new GantryError('CONFIG_INVALID', `Cannot read the settings: GANTRY_CA_BUNDLE: there is no file ${caBundle}`);
  return { caBundle, network };
}

/** Variables by which a Node process of ours, such as the runner that pulls images, goes out. */
export function processVariables({ caBundle, network }: OutwardSettings): Record<string, string> {
  return { ...proxyVariables(network), ...(caBundle === undefined ? {} : { NODE_EXTRA_CA_CERTS: caBundle }) };
}
