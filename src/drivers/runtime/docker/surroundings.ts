import type { EngineClient } from '../../container-engine/api/engine-client.ts';
import { EngineError } from '../../container-engine/api/engine-error.ts';
import type { Agent } from './agent.ts';
import { agentLabels, agentPrefix } from './agent.ts';
import { attach, LineConversation } from './container-stream.ts';
import { pauseRestrictions } from './hardening.ts';
import { pauseProgram } from './pause-program.ts';
import type { RemovalQueue } from './removal-queue.ts';
import type { Subnets } from './subnets.ts';

/** Where the steps of one job meet: a network, a volume for the workspace, and the container that holds both. */
export interface Surroundings {
  readonly network: string;
  readonly volume: string;
  /** Name of the pause container; steps join its network. */
  readonly pause: string;
  /** Its address in the network. */
  readonly address: string;
  readonly conversation: LineConversation;
  /** Gives everything back, beside other work. */
  remove(): Promise<void>;
}

/** Subnets that somebody else took between our look and our call. */
const attemptsAtSubnet = 16;

export interface SurroundingsMakerOptions {
  readonly client: EngineClient;
  readonly agent: Agent;
  readonly subnets: Subnets;
  readonly removal: RemovalQueue;
  /** Id of the image with busybox. */
  readonly pauseImage: () => Promise<string>;
  /** Networks of the host that the engine knows nothing of; empty for an engine elsewhere. */
  readonly hostSubnets: () => readonly string[];
}

export class SurroundingsMaker {
  readonly #options: SurroundingsMakerOptions;
  #sequence = 0;

  constructor(options: SurroundingsMakerOptions) {
    this.#options = options;
  }

  /** Takes about half a second of an engine's time: which is why some are kept ready. */
  async make(): Promise<Surroundings> {
    const { client, agent, removal } = this.#options;
    this.#sequence += 1;
    const name = (what: string): string => `${agentPrefix(agent)}-${what}-${this.#sequence}`;
    const [network, volume, pause] = [name('net'), name('work'), name('pause')];
    for (const each of [network, volume, pause]) removal.known.add(each);
    let subnet: string | undefined;
    let conversation: LineConversation | undefined;
    const remove = async (): Promise<void> => {
      await conversation?.close();
      await removal.remove([
        ['containers', pause],
        ['volumes', volume],
        ['networks', network],
      ]);
      if (subnet !== undefined) this.#options.subnets.giveBack(subnet);
    };
    try {
      const image = await this.#options.pauseImage();
      [subnet] = await Promise.all([
        this.#createNetwork(network),
        client.call('POST', '/volumes/create', { body: { Name: volume, Labels: agentLabels(agent) } }),
      ]);
      await client.call('POST', '/containers/create', {
        query: { name: pause },
        body: {
          Image: image,
          Entrypoint: ['/bin/busybox', 'sh', '-c', pauseProgram],
          Cmd: [],
          User: '0:0',
          Env: [],
          Labels: agentLabels(agent),
          AttachStdin: true,
          OpenStdin: true,
          StdinOnce: true,
          Tty: false,
          StopSignal: 'SIGKILL',
          HostConfig: {
            ...pauseRestrictions,
            IpcMode: 'private',
            NetworkMode: network,
            Mounts: [{ Type: 'volume', Source: volume, Target: '/workspace', VolumeOptions: { NoCopy: true } }],
          },
        },
      });
      conversation = new LineConversation(await attach(client, pause));
      await client.call('POST', `/containers/${pause}/start`);
      await conversation.ask(undefined, ['ready']);
      const address = await addressIn(client, pause, network);
      return { network, volume, pause, address, conversation, remove };
    } catch (error) {
      void remove();
      throw error;
    }
  }

  /** Answers its subnet. */
  async #createNetwork(name: string): Promise<string> {
    const { client, agent, subnets, hostSubnets } = this.#options;
    const foreign = [...(await this.#subnetsOfEngine()), ...hostSubnets()];
    for (let attempt = 1; ; attempt += 1) {
      const subnet = subnets.take(foreign);
      if (subnet === undefined) throw new Error('no subnet is left for another job network');
      try {
        await client.call('POST', '/networks/create', {
          body: {
            Name: name,
            Driver: 'bridge',
            CheckDuplicate: true,
            Labels: agentLabels(agent),
            IPAM: { Config: [{ Subnet: subnet }] },
          },
        });
        return subnet;
      } catch (error) {
        subnets.giveBack(subnet);
        const isOverlap =
          error instanceof EngineError && /overlap|already being used|already used/i.test(error.message);
        if (!isOverlap || attempt === attemptsAtSubnet) throw error;
        foreign.push(subnet);
      }
    }
  }

  async #subnetsOfEngine(): Promise<string[]> {
    const networks = await this.#options.client.call<
      readonly { readonly IPAM?: { readonly Config?: readonly { readonly Subnet?: string }[] | null } }[]
    >('GET', '/networks');
    return networks.flatMap(({ IPAM }) => (IPAM?.Config ?? []).flatMap(({ Subnet }) => Subnet ?? []));
  }
}

/** The address of a running container in a network. */
export async function addressIn(client: EngineClient, container: string, network: string): Promise<string> {
  const { NetworkSettings } = await client.call<{
    readonly NetworkSettings?: {
      readonly Networks?: Readonly<Record<string, { readonly IPAddress?: string } | undefined>> | null;
    };
  }>('GET', `/containers/${container}/json`);
  const address = NetworkSettings?.Networks?.[network]?.IPAddress;
  if (!address) throw new Error(`the engine gave container ${container} no address in its network`);
  return address;
}
