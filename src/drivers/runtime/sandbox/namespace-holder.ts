import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, constants, mkdirSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { GantryError } from '../../../core/errors.ts';
import type { OverlayMount } from '../caches/overlay.ts';
import { encodeFrame } from './frames.ts';
import type { Bind } from './launcher.ts';
import { namespaceHolderCalls, namespaceHolderProgram } from './namespace-holder-program.ts';
import { syscallArguments } from './system-calls.ts';

export interface HolderOptions {
  /** Unique among the holders of a runner. */
  readonly name: string;
  readonly runFolder: string;
  readonly perl: string;
  /** Whether the holder needs a user namespace of its own because we are not root. */
  readonly isRootless: boolean;
}

/** What a launcher needs to be started behind the gate; see namespace-holder-program.ts. */
export interface LaunchSpec {
  readonly command: readonly string[];
  readonly cgroupFiles: readonly string[];
  readonly overlay: OverlayMount;
  /** Path of the compiled filter; absent when the launcher installs one by itself. */
  readonly seccompPath?: string | undefined;
  /** Whether the launcher gets a process namespace of its own, so that killing it ends its container too. */
  readonly hasOwnPids: boolean;
  /** Control group folders that stay visible to the launcher; empty = all. */
  readonly visibleCgroups: readonly string[];
  /** Options that the launcher reads from descriptor 6, apart from its command line. */
  readonly options?: readonly string[] | undefined;
  /** What is mounted in the root file system before the launcher starts; absent when the launcher does that. */
  readonly furniture?: { readonly shmBytes: number; readonly binds: readonly Bind[] } | undefined;
  /** A file written to the holder's memory before the launcher starts. */
  readonly file?: { readonly path: string; readonly text: string } | undefined;
}

/** The runner's ends of a launched step's pipes. Whoever takes them closes them. */
export interface LaunchPipes {
  readonly out: number;
  readonly err: number;
  readonly gate: number;
  readonly status: number;
}

export interface Launched {
  readonly pipes: LaunchPipes;
  /** Wait status of the launcher as the kernel tells it; `undefined` when the holder died first. */
  readonly exited: Promise<number | undefined>;
  /** SIGKILL to the launcher, which takes everything in its process namespace along. */
  kill(): void;
}

/** The process that keeps the namespaces of one job. When it dies, the kernel ends everything the job ever started. */
export class NamespaceHolder {
  readonly name: string;
  /** Process id of the inner process on the host: names its namespaces for `ip` and `/proc`. */
  readonly pid: number;
  /** Folder of the holder's private tmpfs, as its own processes see it. */
  readonly mountPoint: string;
  /** Settles when the holder is gone, whatever ended it. */
  readonly died: Promise<void>;
  readonly #child: ChildProcess;
  readonly #pipes: StepEnds[];
  readonly #pipesWanted: ((ends: StepEnds) => void)[] = [];
  readonly #opened = new Map<string, { resolve: () => void; reject: (error: Error) => void }>();
  readonly #exits = new Map<string, (status: number | undefined) => void>();
  /** Mounts that were asked for, by name: `workspace`, `objects`, `volume-1`. */
  readonly #mounts = new Map<string, { resolve: () => void; reject: (error: Error) => void }>();
  #isDead = false;
  #launches = 0;

  private constructor(
    options: HolderOptions,
    child: ChildProcess,
    started: { pid: number; pipes: StepEnds[] },
    lines: { listener: (line: string) => void },
  ) {
    this.name = options.name;
    this.pid = started.pid;
    this.mountPoint = mountPointOf(options.runFolder);
    this.#child = child;
    this.#pipes = started.pipes;
    lines.listener = (line) => this.#hear(line);
    this.died = new Promise((resolve) => {
      child.once('exit', () => {
        this.#isDead = true;
        const error = this.#gone();
        for (const waiter of this.#opened.values()) waiter.reject(error);
        for (const waiter of this.#mounts.values()) waiter.reject(error);
        for (const settle of this.#exits.values()) settle(undefined);
        this.#opened.clear();
        this.#exits.clear();
        resolve();
      });
    });
  }

  /** Starts a holder; its mounts and namespaces are ready when the promise resolves. */
  static async start(options: HolderOptions): Promise<NamespaceHolder> {
    mkdirSync(mountPointOf(options.runFolder), { recursive: true, mode: 0o700 });
    const child = spawn(
      options.perl,
      [
        '-e',
        namespaceHolderProgram,
        mountPointOf(options.runFolder),
        String(process.pid),
        options.isRootless ? '1' : '',
        ...syscallArguments(namespaceHolderCalls),
      ],
      { stdio: ['pipe', 'pipe', 'pipe'], detached: true, env: {}, cwd: '/' },
    );
    const lines: { listener: (line: string) => void } = { listener: () => {} };
    let complaint = '';
    child.stderr!.on('data', (bytes: Buffer) => {
      complaint = `${complaint}${bytes.toString('utf8')}`.slice(-2_000);
    });
    readLines(child, lines);
    child.stdin!.on('error', () => {
      // The holder is gone: its exit tells everyone who waits.
    });
    const started = await new Promise<{ pid: number; pipes: StepEnds[] }>((resolve, reject) => {
      const pipes: StepEnds[] = [];
      let pid = 0;
      let isReady = false;
      const refuse = (why: string): void =>
        reject(new GantryError('RUNTIME_UNAVAILABLE', `Cannot start a job's namespaces: ${why}`));
      child.once('error', (error) => refuse(error.message));
      child.once('exit', () => refuse(complaint.trim() || 'the process that holds them ended at once'));
      lines.listener = (line) => {
        const [word, ...rest] = line.split(' ');
        if (word === 'pid') pid = Number(rest[0]);
        else if (word === 'pipes') pipes.push(endsOf(rest));
        else if (word === 'failed') refuse(rest.join(' '));
        else if (word === 'ready') isReady = true;
        // Two processes say the two: either may come first.
        if (isReady && pid > 0) resolve({ pid, pipes });
      };
    });
    return new NamespaceHolder(options, child, started, lines);
  }

  /** Binds a folder, or mounts an overlay, as the workspace: sandboxes see it, those launched before too. Once. */
  setWorkspace(workspace: { readonly folder: string } | { readonly overlay: OverlayMount }): Promise<void> {
    return 'folder' in workspace
      ? this.#mount('workspace', [workspace.folder, '', ''])
      : this.#mount('workspace', ['', workspace.overlay.options, workspace.overlay.links.join('\n')]);
  }

  /** Binds the objects of the job's repository, read-only, as `setWorkspace` does the workspace. Once. */
  setObjects(folder: string): Promise<void> {
    return this.#mount('objects', [folder]);
  }

  /** Mounts a volume in memory, empty and writable for every user; answers its folder. Once for a number. */
  async makeMemoryVolume(number: number, sizeBytes: number): Promise<string> {
    await this.#mount(`volume-${number}`, [String(number), `size=${sizeBytes},mode=0777`], 'volume');
    return join(this.mountPoint, 'volumes', String(number));
  }

  /** The folder where a cache will be mounted: sandboxes that are launched from now on see it then. */
  makeCachePlace(number: number): string {
    this.#send(['cache-place', String(number)]);
    return this.placeOfCache(number);
  }

  placeOfCache(number: number): string {
    return join(this.mountPoint, 'caches', String(number));
  }

  /** Mounts a cache at its place; done again, the new one lies over the one before. */
  mountCache(number: number, overlay: OverlayMount): Promise<void> {
    return this.#mount(`cache-${number}`, [String(number), overlay.options, overlay.links.join('\n')], 'cache');
  }

  /**
   * Shows a cache at a path of the workspace; answers false when something is there already. `isOver`: over what it
   * showed there before.
   */
  async showCache(
    number: number,
    path: string,
    { isOver = false }: { readonly isOver?: boolean } = {},
  ): Promise<boolean> {
    // O_PATH has no name in Node.
    const flags = 0o10000000 | constants.O_DIRECTORY | constants.O_NOFOLLOW;
    try {
      await this.#mount(`cache-show-${number}`, [String(number), String(flags), path, isOver ? '1' : ''], 'cache-show');
      return true;
    } catch (error) {
      if (error instanceof GantryError && error.message.endsWith(': occupied')) return false;
      throw error;
    }
  }

  /** Rejects while a file of it is open for writing. */
  lockCache(number: number, isLocked: boolean): Promise<void> {
    return this.#mount(`cache-lock-${number}`, [String(number), isLocked ? '1' : ''], 'cache-lock');
  }

  dropCache(number: number): Promise<void> {
    return this.#mount(`cache-drop-${number}`, [String(number)], 'cache-drop');
  }

  /** The folder that is, or will be, the workspace or the repository's objects. */
  placeOf(what: 'workspace' | 'objects'): string {
    return join(this.mountPoint, what);
  }

  /** Starts a launcher with fresh pipes. Resolves when both ends of them are open. */
  async launch(spec: LaunchSpec): Promise<Launched> {
    if (this.#isDead) throw this.#gone();
    const ends = this.#pipes.shift() ?? (await new Promise<StepEnds>((resolve) => this.#pipesWanted.push(resolve)));
    const pipes = openPipes(this.pid, ends);
    this.#launches += 1;
    const id = String(this.#launches);
    const exited = new Promise<number | undefined>((resolve) => this.#exits.set(id, resolve));
    try {
      await new Promise<void>((resolve, reject) => {
        this.#opened.set(id, { resolve, reject });
        if (this.#isDead) reject(this.#gone());
        this.#send([
          'launch',
          id,
          ends.number,
          spec.cgroupFiles.join('\n'),
          spec.overlay.options,
          spec.overlay.links.join('\n'),
          spec.seccompPath ?? '',
          spec.hasOwnPids ? '1' : '',
          spec.visibleCgroups.join('\n'),
          spec.file?.path ?? '',
          spec.file?.text ?? '',
          (spec.options ?? []).map((option) => `${option}\0`).join(''),
          spec.furniture ? furnitureField(spec.furniture) : '',
          ...spec.command,
        ]);
      });
    } catch (error) {
      closePipes(pipes);
      this.#exits.delete(id);
      throw error;
    }
    return { pipes, exited, kill: () => this.#send(['kill', id]) };
  }

  /** Ends the job's processes and gives back its namespaces and pipes. May be called twice. */
  async close(): Promise<void> {
    if (!this.#isDead) this.#child.kill('SIGKILL');
    await this.died;
  }

  async #mount(what: string, fields: readonly string[], command = what): Promise<void> {
    if (this.#isDead) throw this.#gone();
    await new Promise<void>((resolve, reject) => {
      this.#mounts.set(what, { resolve, reject });
      this.#send([command, ...fields]);
    });
  }

  #send(fields: readonly string[]): void {
    if (!this.#isDead) this.#child.stdin!.write(encodeFrame(fields));
  }

  #hear(line: string): void {
    const [word, ...rest] = line.split(' ');
    const id = rest[0] ?? '';
    if (word === 'pipes') {
      const ends = endsOf(rest);
      const waiter = this.#pipesWanted.shift();
      if (waiter) waiter(ends);
      else this.#pipes.push(ends);
    } else if (word === 'opened') {
      this.#opened.get(id)?.resolve();
      this.#opened.delete(id);
    } else if (word === 'refused') {
      this.#opened
        .get(id)
        ?.reject(new GantryError('RUNTIME_UNAVAILABLE', `Cannot start a sandbox: ${rest.slice(1).join(' ')}`));
      this.#opened.delete(id);
    } else if (word === 'exited') {
      this.#exits.get(id)?.(Number(rest[1]));
      this.#exits.delete(id);
    } else if (word?.endsWith('-ok')) {
      this.#mounts.get(word.slice(0, -'-ok'.length))?.resolve();
    } else if (word?.endsWith('-failed')) {
      const what = word.slice(0, -'-failed'.length);
      this.#mounts
        .get(what)
        ?.reject(new GantryError('RUNTIME_UNAVAILABLE', `Cannot mount the job's ${what}: ${rest.join(' ')}`));
    }
  }

  #gone(): GantryError {
    return new GantryError('RUNTIME_UNAVAILABLE', "Cannot use the job's namespaces: the process that holds them ended");
  }
}

/** All holders mount their private tmpfs over the same empty folder: each sees only its own. */
function mountPointOf(runFolder: string): string {
  return join(runFolder, 'm');
}

/** Descriptors of pipes that the holder keeps for the next step; the runner's ends are not open yet. */
interface StepEnds extends LaunchPipes {
  readonly number: string;
}

function endsOf([number, ...descriptors]: readonly string[]): StepEnds {
  const [out, err, gate, status] = descriptors.map(Number) as [number, number, number, number];
  return { number: number!, out, err, gate, status };
}

/** Opens the other ends of pipes by the descriptors of the holder, which keeps its own until the step has them. */
function openPipes(pid: number, ends: StepEnds): LaunchPipes {
  const opened: number[] = [];
  const open = (descriptor: number, mode: number): number => {
    const fd = openSync(`/proc/${pid}/fd/${descriptor}`, mode | constants.O_NONBLOCK);
    opened.push(fd);
    return fd;
  };
  try {
    return {
      out: open(ends.out, constants.O_RDONLY),
      err: open(ends.err, constants.O_RDONLY),
      gate: open(ends.gate, constants.O_WRONLY),
      status: open(ends.status, constants.O_RDONLY),
    };
  } catch (error) {
    for (const fd of opened) closeSync(fd);
    throw new GantryError('RUNTIME_UNAVAILABLE', 'Cannot start a sandbox: its pipes cannot be opened', {
      cause: error,
    });
  }
}

function furnitureField({ shmBytes, binds }: NonNullable<LaunchSpec['furniture']>): string {
  return [shmBytes, ...binds.flatMap((bind) => [bind.source, bind.target, bind.isWritable ? '1' : ''])].join('\0');
}

export function closePipes(pipes: LaunchPipes): void {
  for (const fd of [pipes.out, pipes.err, pipes.gate, pipes.status]) closeSync(fd);
}

function readLines(child: ChildProcess, lines: { listener: (line: string) => void }): void {
  let rest = '';
  child.stdout!.on('data', (bytes: Buffer) => {
    const parts = `${rest}${bytes.toString('utf8')}`.split('\n');
    rest = (parts.pop() ?? '').slice(-4_096);
    for (const line of parts) lines.listener(line);
  });
}
