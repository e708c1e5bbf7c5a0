import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { RunningStep, RuntimeJob, StageSpec } from '../../src/drivers/runtime/runtime.ts';
import { ContainerEngine, type ContainerEngine as Engine, findEngineHindrance } from '../support/container-engine.ts';
import { startDockerRunner } from '../support/docker-runner.ts';
import { type DockerWorld, listObjects, openDockerWorld } from '../support/docker-world.ts';

for (const kind of ['docker', 'podman'] as const) {
  const hindrance = findEngineHindrance(kind);
  const title = `a runtime in ${kind} when things go wrong`;
  if (hindrance) {
    describe.skip(title, () => it(`is not tested here: ${hindrance}`, () => {}));
    continue;
  }
  describe(title, () => {
    let engine: Engine;
    const worlds: DockerWorld[] = [];
    let sequence = 0;

    beforeAll(async () => {
      engine = await ContainerEngine.start(kind);
    });
    afterEach(async () => {
      await Promise.all(worlds.splice(0).map((world) => world.close()));
    });
    afterAll(async () => {
      await engine?.dispose();
    });

    const open = (change: Parameters<typeof openDockerWorld>[1] = {}): DockerWorld => {
      const world = openDockerWorld(engine.address, change);
      worlds.push(world);
      return world;
    };

    const stageSpec = (change: Partial<StageSpec> = {}): StageSpec => {
      sequence += 1;
      return {
        id: `s${sequence}`,
        name: 'step',
        kind: 'commands',
        image: 'base/busybox',
        pull: 'default',
        limits: {},
        network: 'job',
        ...change,
      };
    };

    const prepare = (world: DockerWorld): Promise<RuntimeJob> => {
      sequence += 1;
      return world.runtime.prepare({ id: `w${sequence}-a1-t1`, workspace: '/drone/src' });
    };

    interface Begun {
      readonly running: RunningStep;
      readonly output: () => string;
      /** Name of its container. */
      readonly container: string;
    }

    const begin = async (
      job: RuntimeJob,
      script: string,
      more: { readonly stage?: Partial<StageSpec>; readonly secrets?: Record<string, string> } = {},
    ): Promise<Begun> => {
      const spec = stageSpec(more.stage);
      const staged = await job.stage(spec);
      let output = '';
      const begun = Promise.withResolvers<void>();
      const running = staged.release({
        script,
        environment: {},
        secrets: more.secrets ?? {},
        timeoutMs: 120_000,
        graceMs: 500,
        onOutput: (_stream, bytes) => {
          output += bytes.toString();
          if (output.includes('begun')) begun.resolve();
        },
      });
      await Promise.race([begun.promise, running.outcome]);
      const filters = encodeURIComponent(JSON.stringify({ label: [`gantry.step=${spec.id}`] }));
      const [found] = await engine.call<{ Id: string }[]>('GET', `/containers/json?all=1&filters=${filters}`);
      return { running, output: () => output, container: found?.Id ?? '' };
    };

    it('reports a step whose container somebody removed as infrastructure, never as success', async () => {
      const { running, container } = await begin(await prepare(open()), 'echo begun; sleep 3600');
      await engine.call('DELETE', `/containers/${container}?force=1`);
      expect(await running.outcome).toMatchObject({ kind: 'infrastructure' });
    });

    it('reports a step whose container somebody killed as infrastructure', async () => {
      const { running, container } = await begin(await prepare(open()), 'echo begun; sleep 3600');
      await engine.call('POST', `/containers/${container}/kill?signal=SIGKILL`);
      expect(await running.outcome).toMatchObject({
        kind: 'infrastructure',
        message: expect.stringContaining('from outside') as string,
      });
    });

    it('goes on with the job when a container beside it is gone, and gives the rest back', async () => {
      const world = open();
      const job = await prepare(world);
      const { running, container } = await begin(job, 'echo begun; sleep 3600');
      await engine.call('DELETE', `/containers/${container}?force=1`);
      await running.outcome;
      const second = await begin(job, 'echo begun');
      expect(await second.running.outcome).toEqual({ kind: 'exited', exitCode: 0 });
      await job.destroy();
      expect(await world.leftovers()).toEqual([]);
    });

    it('says in the engine’s own words that there is no such user', async () => {
      const job = await prepare(open());
      await expect(begin(job, 'echo begun', { stage: { user: 'nobody-of-this-name' } })).rejects.toMatchObject({
        code: 'IMAGE_INVALID',
        message: expect.stringContaining('nobody-of-this-name') as string,
      });
    });

    it('keeps secrets and scripts out of what the engine stores and shows', async () => {
      const canary = `canary-${randomBytes(12).toString('hex')}`;
      const { running, container } = await begin(await prepare(open()), `echo begun; : ${canary}; sleep 3600`, {
        secrets: { TOKEN: canary },
      });
      expect(JSON.stringify(await engine.call('GET', `/containers/${container}/json`))).not.toContain(canary);
      // Found in no file of the engine: neither configuration nor log nor layer.
      const found = execFileSync('sh', ['-c', `grep -rlsF --devices=skip "$0" "$1" || true`, canary, engine.folder], {
        encoding: 'utf8',
      });
      expect(found).toBe('');
      running.cancel('enough');
      await running.outcome;
    });

    it('mounts no socket of an engine and nothing of the host into a step', async () => {
      const { running, container } = await begin(await prepare(open()), 'echo begun; sleep 3600');
      const { HostConfig, Mounts } = await engine.call<{
        HostConfig: { Privileged: boolean; Binds: string[] | null; PidMode: string; SecurityOpt: string[] | null };
        Mounts: { Type: string }[];
      }>('GET', `/containers/${container}/json`);
      expect(HostConfig.Privileged).toBe(false);
      expect(HostConfig.SecurityOpt ?? []).toContain('no-new-privileges');
      expect(Mounts.filter(({ Type }) => Type !== 'volume' && Type !== 'tmpfs')).toEqual([]);
      running.cancel('enough');
      await running.outcome;
    });

    it('gives a service whose port another one has an address of its own', async () => {
      const job = await open().runtime.prepare({
        id: `w${(sequence += 1)}-a1-t1`,
        workspace: '/drone/src',
        hostNames: ['one', 'two'],
      });
      const ports = [{ port: 8080, protocol: 'tcp' as const }];
      for (const name of ['one', 'two']) {
        const spec = stageSpec({ name, hostName: name, ports, startsIn: 'image' });
        const staged = await job.stage(spec);
        staged.release({
          script: `mkdir /www && echo "served by ${name}" > /www/page && exec httpd -f -p 8080 -h /www`,
          environment: {},
          secrets: {},
          timeoutMs: 120_000,
          graceMs: 500,
          onOutput: () => undefined,
        });
        const signal = new AbortController().signal;
        const wait = { stepId: spec.id, ports, timeoutMs: 60_000, settleMs: 0, signal };
        expect((await job.waitForPorts(wait)).silent).toEqual([]);
      }
      const { running, output } = await begin(job, 'wget -qO- http://one:8080/page; wget -qO- http://two:8080/page');
      await running.outcome;
      expect(output()).toBe('served by one\nserved by two\n');
    });

    it('removes what a runner that was killed left behind, and nothing of a living one', async () => {
      const instanceId = `test-${randomBytes(4).toString('hex')}`;
      const runner = await startDockerRunner(engine.address, instanceId);
      const world = open({ instanceId });
      expect(await world.runtime.reap()).toEqual([]);
      const left = await listObjects(engine.address, instanceId);
      expect(left.length).toBeGreaterThanOrEqual(5);
      await runner.kill();
      const removed = await world.runtime.reap();
      expect(removed.length).toBeGreaterThanOrEqual(5);
      await expect.poll(() => listObjects(engine.address, instanceId)).toEqual([]);
    });

    it('runs ten jobs at once, each in a network of its own', async () => {
      const world = open();
      const play = async (i: number): Promise<string> => {
        const job = await prepare(world);
        const { running, output } = await begin(job, `echo begun ${i}; ip -4 -o addr show eth0 | awk '{ print $4 }'`);
        expect(await running.outcome).toEqual({ kind: 'exited', exitCode: 0 });
        return output().split('\n')[1]!;
      };
      const addresses = await Promise.all(Array.from({ length: 10 }, (_, i) => play(i)));
      expect(new Set(addresses).size).toBe(10);
    });

    it('reports a step as infrastructure when the engine does not answer any more, and goes on when it does', async () => {
      const world = open({ enginePatienceMs: 3_000 });
      const job = await prepare(world);
      const { running } = await begin(job, 'echo begun; sleep 3600');
      engine.pause();
      try {
        expect(await running.outcome).toEqual({
          kind: 'infrastructure',
          message: 'The container engine did not answer for 3 s',
        });
      } finally {
        engine.resume();
      }
      const second = await begin(job, 'echo begun');
      expect(await second.running.outcome).toEqual({ kind: 'exited', exitCode: 0 });
    });

    it.each(['stop', 'kill'] as const)('reports a step as infrastructure after a %s of the engine', async (how) => {
      const world = open();
      const { running } = await begin(await prepare(world), 'echo begun; sleep 3600');
      await engine[how]();
      expect((await running.outcome).kind).toBe('infrastructure');
      await engine.start();
      const next = await begin(await prepare(world), 'echo begun');
      expect(await next.running.outcome).toEqual({ kind: 'exited', exitCode: 0 });
    });

    it('says that there is no engine where there is none, and refuses jobs', async () => {
      const world = openDockerWorld('unix:///nowhere/engine.sock');
      const probe = await world.runtime.probe();
      expect(probe.isUsable).toBe(false);
      expect(probe.findings[0]).toContain('unix:///nowhere/engine.sock');
      await expect(world.runtime.prepare({ id: 'w1-a1-t1', workspace: '/drone/src' })).rejects.toMatchObject({
        code: 'RUNTIME_UNAVAILABLE',
      });
      await world.runtime.close();
    });
  });
}
