import { randomBytes } from 'node:crypto';
import { GantryError } from '../../../core/errors.ts';
import type { ComposedImages } from '../../../core/image.ts';
import type { PushedImage } from '../../../core/pushed-image.ts';
import type { Clock } from '../../../lib/clock.ts';
import type { Logger } from '../../../lib/logger.ts';
import type { Timers } from '../../../lib/timers.ts';
import { parseEngineAddress } from '../../container-engine/api/engine-address.ts';
import { EngineClient } from '../../container-engine/api/engine-client.ts';
import { EngineError, EngineUnreachable } from '../../container-engine/api/engine-error.ts';
import { EngineImages } from '../../container-engine/api/engine-images.ts';
import { EngineWatch } from '../../container-engine/api/engine-watch.ts';
import type { Builder, BuilderProbe, BuildResult, BuildSpec } from '../builder.ts';
import { BuildRecords, type OpenBuildRecord } from './build-records.ts';
import { prepareDockerfile } from './prepare-dockerfile.ts';
import { type PushPlace, pushImage } from './push-image.ts';
import { reapBuild } from './reap-build.ts';
import { runBuild } from './run-build.ts';

export interface EngineBuilderOptions {
  /** `unix:///var/run/docker.sock`, `tcp://host:2375`, `https://host:2376`. */
  readonly engine: string;
  readonly composed: ComposedImages;
  /** Host of image names without one; absent = Docker's. */
  readonly defaultRegistry?: string | undefined;
  /** File that remembers which images were pulled with which logins. */
  readonly readersPath?: string | undefined;
  /** Folder in which builds are recorded while they run, for `reap`; absent = nothing is found again. */
  readonly recordsFolder?: string | undefined;
  /** How long a silent engine is waited for. */
  readonly enginePatienceMs?: number | undefined;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly logger: Logger;
}

interface VersionAnswer {
  readonly Version?: string;
  readonly ApiVersion?: string;
  readonly Os?: string;
  readonly Arch?: string;
  readonly Components?: readonly { readonly Name?: string }[] | null;
}

/** Builds in BuildKit of a Docker Engine (20.10 and newer), over its API. */
export function createEngineBuilder(options: EngineBuilderOptions): Builder {
  return new EngineBuilder(options);
}

class EngineBuilder implements Builder {
  readonly name = 'docker';
  readonly #options: EngineBuilderOptions;
  readonly #client: EngineClient;
  readonly #images: EngineImages;
  readonly #watch: EngineWatch;
  /** Ends of names in the engine that are on their way to a registry: two builds must not push under one at once. */
  readonly #pushing = new Map<string, Promise<unknown>>();
  readonly #closing = new AbortController();
  readonly #records: BuildRecords | undefined;

  constructor(options: EngineBuilderOptions) {
    this.#options = options;
    const { clock, composed, defaultRegistry, logger, readersPath, timers } = options;
    this.#client = new EngineClient(parseEngineAddress(options.engine));
    this.#records =
      options.recordsFolder === undefined ? undefined : new BuildRecords(options.recordsFolder, options.engine);
    this.#images = new EngineImages({ client: this.#client, composed, defaultRegistry, readersPath, clock });
    this.#watch = new EngineWatch({
      client: this.#client,
      timers,
      clock,
      logger,
      patienceMs: options.enginePatienceMs,
    });
  }

  async probe(): Promise<BuilderProbe> {
    const { engine } = this.#options;
    const unusable = (finding: string): BuilderProbe => ({ isUsable: false, findings: [finding], platforms: [] });
    try {
      const version = await this.#client.call<VersionAnswer>('GET', '/version', { timeoutMs: 10_000 });
      if (version.Components?.some(({ Name }) => Name === 'Podman Engine'))
        return unusable(`The engine at ${engine} is Podman, which has no BuildKit: images cannot be built there`);
      return { isUsable: true, findings: [], platforms: [platformOf(version)] };
    } catch (error) {
      return unusable(`No container engine at ${engine}: ${messageOf(error)}`);
    }
  }

  async build(spec: BuildSpec): Promise<BuildResult> {
    const stop = new AbortController();
    const signal = AbortSignal.any([spec.signal, this.#closing.signal, stop.signal]);
    const takeBack = this.#watch.whenLost((why) => stop.abort(unavailable(why)));
    try {
      return await this.#build({ ...spec, signal });
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      if (error instanceof EngineUnreachable) throw unavailable(error.message, error);
      if (error instanceof EngineError)
        throw unavailable(`the container engine refused: ${error.message} (status ${error.status})`, error);
      if (error instanceof GantryError && error.kind !== 'unavailable')
        return { kind: 'failed', message: error.message };
      throw error;
    } finally {
      takeBack();
      spec.context.destroy();
    }
  }

  async reap(): Promise<readonly string[]> {
    const removed: string[] = [];
    for (const record of this.#records?.abandoned() ?? []) {
      removed.push(...(await reapBuild(this.#client, record)));
      this.#records?.forget(record.id);
    }
    return removed;
  }

  async close(): Promise<void> {
    this.#closing.abort(unavailable('the builder is being closed'));
    this.#client.close();
  }

  async #build(spec: BuildSpec): Promise<BuildResult> {
    const own = platformOf(await this.#client.call<VersionAnswer>('GET', '/version', { timeoutMs: 30_000 }));
    if (spec.platform !== undefined && spec.platform !== own)
      return {
        kind: 'failed',
        message: `Cannot build for ${spec.platform}: the builder makes images for ${own} only`,
      };
    // A name that nobody else uses, or could guess: what is called otherwise might be replaced meanwhile.
    const id = randomBytes(12).toString('hex');
    const made: string[] = [];
    const record = this.#records?.open(id) ?? noRecord;
    const onTag = (tag: string): void => {
      record.noteTag(tag);
      made.push(tag);
    };
    try {
      const dockerfile = await prepareDockerfile(spec, {
        id,
        platform: own,
        client: this.#client,
        images: this.#images,
        onTag,
      });
      const tag = `gantry.local/build:${id}`;
      onTag(tag);
      const built = await runBuild(spec, { id, tag, dockerfile, client: this.#client, clock: this.#options.clock });
      if (built.kind === 'failed') {
        // An engine that is being ended ends what it builds, and calls that a failure of the build.
        await this.#client.call('GET', '/info', { timeoutMs: 10_000, signal: spec.signal });
        return built;
      }
      const pushed: PushedImage[] = [];
      for (const name of spec.push) {
        const answer = await this.#alone(name, () =>
          pushImage({ client: this.#client, imageId: built.imageId, name, spec, record } satisfies PushPlace),
        );
        if (answer.kind === 'failed') return { ...answer, ...(pushed.length > 0 ? { pushed } : {}) };
        pushed.push({ name, digest: answer.digest });
      }
      return { kind: 'built', imageId: built.imageId, pushed };
    } finally {
      record.end(await this.#untag(made));
    }
  }

  async #alone<Result>(name: string, work: () => Promise<Result>): Promise<Result> {
    const before = this.#pushing.get(name) ?? Promise.resolve();
    const mine = before.then(work, work);
    this.#pushing.set(name, mine);
    try {
      return await mine;
    } finally {
      if (this.#pushing.get(name) === mine) this.#pushing.delete(name);
    }
  }

  /** An image that has lost its last name is gone; its layers stay in the builder's cache. Answers whether all are. */
  async #untag(tags: readonly string[]): Promise<boolean> {
    let areGone = true;
    for (const tag of tags)
      try {
        await this.#client.call('DELETE', `/images/${tag}`, { timeoutMs: 30_000 });
      } catch (error) {
        if (error instanceof EngineError && error.status === 404) continue;
        areGone = false;
        this.#options.logger.warn('An image of a build could not be removed from the engine', { tag, error });
      }
    return areGone;
  }
}

/** Where nobody keeps any. */
const noRecord: OpenBuildRecord = { noteTag() {}, notePush() {}, noteNoPush() {}, end() {} };

function platformOf({ Os = 'linux', Arch = 'amd64' }: VersionAnswer): string {
  return `${Os}/${Arch}`;
}

function unavailable(because: string, cause?: unknown): GantryError {
  return new GantryError('RUNTIME_UNAVAILABLE', `Cannot build the image: ${because}`, { cause });
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
