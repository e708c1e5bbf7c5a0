import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';

/** System calls that change files or make them durable: what `strace -f -y -e trace=…` must record for a replay. */
export const tracedCalls =
  'openat,open,creat,write,pwrite64,writev,ftruncate,rename,renameat,renameat2,link,linkat,unlink,unlinkat,mkdir,mkdirat,rmdir,chdir,fsync,fdatasync,sendto';

interface File {
  /** Whether everything written so far was synced. */
  isSynced: boolean;
}

interface Folder {
  readonly entries: Map<string, File | Folder>;
  /** The names that the last sync of the folder made durable. */
  durable: Map<string, File | Folder>;
}

const isFolder = (node: File | Folder | undefined): node is Folder => node !== undefined && 'entries' in node;
const newFolder = (): Folder => ({ entries: new Map(), durable: new Map() });

/**
 * What a disk may hold after the power went: the contents that were synced, under the names whose folder was synced since,
 * and nothing else. The harshest reading of POSIX, and harsher than the file systems we run on.
 */
export class PowerLossReplay {
  readonly #root: string;
  readonly #top = newFolder();
  readonly #folders = new Map<string, string>();
  readonly #pending = new Map<string, string>();

  /** Follows what happens below `root`, which is empty at the beginning. */
  constructor(root: string) {
    this.#root = root;
  }

  /** Takes lines of strace's output, in their order. */
  take(lines: readonly string[]): void {
    for (const line of lines) {
      const [, pid = '', rest = ''] = /^(\d+)\s+(.*)$/.exec(line) ?? [];
      const resumed = /^<\.\.\. \w+ resumed>(.*)$/.exec(rest)?.[1];
      if (rest.endsWith('<unfinished ...>')) this.#pending.set(pid, rest.slice(0, -' <unfinished ...>'.length));
      else if (resumed === undefined) this.#apply(pid, rest);
      else this.#apply(pid, `${this.#pending.get(pid) ?? ''}${resumed}`);
    }
  }

  #apply(pid: string, call: string): void {
    const [, name = '', args = '', result = ''] = /^(\w+)\((.*)\)\s+= (-?\d+)/s.exec(call) ?? [];
    const cwd = /AT_FDCWD<([^>]*)>/.exec(args)?.[1];
    if (cwd !== undefined) this.#folders.set(pid, cwd);
    if (name === '' || result.startsWith('-')) return;
    const at = this.#folders.get(pid) ?? '/';
    const paths = [...args.matchAll(/"((?:[^"\\]|\\.)*)"/g)].map(([, path = '']) => resolve(at, path));
    const handle = /^\d+<([^>]*)>/.exec(args)?.[1] ?? '';
    const [from = '', to = ''] = paths;
    switch (name) {
      case 'chdir':
        this.#folders.set(pid, from);
        break;
      case 'open':
      case 'openat':
      case 'creat':
        if (/O_CREAT|O_TRUNC/.test(args) || name === 'creat') this.#write(from, args.includes('O_TRUNC'));
        break;
      case 'write':
      case 'pwrite64':
      case 'writev':
      case 'ftruncate':
        this.#write(handle, true);
        break;
      case 'mkdir':
      case 'mkdirat':
        this.#parent(from)?.entries.set(basename(from), newFolder());
        break;
      case 'link':
      case 'linkat':
        this.#place(to, this.#find(from));
        break;
      case 'rename':
      case 'renameat':
      case 'renameat2': {
        const node = this.#find(from);
        this.#parent(from)?.entries.delete(basename(from));
        this.#place(to, node);
        break;
      }
      case 'unlink':
      case 'unlinkat':
      case 'rmdir':
        this.#parent(from)?.entries.delete(basename(from));
        break;
      case 'fsync':
      case 'fdatasync': {
        const node = this.#find(handle);
        if (isFolder(node)) node.durable = new Map(node.entries);
        else if (node) node.isSynced = true;
        break;
      }
      default:
    }
  }

  #write(path: string, changes: boolean): void {
    const parent = this.#parent(path);
    const node = parent?.entries.get(basename(path));
    if (!parent || isFolder(node)) return;
    if (!node) parent.entries.set(basename(path), { isSynced: false });
    else if (changes) node.isSynced = false;
  }

  #place(path: string, node: File | Folder | undefined): void {
    if (!node) return;
    this.#parent(path)?.entries.set(basename(path), node);
  }

  #parent(path: string): Folder | undefined {
    const node = path.startsWith(`${this.#root}/`) ? this.#find(dirname(path)) : undefined;
    return isFolder(node) ? node : undefined;
  }

  #find(path: string): File | Folder | undefined {
    if (path === this.#root) return this.#top;
    if (!path.startsWith(`${this.#root}/`)) return undefined;
    let node: File | Folder | undefined = this.#top;
    for (const part of path.slice(this.#root.length + 1).split('/'))
      node = isFolder(node) ? node.entries.get(part) : undefined;
    return node;
  }

  /**
   * Writes what survived to another folder. Contents that were not synced are empty, as after a real loss; a name that was
   * removed without its folder being synced comes back, with zeros for what it held.
   */
  async writeSurvivors(target: string): Promise<void> {
    const places = new Map<File, string>();
    note(this.#top, this.#root, places);
    await survive(this.#top, target, places);
  }
}

/** Where each file lies now, for its bytes: it may have been renamed since, or a folder above it. */
function note(folder: Folder, path: string, places: Map<File, string>): void {
  for (const [name, node] of folder.entries)
    if (isFolder(node)) note(node, join(path, name), places);
    else places.set(node, join(path, name));
}

async function survive(folder: Folder, target: string, places: ReadonlyMap<File, string>): Promise<void> {
  await mkdir(target, { recursive: true });
  for (const [name, node] of folder.durable) {
    const path = join(target, name);
    if (isFolder(node)) await survive(node, path, places);
    else {
      const place = places.get(node);
      await writeFile(path, place === undefined ? `${'0'.repeat(40)}\n` : node.isSynced ? await readFile(place) : '');
    }
  }
}
