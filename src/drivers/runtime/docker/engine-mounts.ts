import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Turns } from '../../../lib/turns.ts';
import { EngineError, isNotFound } from '../../container-engine/api/engine-error.ts';
import type { CacheMounts, LockedPlace } from '../caches/cache-mounts.ts';
import { makeEmptyFolder } from '../caches/copy-paths.ts';
import type { CachePlace } from '../caches/job-caches.ts';
import { type OverlayFolders, overlayMount } from '../caches/overlay.ts';
import { runProgram } from '../caches/run-program.ts';
import type { JobSpec } from '../runtime.ts';
import { agentLabels, agentPrefix, labels } from './agent.ts';
import type { DockerHost } from './docker-host.ts';
import { overlayOptions } from './volume-mount.ts';

const copyTimeoutMs = 600_000;
/** How long an engine may take to end a container whose step has ended. */
const endTimeoutMs = 30_000;
/** How long it may take to hold one, or to let it go on. */
const pauseTimeoutMs = 10_000;
/** When an engine that does not answer is told again. */
const goOnAgainMs = [200, 1_000, 5_000] as const;

/** What a container of a step has of caches. */
export interface CacheMount {
  /** Volume of the engine. */
  readonly volume: string;
  readonly target: string;
  /** Folder in which the kernel keeps its own of the overlay. */
  readonly work: string;
}

/** A container that has caches, or may have. */
export interface MountUser {
  /** Of its step. */
  readonly name: string;
  /** Absent = what runs is not held for a moment. */
  readonly container?: string;
  readonly mounts: readonly CacheMount[];
  readonly state: 'waiting' | 'running' | 'ended';
}

interface Mounted {
  readonly volume: string;
  readonly folders: OverlayFolders;
}

/**
 * The caches of a job as volumes of an engine that shares this host's folders. An engine mounts them when a container
 * begins, and never into one that runs: who is staged before they change is staged anew.
 */
export class EngineMounts implements CacheMounts {
  readonly #host: DockerHost;
  readonly #job: JobSpec;
  readonly #workspace: () => Promise<string>;
  readonly #places = new Map<number, Mounted>();
  /** Numbers of the places in the workspace, by their path below it. */
  readonly #shown = new Map<string, number>();
  readonly #users = new Set<MountUser>();
  /** Containers that are held while something of theirs is saved. */
  readonly #paused = new Set<string>();
  readonly #turns = new Turns(1);
  readonly #volumes: string[] = [];

  /** @param workspace - Where this host has the job's workspace. */
  constructor(host: DockerHost, job: JobSpec, workspace: () => Promise<string>) {
    this.#host = host;
    this.#job = job;
    this.#workspace = workspace;
  }

  /** What the container of a step is to have at this moment, if these are its own places. */
  mountsOf(own: readonly CachePlace[]): readonly CacheMount[] {
    const places: readonly (readonly [string, number])[] = [
      ...[...this.#shown].map(([path, number]) => [`${this.#job.workspace}/${path}`, number] as const),
      ...own.map(({ path, number }) => [path, number] as const),
    ];
    return places.flatMap(([target, number]) => {
      const mounted = this.#places.get(number);
      return mounted ? [{ target, volume: mounted.volume, work: mounted.folders.work }] : [];
    });
  }

  /** Path of a cache in the workspace that has something of a path, or that is part of what is there. */
  findShown(path: string): string | undefined {
    return [...this.#shown.keys()].find((shown) => isWithin(shown, path) || isWithin(path, shown));
  }

  enter(user: MountUser): void {
    this.#users.add(user);
  }

  leave(user: MountUser): void {
    this.#users.delete(user);
  }

  async mount(number: number, folders: OverlayFolders): Promise<void> {
    const before = this.#places.get(number);
    if (before && isSame(before.folders, folders)) return;
    const { agent, client, removal } = this.#host;
    const { options, links } = overlayMount(folders, { isRootless: false, isKept: false });
    if (links.length > 0) throw new Error('the paths of its folders are too long for an engine');
    const volume = `${agentPrefix(agent)}-${fileName(this.#job.id)}-cache-${this.#volumes.length}`;
    removal.known.add(volume);
    this.#volumes.push(volume);
    await client.call('POST', '/volumes/create', {
      body: {
        Name: volume,
        Labels: { ...agentLabels(agent), [labels.job]: this.#job.id },
        Driver: 'local',
        DriverOpts: overlayOptions(options),
      },
    });
    this.#places.set(number, { volume, folders });
  }

  async show(number: number, path: string, { isOver = false }: { readonly isOver?: boolean } = {}): Promise<boolean> {
    const isEmpty = isOver || (await makeEmptyFolder(await this.#workspace(), path).catch(reject(path)));
    if (isEmpty) this.#shown.set(path, number);
    return isEmpty;
  }

  /** What waits behind its gate writes nothing, and gets another container before it runs. */
  async lock(number: number, path: string): Promise<LockedPlace> {
    const volume = this.#places.get(number)?.volume;
    const users = [...this.#users].filter(({ mounts }) => mounts.some((mount) => mount.volume === volume));
    const running = users.filter(({ state }) => state === 'running');
    const ended = users.flatMap(({ state, container = [] }) => (state === 'ended' ? container : []));
    try {
      for (const user of running) await this.#pause(user, path);
      await Promise.all(ended.map((container) => this.#awaitEnd(container)));
    } catch (error) {
      await this.unlock();
      throw error;
    }
    return { isInUse: running.length > 0 };
  }

  /** Of all places, since each save has its turn. */
  async unlock(): Promise<void> {
    const paused = [...this.#paused];
    this.#paused.clear();
    await Promise.all(paused.map((container) => this.#goOn(container)));
  }

  async drop(number: number): Promise<void> {
    this.#places.delete(number);
  }

  /** In a namespace of its own, since the engine's mounts are not seen from here; read-only, whoever has it too. */
  async copy(number: number, target: string): Promise<void> {
    const mounted = this.#places.get(number);
    if (!mounted) throw new Error('it is not mounted');
    const { lowers, upper } = mounted.folders;
    const place = `${target}-place`;
    mkdirSync(place);
    const folders = [upper, ...lowers.toReversed()].map((path) => path.replaceAll(/[\\:,]/g, String.raw`\$&`));
    const script = 'mount -t overlay overlay -o "ro,lowerdir=$0" "$1" && exec cp -a --reflink=auto -T "$1" "$2"';
    const copied = await runProgram(
      ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', script, folders.join(':'), place, target],
      { timeoutMs: copyTimeoutMs },
    );
    rmSync(place, { recursive: true, force: true });
    if (copied.code !== 0) throw new Error(`its layers could not be joined: ${copied.stderr.trim().slice(0, 500)}`);
  }

  whole<Result>(work: () => Promise<Result>): Promise<Result> {
    return this.#turns.take(work);
  }

  /** Gives the volumes back, beside other work. The containers that had them are gone by then, or being removed. */
  async remove(): Promise<void> {
    await this.#host.removal.remove(this.#volumes.map((name) => ['volumes', name] as const));
  }

  /** Holds what runs: nothing of it writes until it goes on. */
  async #pause({ name, container }: MountUser, path: string): Promise<void> {
    const refusal = `step "${name}", which still runs, may write below ${path}`;
    if (container === undefined) throw new Error(refusal);
    if (this.#paused.has(container)) return;
    // Told to go on in any case: an engine that does not answer may have heard.
    this.#paused.add(container);
    try {
      await this.#host.client.call('POST', `/containers/${container}/pause`, { timeoutMs: pauseTimeoutMs });
    } catch (error) {
      if (!hasEnded(error)) throw new Error(refusal, { cause: error });
      await this.#awaitEnd(container);
    }
  }

  /** A container that goes on already, or is gone, need not be told. */
  async #goOn(container: string): Promise<void> {
    for (let attempt = 0; ; attempt += 1) {
      try {
        await this.#host.client.call('POST', `/containers/${container}/unpause`, { timeoutMs: pauseTimeoutMs });
        return;
      } catch (error) {
        if (hasEnded(error) || (error instanceof EngineError && /not paused/i.test(error.message))) return;
        const pauseMs = goOnAgainMs[attempt];
        if (pauseMs === undefined) {
          this.#host.logger.warn('A step that was held cannot go on', { container, error });
          return;
        }
        await sleep(pauseMs);
      }
    }
  }

  /** With its first process every process of it has ended. */
  async #awaitEnd(container: string): Promise<void> {
    try {
      await this.#host.client.call('POST', `/containers/${container}/wait`, {
        query: { condition: 'not-running' },
        timeoutMs: endTimeoutMs,
      });
    } catch (error) {
      if (isGone(error)) return;
      throw error;
    }
  }
}

function isGone(error: unknown): boolean {
  return isNotFound(error) || (error instanceof EngineError && /no such container/i.test(error.message));
}

function hasEnded(error: unknown): boolean {
  return isGone(error) || (error instanceof EngineError && /not running/i.test(error.message));
}

/**
 * An overlay that need not reach the disk leaves a mark when it is mounted, and is not mounted again while that is there:
 * after a crash its content is in doubt. An engine unmounts and mounts while containers come and go, and what these
 * folders hold is synced before it is recorded, and thrown away after a crash.
 */
export function allowMountingAgain(mounts: readonly CacheMount[]): void {
  for (const { work } of mounts) rmSync(join(work, 'work', 'incompat'), { recursive: true, force: true });
}

function isSame(left: OverlayFolders, right: OverlayFolders): boolean {
  return (
    JSON.stringify([left.lowers, left.upper, left.work]) === JSON.stringify([right.lowers, right.upper, right.work])
  );
}

function isWithin(path: string, folder: string): boolean {
  return path === folder || path.startsWith(`${folder}/`);
}

function reject(path: string): (error: NodeJS.ErrnoException) => never {
  return (error) => {
    const isInTheWay = ['ELOOP', 'ENOTDIR'].includes(error.code ?? '');
    throw isInTheWay ? new Error(`a link or a file of the workspace is at ${path}`, { cause: error }) : error;
  };
}

/** Ids come from us, but they become names. */
function fileName(id: string): string {
  return id.replaceAll(/[^A-Za-z0-9_.-]/g, '_').slice(0, 80);
}
