import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type CacheEvent, protectedScope } from '../../src/core/cache.ts';
import { busyboxImage, openSandboxWorld, type SandboxWorld } from '../support/sandbox-world.ts';
import { timed } from './harness.ts';

/** As node_modules of a middling project (performance.md 3.5). */
const fileCount = 7_681;
const totalBytes = 283 * 2 ** 20;
const path = '/root/.store';

/** Steps with a cache of 283 MiB in sandboxes, and the same files packed by tar and zstd beside. */
export class CacheWorld {
  readonly #world: SandboxWorld;
  readonly #peerFolder: string;
  #jobs = 0;

  private constructor(world: SandboxWorld) {
    this.#world = world;
    this.#peerFolder = join(world.folder, 'peer');
  }

  static async start(): Promise<CacheWorld> {
    const world = await openSandboxWorld('bubblewrap', {
      caches: { entryBytes: 2 ** 30, projectBytes: 3 * 2 ** 30, totalBytes: 3 * 2 ** 30 },
      network: { isEnabled: false },
    });
    const cacheWorld = new CacheWorld(world);
    cacheWorld.#generate();
    return cacheWorld;
  }

  /** Milliseconds from the question for an entry to its mount. */
  async restore(): Promise<number> {
    const events = await this.#step('base', `test -f ${path}/d0/f0`);
    return elapsed(events, 'restored');
  }

  /** Milliseconds from the end of the step until the entry is there; the step itself wrote all the files. */
  async save(key: string): Promise<number> {
    return elapsed(await this.#step(key, `cp -r /src/. ${path}/`), 'saved');
  }

  unpack(): Promise<number> {
    const target = join(this.#peerFolder, 'out');
    rmSync(target, { recursive: true, force: true });
    mkdirSync(target, { recursive: true });
    return timed(async () => this.#run(`zstd -dc ${this.#archive} | tar xf - -C ${target}`));
  }

  pack(): Promise<number> {
    return timed(async () =>
      this.#run(`tar cf - -C ${this.#source} . | zstd -q -T0 -f -o ${this.#peerFolder}/new.zst`),
    );
  }

  async stop(): Promise<void> {
    await this.#world.close();
  }

  async #step(key: string, script: string): Promise<readonly CacheEvent[]> {
    this.#jobs += 1;
    const events: CacheEvent[] = [];
    const caches = { projectId: 1, scope: protectedScope, pipeline: this.#jobs };
    const job = await this.#world.runtime.prepare({ id: `w${this.#jobs}-a1-t1`, workspace: '/drone/src', caches });
    try {
      const staged = await job.stage({
        id: `${job.spec.id}-s`,
        name: 's',
        kind: 'commands',
        image: busyboxImage,
        pull: 'default',
        limits: {},
        network: 'job',
        cache: { key, restore: [], paths: [path] },
      });
      const running = staged.release({
        script,
        environment: {},
        secrets: {},
        timeoutMs: 120_000,
        graceMs: 1_000,
        onCache: (event) => events.push(event),
        onOutput: () => {},
      });
      const outcome = await running.outcome;
      if (outcome.kind !== 'exited' || outcome.exitCode !== 0) throw new Error(JSON.stringify([outcome, events]));
    } finally {
      await job.destroy();
    }
    return events;
  }

  /** Text that packs to about a third, different in each file. */
  #generate(): void {
    const bytes = Math.round(totalBytes / fileCount);
    for (let index = 0; index < fileCount; index += 1) {
      const folder = join(this.#source, `d${Math.floor(index / 40)}`);
      if (index % 40 === 0) mkdirSync(folder, { recursive: true });
      const word = createHash('sha512').update(String(index)).digest('hex');
      const lines = Array.from({ length: Math.ceil(bytes / 160) }, (_, line) =>
        createHash('md5').update(`${word}${line}`).digest('hex').padEnd(159, word),
      );
      writeFileSync(join(folder, `f${index % 40}`), lines.join('\n').slice(0, bytes));
    }
    mkdirSync(this.#peerFolder, { recursive: true });
    this.#run(`tar cf - -C ${this.#source} . | zstd -q -T0 -f -o ${this.#archive}`);
  }

  #run(command: string): void {
    execFileSync('/bin/sh', ['-c', command], { stdio: 'ignore' });
  }

  /** In the image, so that a step has them without generating them. */
  get #source(): string {
    return join(this.#world.layer, 'src');
  }

  get #archive(): string {
    return join(this.#peerFolder, 'cache.tar.zst');
  }
}

function elapsed(events: readonly CacheEvent[], kind: 'restored' | 'saved'): number {
  const found = events.find((event) => event.kind === kind);
  if (!found || !('elapsedMs' in found)) throw new Error(`The cache was not ${kind}: ${JSON.stringify(events)}`);
  return found.elapsedMs;
}
