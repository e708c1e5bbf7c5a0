import type { VolumePlan } from '../../../core/plan.ts';
import { EngineError } from '../../container-engine/api/engine-error.ts';
import type { JobSpec, StageSpec } from '../runtime.ts';
import { agentLabels, agentPrefix, labels } from './agent.ts';
import { attach, LineConversation } from './container-stream.ts';
import type { DockerHost } from './docker-host.ts';
import { pauseRestrictions } from './hardening.ts';
import { volumeMount } from './volume-mount.ts';

/** Of a volume in memory whose file names no size. What is written counts for the memory limit of the step that writes. */
const defaultMemoryBytes = 1024 * 1024 * 1024;

/** Of the kernel; where its pages are larger, a volume may hold more than was asked for. */
const pageBytes = 4_096;

/** Whoever runs as whatever user may write. An engine keeps memory only as long as somebody has it mounted: this does. */
const holderScript = 'chmod 0777 /volumes/*; echo ready; read -r forever';

/** The temp volumes of a job: volumes of the engine, held by a container of their own for as long as the job lives. */
export class JobVolumes {
  readonly #host: DockerHost;
  readonly #job: JobSpec;
  readonly #image: () => Promise<string>;
  readonly #names = new Map<string, string>();
  readonly #holder: string;
  #conversation: LineConversation | undefined;
  #made: Promise<void> | undefined;

  constructor(job: JobSpec, host: DockerHost, image: () => Promise<string>) {
    this.#host = host;
    this.#job = job;
    this.#image = image;
    const beginning = `${agentPrefix(host.agent)}-${job.id.replaceAll(/[^A-Za-z0-9_.-]/g, '_').slice(0, 80)}`;
    this.#holder = `${beginning}-volumes`;
    for (const [number, { name }] of (job.volumes ?? []).entries())
      this.#names.set(name, `${beginning}-volume-${number}`);
  }

  /** What a step is to see of them, in the engine's words. Throws a TypeError for one that the job has not. */
  async mountsOf({ name, volumes = [] }: Pick<StageSpec, 'name' | 'volumes'>): Promise<readonly object[]> {
    if (volumes.length === 0) return [];
    this.#made ??= this.#make();
    await this.#made;
    return volumes.map((mount) => {
      const source = this.#names.get(mount.name);
      if (!source) throw new TypeError(`Cannot mount volume "${mount.name}" in step "${name}": the job has none of it`);
      return volumeMount(source, mount.target, mount.isReadOnly === true);
    });
  }

  /** Gives them back, beside other work. The steps that had them are gone by then, or being removed. */
  async remove(): Promise<void> {
    await this.#made?.catch(() => undefined);
    await this.#conversation?.close();
    if (!this.#made) return;
    await this.#host.removal.remove([
      ['containers', this.#holder],
      ...[...this.#names.values()].map((name) => ['volumes', name] as const),
    ]);
  }

  async #make(): Promise<void> {
    const { client, agent, removal } = this.#host;
    const ownLabels = { ...agentLabels(agent), [labels.job]: this.#job.id };
    for (const name of [this.#holder, ...this.#names.values()]) removal.known.add(name);
    const create = (volume: VolumePlan, options: Readonly<Record<string, string>> | undefined): Promise<unknown> =>
      client.call('POST', '/volumes/create', {
        body: {
          Name: this.#names.get(volume.name),
          Labels: ownLabels,
          Driver: 'local',
          ...(options ? { DriverOpts: options } : {}),
        },
      });
    for (const volume of this.#job.volumes ?? []) {
      if (volume.medium === 'disk') await create(volume, undefined);
      else
        await create(volume, memoryOptions(volume, 'size')).catch((error: unknown) => {
          // Podman 4.3 takes the size of any volume for a quota on a disk; the same in pages it hands to the kernel.
          if (!(error instanceof EngineError && /quota/i.test(error.message))) throw error;
          return create(volume, memoryOptions(volume, 'nr_blocks'));
        });
    }
    await client.call('POST', '/containers/create', {
      query: { name: this.#holder },
      body: {
        Image: await this.#image(),
        Entrypoint: ['/bin/busybox', 'sh', '-c', holderScript],
        Cmd: [],
        User: '0:0',
        Labels: ownLabels,
        AttachStdin: true,
        OpenStdin: true,
        StdinOnce: true,
        StopSignal: 'SIGKILL',
        HostConfig: {
          ...pauseRestrictions,
          NetworkMode: 'none',
          Mounts: [...this.#names.values()].map((name, number) => volumeMount(name, `/volumes/${number}`, false)),
        },
      },
    });
    this.#conversation = new LineConversation(await attach(client, this.#holder));
    await client.call('POST', `/containers/${this.#holder}/start`);
    await this.#conversation.ask(undefined, ['ready']);
  }
}

function memoryOptions({ sizeBytes }: VolumePlan, unit: 'size' | 'nr_blocks'): Record<string, string> {
  const bytes = sizeBytes ?? defaultMemoryBytes;
  const amount = unit === 'size' ? bytes : Math.ceil(bytes / pageBytes);
  return { type: 'tmpfs', device: 'tmpfs', o: `${unit}=${amount},mode=0777` };
}
