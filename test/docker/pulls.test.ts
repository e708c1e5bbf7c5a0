import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RuntimeJob, StagedStep, StageSpec } from '../../src/drivers/runtime/runtime.ts';
import { ContainerEngine, findEngineHindrance } from '../support/container-engine.ts';
import { type DockerWorld, openDockerWorld } from '../support/docker-world.ts';
import { findBusybox } from '../support/sandbox-world.ts';

for (const kind of ['docker', 'podman'] as const) {
  const hindrance = findEngineHindrance(kind) ?? (findBusybox() ? undefined : 'busybox-static is not installed');
  const title = `pulls by ${kind}`;
  if (hindrance) {
    describe.skip(title, () => it(`are not tested here: ${hindrance}`, () => {}));
    continue;
  }
  describe(title, () => {
    let engine: ContainerEngine;
    let world: DockerWorld;
    let registry: ChildProcess;
    let port = '';
    /** Of a registry that wants a login. */
    let privatePort = '';
    let job: RuntimeJob;
    let sequence = 0;

    beforeAll(async () => {
      engine = await ContainerEngine.start(kind);
      const program = join(import.meta.dirname, '../support/small-registry-child.ts');
      registry = spawn('nsenter', [`--net=/proc/${engine.pid}/ns/net`, process.execPath, program], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const [line] = (await once(registry.stdout!, 'data')) as [Buffer];
      [port = '', privatePort = ''] = line.toString().trim().split(' ');
      world = openDockerWorld(engine.address);
      job = await world.runtime.prepare({ id: 'w1-a1-t1', workspace: '/drone/src' });
    });
    afterAll(async () => {
      registry?.kill('SIGKILL');
      await world?.close();
      await engine?.dispose();
    });

    const image = (behaviour: string, tag = '1'): string => `127.0.0.1:${port}/${behaviour}/app:${tag}`;

    const stage = (change: Partial<StageSpec>): Promise<StagedStep> => {
      sequence += 1;
      return job.stage({
        id: `s${sequence}`,
        name: 'step',
        kind: 'commands',
        image: image('ok'),
        pull: 'default',
        limits: {},
        network: 'job',
        ...change,
      });
    };

    /** In the engine's network namespace, where the registry listens. */
    const layersAsked = (): number =>
      Number(
        execFileSync(
          'nsenter',
          [`--net=/proc/${engine.pid}/ns/net`, findBusybox()!, 'wget', '-qO-', `http://127.0.0.1:${port}/count`],
          { encoding: 'utf8' },
        ),
      );

    it('fetch an image once for all that want it, and tell each of them how it goes', async () => {
      const told: string[][] = [[], [], []];
      await Promise.all(
        told.map((lines) => stage({ image: image('ok', 'latest'), progress: (line) => void lines.push(line) })),
      );
      expect(layersAsked()).toBe(1);
      for (const lines of told) expect(lines.join('\n')).toContain('ok/app');
    });

    it('run what they brought', async () => {
      const staged = await stage({});
      let output = '';
      const running = staged.release({
        script: 'echo "$FROM_IMAGE"',
        environment: {},
        secrets: {},
        timeoutMs: 60_000,
        graceMs: 500,
        onOutput: (_stream, bytes) => {
          output += bytes.toString();
        },
      });
      expect(await running.outcome).toEqual({ kind: 'exited', exitCode: 0 });
      expect(output).toBe('yes\n');
    });

    it('are not made under "never", which names the image that is not there', async () => {
      await expect(stage({ image: image('ok', '77'), pull: 'never' })).rejects.toMatchObject({
        code: 'IMAGE_NOT_FOUND',
        message: expect.stringContaining('ok/app:77') as string,
      });
    });

    it('fail for a tag that does not exist, with the words of the registry', async () => {
      await expect(stage({ image: image('ok', 'none') })).rejects.toMatchObject({
        code: 'IMAGE_NOT_FOUND',
        message: expect.stringContaining('manifest unknown') as string,
      });
    });

    it.each(['busy', 'broken', 'cut'])('are tried again where the registry is %s for a moment', async (behaviour) => {
      await expect(stage({ image: image(behaviour) })).resolves.toBeDefined();
    });

    it('refuse a layer whose bytes are not those of its digest', async () => {
      await expect(stage({ image: image('wrong') })).rejects.toThrow(/wrong\/app/);
    });

    it('sign in with the longest match, and fail for good where the login is wrong', async () => {
      const name = `127.0.0.1:${privatePort}/private/app:1`;
      const login = (password: string) => [
        { registry: `127.0.0.1:${privatePort}`, username: 'user', password: 'other' },
        { registry: `127.0.0.1:${privatePort}/private`, username: 'user', password },
      ];
      await expect(stage({ image: name, credentials: login('bad') })).rejects.toMatchObject({
        code: 'IMAGE_NOT_FOUND',
      });
      await expect(stage({ image: name, credentials: login('word') })).resolves.toBeDefined();
      // It is here now, and all the same not for who may not read it.
      await expect(stage({ image: name, pull: 'if-not-present' })).rejects.toMatchObject({ code: 'IMAGE_NOT_FOUND' });
    });

    it('fail under "always" when the registry is gone, and use what is there under "if-not-present"', async () => {
      registry.kill('SIGKILL');
      await once(registry, 'exit');
      await expect(stage({ pull: 'always' })).rejects.toMatchObject({ code: 'IMAGE_PULL_FAILED' });
      await expect(stage({ pull: 'if-not-present' })).resolves.toBeDefined();
    });
  });
}
