import { randomBytes, randomInt } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type BuilderWorld, describeBuilder } from '../../src/drivers/builder/builder.contract.ts';
import { createEngineBuilder } from '../../src/drivers/builder/engine/engine-builder.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { silentLogger } from '../../src/lib/logger.ts';
import { systemTimers } from '../../src/lib/timers.ts';
import { ContainerEngine, composedImages, findEngineHindrance } from '../support/container-engine.ts';
import { DockerRegistry, findRegistryHindrance, registryLogin } from '../support/docker-registry.ts';
import { GantryProcess } from '../support/gantry-process.ts';

interface Inspected {
  readonly RepoTags: readonly string[] | null;
}

/** The part of AWS that gives logins of its registry: here that of the registry of these tests. */
class AwsRegistry {
  readonly asked: string[] = [];
  readonly #server: Server;

  private constructor(registry: string) {
    const { username, password } = registryLogin;
    const token = Buffer.from(`${username}:${password}`).toString('base64');
    const data = [{ authorizationToken: token, proxyEndpoint: `https://${registry}` }];
    this.#server = createServer((request, response) => {
      let text = '';
      request.on('data', (piece: Buffer) => (text += piece.toString()));
      request.on('end', () => {
        const action = String(request.headers['x-amz-target']).replace(/^.*\./, '');
        const { repositoryName = '' } = JSON.parse(text) as { readonly repositoryName?: string };
        this.asked.push(`${action} ${repositoryName}`.trim());
        const isSigned = /^AWS4-HMAC-SHA256 Credential=AKID\/\d{8}\/eu-west-1\/ecr\//.test(
          request.headers.authorization ?? '',
        );
        response.writeHead(isSigned ? 200 : 400).end(JSON.stringify(isSigned ? { authorizationData: data } : {}));
      });
    });
  }

  static async start(registry: string): Promise<AwsRegistry> {
    const aws = new AwsRegistry(registry);
    await new Promise<void>((resolve) => aws.#server.listen(0, '127.0.0.1', resolve));
    return aws;
  }

  get address(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

/** What runs on this machine. */
function commandLines(): readonly string[] {
  return readdirSync('/proc').flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      return readFileSync(`/proc/${name}/cmdline`, 'utf8').split('\0').filter(Boolean).join(' ');
    } catch {
      // It has ended meanwhile.
      return [];
    }
  });
}

const hindrance = findEngineHindrance('docker') ?? findRegistryHindrance();

if (hindrance) describe.skip('images', () => it(`are not built here: ${hindrance}`, () => {}));
else {
  let engine: ContainerEngine;
  let registry: DockerRegistry;

  beforeAll(async () => {
    // RUN needs a network of the engine's own.
    engine = await ContainerEngine.start('docker', { hasDefaultBridge: true });
    registry = await DockerRegistry.start({ isPrivate: true, networkOf: engine.pid });
  });
  afterAll(async () => {
    await registry?.stop();
    await engine?.dispose();
  });

  /** The image as the registry gives it out, whatever the engine had before. */
  const pull = async (name: string): Promise<void> => {
    const [, repository = '', tag = ''] = /^(.+):([^:]+)$/.exec(name) ?? [];
    await engine.call('DELETE', `/images/${name}`).catch(() => undefined);
    const auth = Buffer.from(JSON.stringify(registryLogin))
      .toString('base64')
      .replaceAll('+', '-')
      .replaceAll('/', '_');
    await engine.call('POST', `/images/create?fromImage=${repository}&tag=${tag}`, undefined, {
      'X-Registry-Auth': auth,
    });
  };
  const describeImage = async (name: string): Promise<string> => {
    await pull(name);
    const seen = await Promise.all(
      ['json', 'history'].map((what) => engine.call<unknown>('GET', `/images/${name}/${what}`)),
    );
    await engine.call('DELETE', `/images/${name}`);
    return JSON.stringify(seen);
  };

  describeBuilder('of a Docker Engine', async (): Promise<BuilderWorld> => {
    const builder = createEngineBuilder({
      engine: engine.address,
      composed: composedImages(),
      clock: systemClock,
      timers: systemTimers,
      logger: silentLogger,
    });
    return {
      builder,
      registry: registry.host,
      login: registryLogin,
      async imagesLeft() {
        const images = await engine.call<readonly Inspected[]>('GET', '/images/json');
        return images.flatMap(({ RepoTags }) => RepoTags ?? []).filter((tag) => !tag.startsWith('gantry.local/base/'));
      },
      describe: describeImage,
      close: () => builder.close(),
    };
  });

  describe('steps that build images', () => {
    let gantry: GantryProcess;
    let aws: AwsRegistry;
    let networkFile: string | undefined;
    /** Found among the processes of the machine. */
    const sleepS = 10_000_000 + randomInt(89_999_999);
    const canary = `canary-${randomBytes(12).toString('hex')}`;

    beforeAll(async () => {
      aws = await AwsRegistry.start(registry.host);
      networkFile = join(mkdtempSync(join(tmpdir(), 'gantry-network-')), 'mirrors.yml');
      writeFileSync(
        networkFile,
        JSON.stringify({
          proxy: { http: 'http://proxy.example:3128', no_proxy: ['127.0.0.1'] },
          mirrors: {
            pypi: 'http://mirror.example/pypi',
            go: 'http://robot:hidden-word@mirror.example/go',
            cargo: 'sparse+http://mirror.example/cargo/',
          },
          images: ['written.example/team/* -> base/*'],
        }),
      );
      gantry = await GantryProcess.start({
        runtime: 'sandbox',
        settings: {
          GANTRY_BUILDER: engine.address,
          GANTRY_ECR_ENDPOINT: aws.address,
          GANTRY_MIRRORS: networkFile,
        },
      });
      for (const project of ['shop', 'old', 'wood', 'own', 'wrong', 'long', 'ecr', 'killed', 'net']) {
        await gantry.createProject(project);
        for (const [name, value] of Object.entries({
          docker_username: registryLogin.username,
          docker_password: registryLogin.password,
          wrong: 'another-word',
          canary,
        }))
          await gantry.client('setSecret', { params: { owner: 'admin', project, name }, body: { value } });
      }
    });
    afterAll(async () => {
      await gantry?.dispose();
      await aws?.stop();
      if (networkFile !== undefined) rmSync(dirname(networkFile), { recursive: true });
    });

    const finished = async (project: string, files: Record<string, string>) => {
      await gantry.push(project, files);
      const { status, steps } = await gantry.finished(project, 1, 120_000);
      const step = steps.find(({ name }) => name === 'image')!;
      return { status, step, log: await gantry.log(project, 1, step.id) };
    };

    it('run natively beside steps in the sandbox, and what they pushed runs', async () => {
      const name = `${registry.host}/shop/app:1.2`;
      const { status, step, log } = await finished('shop', {
        '.drone.yml': `kind: pipeline
type: docker
name: default
steps:
- name: write
  image: base/busybox
  commands: [echo made by a step > made.txt, mkdir left, touch left/out]
- name: image
  image: plugins/docker
  privileged: true
  settings:
    repo: ${registry.host}/shop/app
    registry: ${registry.host}
    username: {from_secret: docker_username}
    password: {from_secret: docker_password}
    tags: ["1.2", latest]
    build_args: [WORD=given]
`,
        Dockerfile:
          'FROM base/busybox\nARG WORD\nCOPY . /app\nRUN echo "$WORD" > /word\nCMD cat /app/made.txt /word; ls /app\n',
        '.dockerignore': 'left\n.git\n',
      });
      expect(status, log).toBe('passed');
      const [, digest] = new RegExp(`pushed ${name}@(sha256:[0-9a-f]{64})`).exec(log) ?? [];
      const latest = `${registry.host}/shop/app:latest`;
      expect(step.pushed).toEqual([
        { name, digest },
        { name: latest, digest },
      ]);
      await pull(name);
      const { Id } = await engine.call<{ Id: string }>('POST', '/containers/create', {
        Image: name,
        HostConfig: { NetworkMode: 'none' },
      });
      await engine.call('POST', `/containers/${Id}/start`);
      await engine.call('POST', `/containers/${Id}/wait`);
      const output = await engine.call<string>('GET', `/containers/${Id}/logs?stdout=1`);
      expect(output).toContain('made by a step');
      expect(output).toContain('given');
      expect(output).not.toContain('left');
      await engine.call('DELETE', `/containers/${Id}`);
    });

    it('read a file of Drone 0.8, with its login in variables', async () => {
      const { status, log } = await finished('old', {
        '.drone.yml': `pipeline:
  image:
    image: plugins/docker
    repo: ${registry.host}/old/app
    registry: ${registry.host}
    secrets: [docker_username, docker_password]
    dockerfile: docker/Dockerfile
    auto_tag: true
`,
        'docker/Dockerfile': 'FROM base/busybox\nRUN true\n',
      });
      expect(status, log).toBe('passed');
      expect(log).toContain(`pushed ${registry.host}/old/app:latest@`);
    });

    it('read a file of Woodpecker, with logins', async () => {
      const { status, log } = await finished('wood', {
        '.woodpecker.yml': `when: {event: push}
steps:
  tags:
    image: base/busybox
    commands: ['echo a,b > .tags']
  image:
    image: woodpeckerci/plugin-docker-buildx
    settings:
      repo: ${registry.host}/wood/app
      logins:
        - registry: http://${registry.host}
          username: {from_secret: docker_username}
          password: {from_secret: docker_password}
`,
        Dockerfile: 'FROM base/busybox\nRUN true\n',
      });
      expect(status, log).toBe('passed');
      for (const tag of ['a', 'b']) expect(log).toContain(`pushed ${registry.host}/wood/app:${tag}@`);
    });

    it('keep secrets of .gantry.yml out of log, history and image', async () => {
      const name = `${registry.host}/own/app:latest`;
      const { status, log } = await finished('own', {
        '.gantry.yml': `kind: pipeline
steps:
- name: image
  build:
    image: ${registry.host}/own/app
    username: {from_secret: docker_username}
    password: {from_secret: docker_password}
    registry: ${registry.host}
    secrets: {word: {from_secret: canary}}
`,
        Dockerfile: 'FROM base/busybox\nRUN --mount=type=secret,id=word echo "it is $(cat /run/secrets/word)"\n',
      });
      expect(status, log).toBe('passed');
      expect(log).toContain('it is ');
      expect(log).not.toContain(canary);
      expect(await describeImage(name)).not.toContain(canary);
    });

    it('fail with the registry’s words where the password is wrong', async () => {
      const { status, step, log } = await finished('wrong', {
        '.drone.yml': `kind: pipeline
name: default
steps:
- name: image
  image: plugins/docker
  settings:
    repo: ${registry.host}/wrong/app
    registry: ${registry.host}
    username: robot
    password: {from_secret: wrong}
`,
        Dockerfile: 'FROM base/busybox\nCOPY Dockerfile /\n',
      });
      expect([status, step.status]).toEqual(['failed', 'failed']);
      expect(log).toMatch(/Cannot push .*(?:denied|unauthorized|authentication|no basic auth)/i);
      expect(log).not.toContain('another-word');
    });

    it('have FROM by the rules of the installation, and of its mirrors what the Dockerfile asks for', async () => {
      const { status, log } = await finished('net', {
        '.gantry.yml': 'kind: pipeline\nsteps:\n- {name: image, build: {}}\n',
        Dockerfile: [
          'FROM written.example/team/busybox:1 AS first',
          'ARG PIP_INDEX_URL',
          'RUN echo "index $PIP_INDEX_URL"; echo "proxy $http_proxy"',
          'RUN --mount=type=secret,id=gantry-env . /run/secrets/gantry-env; echo "go $GOPROXY"',
          'RUN true || cargo build',
          '',
        ].join('\n'),
      });
      expect(status, log).toBe('passed');
      expect(log).toContain('image written.example/team/busybox:1 → base/busybox:1');
      expect(log).toContain('FROM written.example/team/busybox:1');
      expect(log).toMatch(/^#\d+ index http:\/\/mirror.example\/pypi$/m);
      expect(log).toMatch(/^#\d+ proxy http:\/\/proxy.example:3128$/m);
      expect(log).toMatch(/^#\d+ go http:\/\/\*+@mirror.example\/go$/m);
      expect(log).toContain("Dockerfile:5: the installation's mirror for cargo does not reach RUN");
    });

    it('push to an ECR with the login that AWS gives for their keys', async () => {
      const { status, step, log } = await finished('ecr', {
        '.drone.yml': `kind: pipeline
name: default
steps:
- name: image
  image: plugins/ecr
  settings:
    repo: ecr/app
    region: eu-west-1
    access_key: AKID
    secret_key: {from_secret: canary}
    create_repository: true
`,
        Dockerfile: 'FROM base/busybox\nCOPY Dockerfile /\n',
      });
      expect(status, log).toBe('passed');
      expect(step.pushed).toMatchObject([{ name: `${registry.host}/ecr/app:latest` }]);
      expect(aws.asked).toEqual(['GetAuthorizationToken', 'CreateRepository ecr/app']);
      expect(log).not.toContain(registryLogin.password);
    });

    it('of a runner that is killed are ended and taken away, those of living ones are left alone', async () => {
      await gantry.push('killed', {
        '.gantry.yml': 'kind: pipeline\nsteps:\n- name: image\n  build: {}\n',
        Dockerfile: `FROM base/busybox\nRUN sleep ${sleepS}\n`,
      });
      await expect.poll(() => commandLines(), { timeout: 60_000 }).toContain(`sleep ${sleepS}`);
      const names = async (): Promise<readonly string[]> => {
        const images = await engine.call<readonly Inspected[]>('GET', '/images/json');
        return images
          .flatMap(({ RepoTags }) => RepoTags ?? [])
          .filter((tag) => /^gantry.local\/(?:from|build)/.test(tag));
      };
      const left = await names();
      expect(left).toHaveLength(1);
      const other = createEngineBuilder({
        engine: engine.address,
        composed: composedImages(),
        recordsFolder: join(gantry.dataFolder, 'runner/builds'),
        clock: systemClock,
        timers: systemTimers,
        logger: silentLogger,
      });
      expect(await other.reap()).toEqual([]);
      await other.close();
      expect(await names()).toEqual(left);
      const [pid] = await gantry.runnerPids();
      process.kill(pid!, 'SIGKILL');
      await expect.poll(names, { timeout: 60_000 }).toEqual([]);
      await expect.poll(() => commandLines(), { timeout: 60_000 }).not.toContain(`sleep ${sleepS}`);
    });

    it('are nobody’s fault when the engine dies in the middle', async () => {
      await gantry.push('long', {
        '.gantry.yml': 'kind: pipeline\nsteps:\n- name: image\n  build: {}\n',
        Dockerfile: 'FROM base/busybox\nRUN echo begun; sleep 600\n',
      });
      const { steps: begun } = await gantry.until('long', 1, ({ steps }) =>
        steps.some(({ name, status }) => name === 'image' && status === 'running'),
      );
      const { id } = begun.find(({ name }) => name === 'image')!;
      await expect.poll(() => gantry.log('long', 1, id), { timeout: 60_000 }).toMatch(/ begun$/m);
      await engine.kill();
      const { steps } = await gantry.finished('long', 1, 120_000);
      expect(steps.find(({ name }) => name === 'image')!.status).toBe('infrastructure');
    });
  });
}
