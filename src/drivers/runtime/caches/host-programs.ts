import { execFile } from 'node:child_process';
import { accessSync, constants, existsSync, statSync } from 'node:fs';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Programs of the host that the sandbox is made of, and the Debian package that brings each. */
const packages = {
  perl: 'perl-base',
  bwrap: 'bubblewrap',
  runc: 'runc',
  ip: 'iproute2',
  nft: 'nftables',
  nsenter: 'util-linux',
  rm: 'coreutils',
  chmod: 'coreutils',
  du: 'coreutils',
  sync: 'coreutils',
  cp: 'coreutils',
} as const;

export type HostProgram = keyof typeof packages;

const folders = ['/usr/sbin', '/usr/bin', '/sbin', '/bin', '/usr/local/sbin', '/usr/local/bin'];

/** Absolute path of a program of the host, looked for in the system's own folders and never in PATH. */
export function findHostProgram(name: HostProgram): string | undefined {
  for (const folder of folders) {
    const path = `${folder}/${name}`;
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      continue;
    }
  }
  return undefined;
}

/** `install bubblewrap`: what a finding tells the reader to do. */
export function packageOf(name: HostProgram): string {
  return packages[name];
}

/** perl with what it is linked with, so that it runs where the image has nothing of it. */
export interface PerlProgram {
  readonly path: string;
  readonly loader: string;
  readonly libraries: readonly string[];
  /** Changes when one of the files does. */
  readonly identity: string;
}

/** Throws when there is no perl, or when it is not linked as expected. */
export async function readPerl(path: string): Promise<PerlProgram> {
  const loader = ['/lib64/ld-linux-x86-64.so.2', '/lib/ld-linux-aarch64.so.1'].find((file) => existsSync(file));
  if (!loader) throw new Error('the dynamic loader of glibc is not where it should be');
  const { stdout } = await run(loader, ['--list', path], { env: {} });
  const libraries = [...stdout.matchAll(/=> (\/\S+)/g)].map((match) => match[1]!);
  const files = [path, loader, ...libraries];
  const identity = files.map((file) => `${file}:${statSync(file).size}:${statSync(file).mtimeMs}`).join(' ');
  return { path, loader, libraries, identity };
}
