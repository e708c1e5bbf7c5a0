import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { chmod, copyFile, mkdir, mkdtemp, symlink, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { GantryError } from '../../../core/errors.ts';
import type { PerlProgram } from '../caches/host-programs.ts';
import { gateProgram } from './gate-program.ts';
import type { HostSystem } from './host-system.ts';

/** Folder in every sandbox that holds the gate and the mount points that are ours. Never the image's own files. */
export const gateFolder = '/.gantry';

/** Mount point of the project's objects, read-only: where the checkout's alternates point. */
export const objectsMountPoint = `${gateFolder}/objects`;

export const stepHostname = 'gantry';

/** Where a workspace would hide what images need, or could not be mounted. */
const takenFolders = [
  '/',
  '/bin',
  '/boot',
  '/dev',
  '/etc',
  '/lib',
  '/lib32',
  '/lib64',
  '/libx32',
  '/proc',
  '/sbin',
  '/sys',
  gateFolder,
];

export interface SkeletonContent {
  /** Mount point of the workspace in the step. */
  readonly workspace: string;
  /** Text of `/etc/resolv.conf`. */
  readonly resolvConf: string;
  /** Whether a CA bundle will be bound into the sandbox. */
  readonly hasCaBundle: boolean;
  /** Files that the settings give to every step, by absolute path. */
  readonly files?: SkeletonFiles | undefined;
  /** Mount points and links of the host's programs, where there is no image below. */
  readonly system?: Pick<HostSystem, 'folders' | 'links'> | undefined;
}

export interface SkeletonFiles {
  /** Changes with any of them. */
  readonly digest: string;
  readonly files: ReadonlyMap<string, Buffer>;
}

/** Where the CA bundle is bound in every sandbox. */
export const caBundleMountPoint = `${gateFolder}/ca-bundle.pem`;

/**
 * The layer that lies on top of every image: mount points, generated files of `/etc`, and the gate. Because it is the
 * topmost lower, a link of a hostile image cannot redirect a mount: where we mount there is always a real folder.
 * One per content, made once and kept.
 */
export class Skeletons {
  readonly #folder: string;
  readonly #perl: PerlProgram;
  readonly #made = new Map<string, Promise<string>>();

  constructor(folder: string, perl: PerlProgram) {
    this.#folder = folder;
    this.#perl = perl;
  }

  /** Folder of the layer. Throws RUNTIME_UNAVAILABLE when it cannot be written. */
  provide(content: SkeletonContent): Promise<string> {
    const asked = JSON.stringify({ ...content, files: content.files?.digest });
    let made = this.#made.get(asked);
    if (!made) {
      made = this.#make(content, asked);
      this.#made.set(asked, made);
      made.catch(() => this.#made.delete(asked));
    }
    return made;
  }

  async #make(content: SkeletonContent, asked: string): Promise<string> {
    const key = createHash('sha256')
      .update(JSON.stringify([asked, gateProgram, this.#perl.identity]))
      .digest('hex')
      .slice(0, 24);
    const target = join(this.#folder, key);
    if (existsSync(target)) return target;
    mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
    const draft = await mkdtemp(join(this.#folder, '.draft-'));
    try {
      await this.#fill(draft, content);
      renameSync(draft, target);
    } catch (error) {
      rmSync(draft, { recursive: true, force: true });
      // Another runner made the same one meanwhile.
      if (existsSync(target)) return target;
      throw new GantryError('RUNTIME_UNAVAILABLE', 'Cannot write the layer that lies on top of every image', {
        cause: error,
      });
    }
    return target;
  }

  async #fill(root: string, content: SkeletonContent): Promise<void> {
    const folders: readonly (readonly [string, number])[] = [
      ['', 0o755],
      ['dev', 0o755],
      ['etc', 0o755],
      ['proc', 0o555],
      ['sys', 0o555],
      ['tmp', 0o1777],
      [gateFolder.slice(1), 0o755],
      [objectsMountPoint.slice(1), 0o755],
    ];
    for (const [name, mode] of folders) {
      await mkdir(join(root, name), { recursive: true });
      await chmod(join(root, name), mode);
    }
    let made = '';
    for (const part of content.workspace.split('/').filter(Boolean)) {
      made = join(made, part);
      if (!existsSync(join(root, made))) {
        await mkdir(join(root, made));
        await chmod(join(root, made), 0o755);
      }
    }
    await writeFile(join(root, 'etc/resolv.conf'), content.resolvConf, { mode: 0o644 });
    await writeFile(join(root, 'etc/hostname'), `${stepHostname}\n`, { mode: 0o644 });
    await writeFile(
      join(root, 'etc/hosts'),
      `127.0.0.1 localhost ${stepHostname}\n::1 localhost ip6-localhost ip6-loopback\n`,
      { mode: 0o644 },
    );
    for (const name of content.system?.folders ?? []) await mkdir(join(root, name), { mode: 0o755 });
    for (const link of content.system?.links ?? []) await symlink(link.target, join(root, link.name));
    const gate = join(root, gateFolder);
    if (content.hasCaBundle) await writeFile(join(gate, basename(caBundleMountPoint)), '', { mode: 0o444 });
    for (const [path, bytes] of content.files?.files ?? []) {
      await mkdir(dirname(join(root, path)), { recursive: true, mode: 0o755 });
      await writeFile(join(root, path), bytes, { mode: 0o444 });
    }
    await writeFile(join(gate, 'gate'), gateProgram, { mode: 0o444 });
    for (const [name, source] of [
      ['perl', this.#perl.path],
      ['ld.so', this.#perl.loader],
      ...this.#perl.libraries.map((path) => [basename(path), path] as const),
    ] as const) {
      await copyFile(source, join(gate, name));
      await chmod(join(gate, name), 0o555);
    }
  }
}

/** The folder of the system in which this path lies; `undefined` when it lies in none. */
export function findTakenFolder(path: string): string | undefined {
  return takenFolders.find((folder) => path === folder || (folder !== '/' && path.startsWith(`${folder}/`)));
}

/** Why this cannot be a workspace's mount point; `undefined` when it can. */
export function findWorkspaceFault(workspace: string): string | undefined {
  if (!workspace.startsWith('/')) return 'it is not an absolute path';
  const parts = workspace.split('/').filter(Boolean);
  if (parts.some((part) => part === '.' || part === '..')) return 'it has "." or ".." in it';
  if (parts.length > 32 || workspace.length > 1_000 || workspace.includes('\0')) return 'it is too long';
  const clean = `/${parts.join('/')}`;
  const taken = findTakenFolder(clean);
  return taken === undefined ? undefined : `${taken} belongs to the system of the image`;
}
