import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { EngineAddress } from '../../container-engine/api/engine-address.ts';
import type { EngineClient } from '../../container-engine/api/engine-client.ts';
import type { CacheHome } from '../caches/cache-home.ts';
import { overlayMount } from '../caches/overlay.ts';
import { type Agent, agentLabels, agentPrefix } from './agent.ts';
import { attach, LineConversation } from './container-stream.ts';
import { pauseRestrictions } from './hardening.ts';
import type { RemovalQueue } from './removal-queue.ts';
import { overlayOptions, volumeMount } from './volume-mount.ts';

export interface EngineSharingOptions {
  readonly address: EngineAddress;
  readonly client: EngineClient;
  readonly agent: Agent;
  readonly home: CacheHome;
  readonly removal: RemovalQueue;
  /** Id of the image with busybox. */
  readonly image: () => Promise<string>;
}

/** Tries once in the life of a runner whether an engine mounts folders of this host, and lets it see its volumes. */
export class EngineSharing {
  readonly #options: EngineSharingOptions;
  #trying: Promise<string | undefined> | undefined;

  constructor(options: EngineSharingOptions) {
    this.#options = options;
  }

  /** What can be told without the engine. */
  findPlainHindrance(): string | undefined {
    const { address } = this.#options;
    if (address.kind === 'network')
      return `the engine is reached over the network (${address.host}:${address.port}), and caches are folders of the runner's host`;
    if (process.getuid?.() !== 0) return 'the runner is not root, and could not look after what containers write';
    return undefined;
  }

  /** Why caches and results cannot be kept for steps of this engine, as the end of a sentence. */
  findHindrance(): Promise<string | undefined> {
    const hindrance = this.findPlainHindrance();
    if (hindrance !== undefined) return Promise.resolve(hindrance);
    if (this.#trying) return this.#trying;
    const trying = this.#try();
    this.#trying = trying;
    // An engine that was away says nothing about what it shares.
    trying.catch(() => {
      if (this.#trying === trying) this.#trying = undefined;
    });
    return trying.catch((error: unknown) => (error instanceof Error ? error.message : String(error)));
  }

  /** Where this host has the files of a volume of the engine. */
  async folderOf(volume: string): Promise<string> {
    const { Mountpoint } = await this.#options.client.call<{ readonly Mountpoint?: string }>(
      'GET',
      `/volumes/${volume}`,
    );
    if (!Mountpoint) throw new Error(`the engine does not tell where it has the volume ${volume}`);
    return Mountpoint;
  }

  /** A word goes from a folder of ours through an overlay into a volume, and back. */
  async #try(): Promise<string | undefined> {
    const { agent, client, home, image, removal } = this.#options;
    const info = await client.call<{ readonly SecurityOptions?: readonly string[] | null }>('GET', '/info');
    if (info.SecurityOptions?.some((option) => /name=(userns|rootless)/.test(option)))
      return 'the users of its containers are others on the host (a user namespace)';
    const prefix = `${agentPrefix(agent)}-share`;
    const [overlay, volume, container] = [`${prefix}-overlay`, `${prefix}-volume`, `${prefix}-try`];
    for (const each of [overlay, volume, container]) removal.known.add(each);
    const folder = join(home.folder(), 'share');
    const word = randomBytes(16).toString('hex');
    const places = { lowers: [join(folder, 'lower')], upper: join(folder, 'upper'), work: join(folder, 'work') };
    let conversation: LineConversation | undefined;
    try {
      for (const path of [...places.lowers, places.upper, places.work]) mkdirSync(path, { recursive: true });
      writeFileSync(join(places.lowers[0]!, 'word'), word);
      const { options } = overlayMount(places, { isRootless: false, isKept: false });
      const create = (Name: string, more: object): Promise<unknown> =>
        client.call('POST', '/volumes/create', {
          body: { Name, Labels: agentLabels(agent), Driver: 'local', ...more },
        });
      await create(overlay, { DriverOpts: overlayOptions(options) });
      await create(volume, {});
      await client.call('POST', '/containers/create', {
        query: { name: container },
        body: {
          Image: await image(),
          Entrypoint: ['/bin/busybox', 'sh', '-c', script],
          Cmd: [],
          User: '0:0',
          Labels: agentLabels(agent),
          AttachStdin: true,
          OpenStdin: true,
          StdinOnce: true,
          StopSignal: 'SIGKILL',
          HostConfig: {
            ...pauseRestrictions,
            NetworkMode: 'none',
            Mounts: [volumeMount(overlay, '/share/overlay', false), volumeMount(volume, '/share/volume', false)],
          },
        },
      });
      conversation = new LineConversation(await attach(client, container));
      await client.call('POST', `/containers/${container}/start`);
      const { last } = await conversation.ask(undefined, ['done', 'failed']);
      const copies = [join(places.upper, 'word-again'), join(await this.folderOf(volume), 'word')];
      const isShared = last === 'done' && copies.every((path) => readText(path) === word);
      return isShared ? undefined : elsewhere;
    } catch (error) {
      // A folder that the engine does not find is no fault of either.
      if (error instanceof Error && /no such file|overlay|mount/i.test(error.message)) return elsewhere;
      throw error;
    } finally {
      await conversation?.close();
      void removal
        .remove([
          ['containers', container],
          ['volumes', overlay],
          ['volumes', volume],
        ])
        .then(() => rmSync(folder, { recursive: true, force: true }));
    }
  }
}

const elsewhere = "the engine does not mount folders of the runner's host";

const script = `cd /share
if cp overlay/word volume/word && cp overlay/word overlay/word-again; then echo done; else echo failed; fi
read -r forever`;

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
