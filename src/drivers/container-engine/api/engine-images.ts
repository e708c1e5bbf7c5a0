import { setTimeout as sleep } from 'node:timers/promises';
import { GantryError } from '../../../core/errors.ts';
import type { ComposedImage, ComposedImages, RegistryCredentials } from '../../../core/image.ts';
import type { PortPlan, PullPolicy } from '../../../core/plan.ts';
import type { Clock } from '../../../lib/clock.ts';
import type { EngineClient } from './engine-client.ts';
import { EngineError, isNotFound } from './engine-error.ts';
import { writeImageArchive } from './image-archive.ts';
import { ImageReaders } from './image-readers.ts';
import { jsonMessages } from './json-messages.ts';
import { findCredentials, pullRule, withRegistry } from './pull-policy.ts';
import { type PullMessage, PullProgress } from './pull-progress.ts';

/** What a step needs to know of an image that the engine has. */
export interface EngineImage {
  readonly id: string;
  readonly entrypoint: readonly string[];
  readonly command: readonly string[];
  readonly workingDirectory: string;
  readonly ports: readonly PortPlan[];
}

export interface ImageWish {
  readonly pull: PullPolicy;
  readonly credentials?: readonly RegistryCredentials[] | undefined;
  readonly progress?: ((line: string) => void) | undefined;
}

export interface EngineImagesOptions {
  readonly client: EngineClient;
  readonly composed: ComposedImages;
  /** Host of names without one; absent = Docker's. */
  readonly defaultRegistry?: string | undefined;
  readonly retryAfterMs?: readonly number[];
  /** File that remembers what was pulled with which login; absent = forgotten with the process. */
  readonly readersPath?: string | undefined;
  readonly clock: Clock;
}

interface ImageAnswer {
  readonly Id: string;
  readonly Config?: {
    readonly Entrypoint?: readonly string[] | null;
    readonly Cmd?: readonly string[] | null;
    readonly WorkingDir?: string;
    readonly ExposedPorts?: Readonly<Record<string, unknown>> | null;
  } | null;
}

/** A registry may be slow; one that says nothing for so long is as good as gone. */
const pullSilenceMs = 180_000;
const loadSilenceMs = 600_000;
/** Names of composed images in the engine: a registry that does not exist, so that no pull ever asks for them. */
const composedPrefix = 'gantry.local/';

/**
 * Brings images into the engine: composed ones by loading them, once per digest; all others by the engine's own pull.
 * One of each image at a time; who asks for what another is fetching waits for that and hears its progress.
 */
export class EngineImages {
  readonly #options: EngineImagesOptions;
  readonly #fetching = new Map<
    string,
    { readonly image: Promise<EngineImage>; readonly listeners: Set<(line: string) => void> }
  >();

  /** What was pulled with a login is not given to who does not have it: they ask the registry for themselves. */
  readonly #readers: ImageReaders;

  constructor(options: EngineImagesOptions) {
    this.#options = options;
    this.#readers = new ImageReaders(options.readersPath);
  }

  /** Throws IMAGE_NOT_FOUND, IMAGE_INVALID, IMAGE_PULL_FAILED with the engine's own words, or an engine's error. */
  async provide(reference: string, wish: ImageWish): Promise<EngineImage> {
    if (this.#options.composed.serves(reference)) {
      const fetch = (tell: (line: string) => void): Promise<EngineImage> => this.#load(reference, tell);
      return this.#once(reference, wish.progress, fetch);
    }
    if (!isReference(reference))
      throw new GantryError('IMAGE_NOT_FOUND', `Cannot pull "${reference.slice(0, 200)}": it is no valid image name`);
    const name = withRegistry(reference, this.#options.defaultRegistry);
    const login = findCredentials(name, wish.credentials ?? []);
    const rule = pullRule(reference, wish.pull);
    if (rule !== 'always') {
      const present = this.#readers.mayUse(name, login) ? await this.#find(name) : undefined;
      if (present) return present;
      if (rule === 'never')
        throw new GantryError(
          'IMAGE_NOT_FOUND',
          `Cannot use the image "${reference}": the engine does not have it, and pull is "never"`,
        );
    }
    // Credentials enter the key: what one may read is not handed to another who may not.
    const key = `${name}\n${login ? this.#readers.keyOf(login) : ''}`;
    const image = await this.#once(key, wish.progress, (tell) => this.#pull(reference, name, login, tell));
    this.#readers.note(name, login);
    return image;
  }

  #once(
    key: string,
    progress: ((line: string) => void) | undefined,
    fetch: (tell: (line: string) => void) => Promise<EngineImage>,
  ): Promise<EngineImage> {
    const running = this.#fetching.get(key);
    if (running) {
      if (progress) running.listeners.add(progress);
      return running.image;
    }
    const listeners = new Set(progress ? [progress] : []);
    const image = fetch((line) => listeners.forEach((listener) => listener(line)));
    this.#fetching.set(key, { image, listeners });
    const forget = (): void => void this.#fetching.delete(key);
    image.then(forget, forget);
    return image;
  }

  async #find(name: string): Promise<EngineImage | undefined> {
    try {
      return engineImage(await this.#options.client.call<ImageAnswer>('GET', `/images/${name}/json`));
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }

  async #load(reference: string, tell: (line: string) => void): Promise<EngineImage> {
    const image = await this.#options.composed.open(reference, { progress: tell });
    const tag = composedTag(reference, image);
    const present = await this.#find(tag);
    if (present) return present;
    tell(`loading ${reference} into the engine: ${image.layers.length} layers`);
    const archive = await writeImageArchive(image, tag);
    const answer = await this.#options.client.stream('POST', '/images/load', {
      query: { quiet: 1 },
      body: archive,
      timeoutMs: loadSilenceMs,
    });
    for await (const message of jsonMessages<PullMessage>(answer)) {
      const fault = faultOf(message);
      if (fault !== undefined)
        throw new GantryError('IMAGE_INVALID', `Cannot load ${reference} into the engine: ${fault}`);
    }
    const loaded = await this.#find(tag);
    if (!loaded)
      throw new GantryError('IMAGE_INVALID', `Cannot load ${reference} into the engine: it took it and has it not`);
    return loaded;
  }

  async #pull(
    reference: string,
    name: string,
    login: RegistryCredentials | undefined,
    tell: (line: string) => void,
  ): Promise<EngineImage> {
    const { retryAfterMs = [500, 1_500, 5_000] } = this.#options;
    for (let attempt = 0; ; attempt += 1) {
      const fault = await this.#pullOnce(name, login, tell).catch((error: unknown) => {
        if (error instanceof EngineError) return error.message;
        throw error;
      });
      if (fault === undefined) break;
      const error = pullError(reference, fault);
      const pauseMs = error.code === 'IMAGE_PULL_FAILED' && !isFinal(fault) ? retryAfterMs[attempt] : undefined;
      if (pauseMs === undefined) throw error;
      tell(`pulling ${name} failed, trying again: ${fault}`);
      await sleep(pauseMs);
    }
    const pulled = await this.#find(name);
    if (!pulled)
      throw new GantryError('IMAGE_PULL_FAILED', `Cannot pull ${reference}: the engine pulled it and has it not`);
    return pulled;
  }

  /** What went wrong in the engine's words; `undefined` when nothing did. */
  async #pullOnce(
    name: string,
    login: RegistryCredentials | undefined,
    tell: (line: string) => void,
  ): Promise<string | undefined> {
    const { client, clock } = this.#options;
    const [repository, tag] = splitTag(name);
    const answer = await client.stream('POST', '/images/create', {
      query: { fromImage: repository, tag },
      headers: login ? { 'X-Registry-Auth': authHeader(login) } : {},
      timeoutMs: pullSilenceMs,
    });
    const progress = new PullProgress(name, tell);
    for await (const message of jsonMessages<PullMessage>(answer)) {
      const fault = faultOf(message);
      if (fault !== undefined) {
        answer.destroy();
        return fault;
      }
      progress.take(message, clock.monotonicMs());
    }
    return undefined;
  }
}

function engineImage({ Id, Config }: ImageAnswer): EngineImage {
  return {
    id: Id,
    entrypoint: Config?.Entrypoint ?? [],
    command: Config?.Cmd ?? [],
    workingDirectory: Config?.WorkingDir ?? '',
    ports: Object.keys(Config?.ExposedPorts ?? {}).flatMap((text) => {
      const found = /^(\d+)(?:\/(tcp|udp))?$/.exec(text);
      return found ? [{ port: Number(found[1]), protocol: found[2] === 'udp' ? 'udp' : 'tcp' } as PortPlan] : [];
    }),
  };
}

/** Grammar of distribution-spec 1.1; the engine checks the rest. */
function isReference(text: string): boolean {
  return (
    text.length <= 512 &&
    /^[\w][\w.-]*(?::\d+)?(?:\/[a-z0-9][a-z0-9._-]*)*(?::[\w][\w.-]{0,127})?(?:@sha256:[a-f0-9]{64})?$/.test(text)
  );
}

function composedTag(reference: string, { digest }: ComposedImage): string {
  return `${composedPrefix}${reference.split(':')[0]}:${digest.replace('sha256:', '').slice(0, 16)}`;
}

/** Without a tag an engine would pull every tag there is. */
export function splitTag(name: string): [repository: string, tag: string] {
  const digest = /^(.+?)(?::[^:/@]+)?@(sha256:[a-f0-9]+)$/.exec(name);
  if (digest) return [digest[1]!, digest[2]!];
  const tag = /^(.+):([^:/]+)$/.exec(name);
  return tag ? [tag[1]!, tag[2]!] : [name, 'latest'];
}

/** A login in the form of the header `X-Registry-Auth`. */
export function authHeader({ username, password, registry }: RegistryCredentials): string {
  const serveraddress = registry.split('/')[0];
  const text = Buffer.from(JSON.stringify({ username, password, serveraddress })).toString('base64');
  // Docker reads the alphabet for addresses with its padding, and takes anything else for no login at all.
  return text.replaceAll('+', '-').replaceAll('/', '_');
}

function faultOf(message: PullMessage): string | undefined {
  return message.errorDetail?.message ?? message.error;
}

/** Engines hand on what the registry, the network or their own check said, in words. */
function pullError(reference: string, fault: string): GantryError {
  const isAbsent =
    /manifest unknown|not found|no such image|does not exist|name unknown|denied|unauthorized|authentication required|no basic auth|invalid username\/password|no matching manifest|invalid reference|repository name must be/i;
  const isDamaged = /verification failed|digest did not match|does not match|unsupported media type|mediatype/i;
  if (isDamaged.test(fault)) return new GantryError('IMAGE_INVALID', `Cannot use ${reference}: ${fault}`);
  if (isAbsent.test(fault)) return new GantryError('IMAGE_NOT_FOUND', `Cannot pull ${reference}: ${fault}`);
  return new GantryError('IMAGE_PULL_FAILED', `Cannot pull ${reference}: ${fault}`);
}

/** A name that does not resolve, or an unknown certificate, stays so for the next seconds. */
function isFinal(fault: string): boolean {
  return /no such host|x509|certificate|server gave HTTP response to HTTPS client/i.test(fault);
}
