import { pipeline } from 'node:stream/promises';
import { extract } from 'tar-stream';
import type { EngineClient } from '../../container-engine/api/engine-client.ts';
import { EngineError, isNotFound } from '../../container-engine/api/engine-error.ts';
import type { EngineImage } from '../../container-engine/api/engine-images.ts';
import { type Agent, agentLabels, agentPrefix } from './agent.ts';
import { gateCommand } from './gate-program.ts';
import type { RemovalQueue } from './removal-queue.ts';

/** Answers that are kept: an image is asked about the same few paths again and again. */
const maxAnswers = 1_000;

/** What images have at paths where caches are to be mounted: asked of the engine, which has them. */
export class ImageOccupants {
  readonly #client: EngineClient;
  readonly #agent: Agent;
  readonly #removal: RemovalQueue;
  readonly #answers = new Map<string, string | undefined>();
  #containers = 0;

  constructor(client: EngineClient, agent: Agent, removal: RemovalQueue) {
    this.#client = client;
    this.#agent = agent;
    this.#removal = removal;
  }

  /** Why a folder that begins empty may not be mounted at these paths: as the end of a sentence each, by path. */
  async find(image: EngineImage, paths: readonly string[]): Promise<ReadonlyMap<string, string>> {
    const keyOf = (path: string): string => `${image.id} ${path}`;
    const unknown = paths.filter((path) => !this.#answers.has(keyOf(path)));
    if (unknown.length > 0) await this.#look(image, unknown, (path, answer) => this.#keep(keyOf(path), answer));
    return new Map(
      paths.flatMap((path) => {
        const answer = this.#answers.get(keyOf(path));
        return answer === undefined ? [] : [[path, answer] as const];
      }),
    );
  }

  #keep(key: string, answer: string | undefined): void {
    if (this.#answers.size >= maxAnswers) this.#answers.clear();
    this.#answers.set(key, answer);
  }

  /** A container that never runs shows what the image has. */
  async #look(
    image: EngineImage,
    paths: readonly string[],
    tell: (path: string, answer: string | undefined) => void,
  ): Promise<void> {
    this.#containers += 1;
    const container = `${agentPrefix(this.#agent)}-look-${this.#containers}`;
    this.#removal.known.add(container);
    try {
      await this.#client.call('POST', '/containers/create', {
        query: { name: container },
        body: {
          Image: image.id,
          Entrypoint: gateCommand,
          Cmd: [],
          Labels: agentLabels(this.#agent),
          HostConfig: { NetworkMode: 'none', LogConfig: { Type: 'none', Config: {} } },
        },
      });
      for (const path of paths) tell(path, await this.#findOccupant(container, path));
    } finally {
      void this.#removal.remove([['containers', container]]);
    }
  }

  async #findOccupant(container: string, path: string): Promise<string | undefined> {
    try {
      const archive = await this.#client.stream('GET', `/containers/${container}/archive`, {
        query: { path: `${path}/.` },
      });
      const entries = await countEntries(archive, 2);
      return entries > 1 ? 'the image has files there' : undefined;
    } catch (error) {
      if (isNotFound(error)) return undefined;
      // It is no folder.
      if (error instanceof EngineError && error.status < 600) return 'the image has files there';
      throw error;
    }
  }
}

/** Entries of a tar, up to so many: the rest is not read. */
async function countEntries(archive: NodeJS.ReadableStream & { destroy(): void }, most: number): Promise<number> {
  const tar = extract();
  let entries = 0;
  tar.on('entry', (_header, stream, next) => {
    entries += 1;
    if (entries >= most) {
      archive.destroy();
      tar.destroy();
      return;
    }
    stream.on('end', next);
    stream.resume();
  });
  await pipeline(archive, tar).catch((error: unknown) => {
    if (entries < most) throw error;
  });
  return entries;
}
