import { lstatSync, readlinkSync } from 'node:fs';
import type { Bind } from './launcher.ts';

/** Folders of the host with its programs; nothing of its configuration or data. */
const systemFolders = ['usr', 'bin', 'sbin', 'lib', 'lib32', 'lib64', 'libx32'] as const;

/** The host's own programs as the file system of a sandbox: for checkouts by git and for the self-test. */
export interface HostSystem {
  readonly folders: readonly string[];
  /** On a merged system `/bin` and its like are links into `/usr`. */
  readonly links: readonly { readonly name: string; readonly target: string }[];
  readonly binds: readonly Bind[];
}

export function readHostSystem(): HostSystem {
  const folders: string[] = [];
  const links: { name: string; target: string }[] = [];
  for (const name of systemFolders) {
    const found = lstatSync(`/${name}`, { throwIfNoEntry: false });
    if (found?.isSymbolicLink()) links.push({ name, target: readlinkSync(`/${name}`) });
    else if (found?.isDirectory()) folders.push(name);
  }
  return {
    folders,
    links,
    binds: folders.map((name) => ({ source: `/${name}`, target: `/${name}`, isWritable: false })),
  };
}
