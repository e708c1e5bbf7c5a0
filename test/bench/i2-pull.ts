import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer, request as httpRequest } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RegistrySource } from '../../src/drivers/images/registry/registry-source.ts';
import { ImageStore } from '../../src/drivers/images/store/image-store.ts';
import { DockerRegistry, findRegistryHindrance } from '../support/docker-registry.ts';
import { GantryProcess } from '../support/gantry-process.ts';
import { findBusybox } from '../support/sandbox-world.ts';
import type { Benchmark } from './harness.ts';

const pipelines = 8;
const imageBytes = 24 * 2 ** 20;

/** Stands before a registry and counts the bytes of blobs that it gives out. */
class CountingRegistry {
  readonly registry: DockerRegistry;
  readonly host: string;
  readonly #server: ReturnType<typeof createServer>;
  #servedBytes = 0;
  #images = 0;

  private constructor(registry: DockerRegistry, server: ReturnType<typeof createServer>) {
    this.registry = registry;
    this.#server = server;
    this.host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    server.on('request', (incoming, outgoing) => {
      const [hostname, port] = registry.host.split(':');
      const { authorization: _, host: __, ...headers } = incoming.headers;
      const forwarded = httpRequest(
        { hostname, port, path: incoming.url, method: incoming.method, headers },
        (answer) => {
          outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
          if (incoming.url?.includes('/blobs/'))
            answer.on('data', (bytes: Buffer) => {
              this.#servedBytes += bytes.length;
            });
          answer.pipe(outgoing);
        },
      );
      forwarded.on('error', () => outgoing.destroy());
      incoming.pipe(forwarded);
    });
  }

  static async start(): Promise<CountingRegistry> {
    const registry = await DockerRegistry.start({ isPrivate: false });
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new CountingRegistry(registry, server);
  }

  /** An image that nobody has: a shell, and bytes that do not compress. */
  async newImage(): Promise<string> {
    const busybox = await readFile(findBusybox()!);
    this.#images += 1;
    const files = { 'bin/sh': busybox, filler: randomBytes(imageBytes) };
    await this.registry.push('bench/app', `v${this.#images}`, files);
    return `${this.host}/bench/app:v${this.#images}`;
  }

  /** Bytes of images served since the last look, in MB. */
  takeServedMb(): number {
    const served = this.#servedBytes / 1e6;
    this.#servedBytes = 0;
    return served;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await this.registry.stop();
  }
}

export const benchmark: Benchmark = {
  id: 'I2',
  title: `${pipelines} pipelines at once, one missing image of ${imageBytes / 2 ** 20} MiB`,
  async prepare() {
    const hindrance = findRegistryHindrance();
    if (hindrance) return { comparisons: [], cleanUp: async () => undefined, notes: [hindrance] };
    const registry = await CountingRegistry.start();
    const gantry = await GantryProcess.start({ runtime: 'sandbox', settings: { GANTRY_SLOTS: String(pipelines) } });
    const projects = Array.from({ length: pipelines }, (_, i) => `bench${i}`);
    for (const project of projects) await gantry.createProject(project);
    const folder = await mkdtemp(join(tmpdir(), 'gantry-bench-'));
    let runs = 0;
    let spread = 0;

    /** All eight by pushes at the same moment; answers the MB that the registry served. */
    async function pullByPipelines(): Promise<number> {
      const image = await registry.newImage();
      runs += 1;
      const file = `kind: pipeline\nname: default\nsteps:\n  - {name: use, image: '${image}', commands: ['test -f /filler']}\n`;
      registry.takeServedMb();
      const beganMs = Date.now();
      await Promise.all(projects.map((project) => gantry.push(project, { '.gantry.yml': file })));
      const startedMs: number[] = [];
      for (const project of projects) {
        const pipeline = await gantry.finished(project, runs, 180_000);
        if (pipeline.status !== 'passed') throw new Error(JSON.stringify(pipeline));
        startedMs.push(Date.parse(pipeline.steps.find(({ name }) => name === 'use')!.startedAt!) - beganMs);
      }
      spread = Math.max(...startedMs) / Math.min(...startedMs);
      return registry.takeServedMb();
    }

    /** As eight agents do that share nothing: each has its own store. */
    async function pullByEach(): Promise<number> {
      const image = await registry.newImage();
      registry.takeServedMb();
      const architecture = process.arch === 'arm64' ? 'arm64' : 'amd64';
      const stores = projects.map(
        (project) =>
          new ImageStore({
            folder: join(folder, `${project}-${runs}`),
            sources: [new RegistrySource({ plainHttpHosts: [], architecture })],
          }),
      );
      await Promise.all(stores.map((store) => store.provide(image, { pull: 'default' })));
      await rm(folder, { recursive: true, force: true });
      return registry.takeServedMb();
    }

    return {
      comparisons: [
        {
          variant: 'bytes from the registry',
          peer: 'a-store-each-shape',
          unit: 'MB',
          pairs: 3,
          warmUps: 0,
          gantry: pullByPipelines,
          peerRun: pullByEach,
          goal: 'bytes of one image',
          isMet: ({ gantry: served }) => served.p99 <= (1.1 * imageBytes) / 1e6,
        },
        {
          variant: 'start of the last ÷ start of the first',
          peer: 'none',
          unit: 'count',
          pairs: 3,
          warmUps: 0,
          async gantry() {
            await pullByPipelines();
            return spread;
          },
          goal: '≤ 1.1',
          isMet: ({ gantry: times }) => times.p50 <= 1.1,
        },
      ],
      notes: ['pushes are made at the same moment, and their time counts'],
      async cleanUp() {
        await gantry.dispose();
        await registry.stop();
        await rm(folder, { recursive: true, force: true });
      },
    };
  },
};
