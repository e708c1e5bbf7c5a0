import type { RegistryCredentials } from './image.ts';
import type { ImageRule } from './image-rule.ts';

/** Where the tools of steps, and Gantry itself, find what they fetch. By default nothing is set and all go out directly. */
export interface NetworkSettings {
  readonly proxy?: ProxySettings | undefined;
  readonly mirrors: Mirrors;
  /** Rules for image names; the first that matches counts. */
  readonly images: readonly ImageRule[];
  /** For pulls of images that a rule rewrote; never for a name that a file writes itself. */
  readonly registries: readonly RegistryCredentials[];
}

/** Addresses with scheme, and with `user:password@` where it asks for that. */
export interface ProxySettings {
  readonly http?: string | undefined;
  readonly https?: string | undefined;
  /** Hosts, and domains that begin with a dot, that are reached directly. */
  readonly noProxy: readonly string[];
}

/** Addresses as each tool takes them, credentials included; absent = the tool's own. */
export interface Mirrors {
  readonly npm?: string | undefined;
  /** The "simple" index. */
  readonly pypi?: string | undefined;
  readonly go?: string | undefined;
  /** Checksum database of Go: a name, `off`, or absent for the tool's own. */
  readonly goSumDb?: string | undefined;
  readonly maven?: string | undefined;
  /** `sparse+https://…/`. */
  readonly cargo?: string | undefined;
  /** The archive, `…/debian`; without credentials, which apt takes from files only. */
  readonly debian?: string | undefined;
  readonly debianSecurity?: string | undefined;
  readonly rubygems?: string | undefined;
}

export const noNetworkSettings: NetworkSettings = { mirrors: {}, images: [], registries: [] };

/** An address without its user and password, and these two, decoded. Throws TypeError for what is no address. */
export function splitCredentials(address: string): {
  readonly address: string;
  readonly username: string;
  readonly password: string;
} {
  const [, prefix = '', plain = address] = /^(sparse\+)?(.*)$/s.exec(address) ?? [];
  const url = new URL(plain);
  const { username, password } = url;
  if (username === '' && password === '') return { address, username, password };
  url.username = '';
  url.password = '';
  return {
    address: `${prefix}${url.href}`,
    username: decodeURIComponent(username),
    password: decodeURIComponent(password),
  };
}

/** Everything in the settings that must not appear in a log. */
export function secretsOf({ mirrors, proxy, registries }: NetworkSettings): readonly string[] {
  const found = new Set<string>();
  for (const address of [...Object.values(mirrors), proxy?.http, proxy?.https]) {
    const [, pair] = /^[a-z+]+:\/\/([^/@\s]*)@/i.exec(address ?? '') ?? [];
    if (address === undefined || pair === undefined) continue;
    const { username, password } = splitCredentials(address);
    // A name alone is a token.
    found.add(password === '' ? username : password);
    found.add(pair.split(':').at(-1) ?? pair);
    found.add(`${username}:${password}`);
    found.add(pair);
  }
  for (const { username, password } of registries) found.add(password).add(`${username}:${password}`);
  found.delete('');
  return [...found];
}
