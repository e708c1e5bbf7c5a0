import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Where the host gets Debian packages of a suite. */
export interface DebianAddresses {
  readonly main: readonly string[];
  readonly security: readonly string[];
}

/** All of the host's apt sources, in both formats. */
export async function readHostSources(): Promise<string> {
  const folder = '/etc/apt/sources.list.d';
  const names: string[] = await readdir(folder).catch(() => []);
  names.sort();
  const files = ['/etc/apt/sources.list', ...names.map((name) => join(folder, name))];
  return (await Promise.all(files.map((file) => readFile(file, 'utf8').catch(() => '')))).join('\n\n');
}

/** Addresses of a suite and of its security updates in the text of apt sources; those of other systems are left out. */
export function debianAddresses(sources: string, suite: string): DebianAddresses {
  const found = { main: new Set<string>(), security: new Set<string>() };
  const add = (uris: readonly string[], suites: readonly string[]): void => {
    const usable = uris.filter((uri) => /^https?:\/\/[^@]+$/.test(uri));
    if (suites.includes(suite)) for (const uri of usable) found.main.add(uri);
    if (suites.includes(`${suite}-security`)) for (const uri of usable) found.security.add(uri);
  };
  for (const line of sources.split('\n')) {
    const [, uri, name] = /^deb\s+(?:\[[^\]]*\]\s+)?(\S+)\s+(\S+)\s/.exec(line) ?? [];
    if (uri !== undefined && name !== undefined) add([uri], [name]);
  }
  for (const stanza of sources.replaceAll(/^#.*\n/gm, '').split(/\n\s*\n/)) {
    const words = (field: string): readonly string[] =>
      new RegExp(`^${field}:(.*)$`, 'im').exec(stanza)?.[1]?.trim().split(/\s+/) ?? [];
    if (words('Types').includes('deb')) add(words('URIs'), words('Suites'));
  }
  return { main: [...found.main], security: [...found.security] };
}
