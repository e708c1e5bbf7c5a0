import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { PipelineDetail } from '../../src/api/pipelines.ts';
import { type CacheAccess, type CacheEvent, protectedScope } from '../../src/core/cache.ts';
import type { Outcome } from '../../src/core/pipeline.ts';
import type { CachePlan } from '../../src/core/plan.ts';
import type { Runtime, RuntimeJob } from '../../src/drivers/runtime/runtime.ts';
import { ContainerEngine, callEngine, findEngineHindrance } from '../support/container-engine.ts';
import { startDockerRunner } from '../support/docker-runner.ts';
import { type DockerWorld, listObjects, openDockerWorld } from '../support/docker-world.ts';
import { GantryProcess } from '../support/gantry-process.ts';

const workspace = '/drone/src';
const access: CacheAccess = { projectId: 1, scope: protectedScope, pipeline: 7 };
const plan = (key: string, restore: readonly string[] = []): CachePlan => ({
  key,
  restore,
  paths: [`${workspace}/modules`, '/root/.store'],
});
const passed: Outcome = { kind: 'exited', exitCode: 0 };
let sequence = 0;

interface StepRun {
  readonly outcome: Outcome;
  readonly output: string;
  readonly events: readonly CacheEvent[];
}

const openJob = (runtime: Runtime): Promise<RuntimeJob> => {
  sequence += 1;
  return runtime.prepare({ id: `w${sequence}-a1-t1`, workspace, caches: access });
};

async function runIn(
  job: RuntimeJob,
  script: string,
  { name = 'install', cache, onCache }: { name?: string; cache?: CachePlan; onCache?: () => void },
): Promise<StepRun> {
  sequence += 1;
  const staged = await job.stage({
    id: `s${sequence}`,
    name,
    kind: 'commands',
    image: 'base/busybox',
    pull: 'default',
    limits: {},
    network: 'job',
    cache,
  });
  const events: CacheEvent[] = [];
  let output = '';
  const running = staged.release({
    script,
    environment: {},
    secrets: {},
    timeoutMs: 60_000,
    graceMs: 500,
    onCache(event) {
      events.push(event);
      onCache?.();
    },
    onOutput: (_stream, bytes) => void (output += bytes.toString()),
  });
  return { outcome: await running.outcome, output, events };
}

/** One step with a cache, in a job of its own. */
async function run(runtime: Runtime, script: string, cache: CachePlan): Promise<StepRun> {
  const job = await openJob(runtime);
  try {
    return await runIn(job, script, { cache });
  } finally {
    await job.destroy();
  }
}

/** Another way to an engine, which may answer calls itself: a call begins a chunk of its own. */
function forwardTo(socketPath: string, answer: (call: string) => string | undefined = () => undefined): Server {
  return createServer((socket) => {
    const onward = connect(socketPath);
    socket.on('data', (chunk) => {
      const own = answer(chunk.toString('latin1'));
      if (own === undefined) onward.write(chunk);
      else socket.write(own);
    });
    onward.pipe(socket);
    socket.on('close', () => onward.destroy());
    socket.on('error', () => onward.destroy());
    onward.on('error', () => socket.destroy());
  });
}

for (const kind of ['docker', 'podman'] as const) {
  const hindrance = findEngineHindrance(kind);
  const title = `caches in ${kind} when things go wrong`;
  if (hindrance) {
    describe.skip(title, () => it(`is not tested here: ${hindrance}`, () => {}));
    continue;
  }
  describe(title, () => {
    let engine: ContainerEngine;
    let folder = '';
    const worlds: DockerWorld[] = [];

    beforeAll(async () => {
      engine = await ContainerEngine.start(kind);
    });
    afterEach(async () => {
      await Promise.all(worlds.splice(0).map((world) => world.close()));
      rmSync(folder, { recursive: true, force: true });
    });
    afterAll(async () => {
      await engine?.dispose();
    });

    const open = (change: Parameters<typeof openDockerWorld>[1]): DockerWorld => {
      const world = openDockerWorld(change?.engine ?? engine.address, change);
      worlds.push(world);
      return world;
    };

    it('stay whole when the runner is killed between restore and save, and what it had mounted goes', async () => {
      folder = mkdtempSync(join(tmpdir(), 'gantry-killed-'));
      const instanceId = `test-${randomBytes(4).toString('hex')}`;
      const before = open({ cacheFolder: folder });
      const saved = await run(before.runtime, 'echo old > modules/a; echo old > /root/.store/a', plan('k1'));
      expect(saved.events.map(({ kind: what }) => what)).toEqual(['missed', 'saved']);
      await before.options.caches!.store.settled();

      const runner = await startDockerRunner(engine.address, instanceId, folder);
      await runner.kill();
      const world = open({ instanceId, cacheFolder: folder });
      expect((await world.runtime.reap()).join('\n')).toContain('files of the runner');
      const left = async (): Promise<readonly string[]> =>
        (await listObjects(engine.address, instanceId)).filter((name) => name.includes('cache'));
      await expect.poll(left).toEqual([]);
      const after = await run(world.runtime, 'cat modules/a /root/.store/a; ls modules', plan('k2', ['k']));
      expect(after.output).toBe('old\nold\na\n');
      expect(after.events).toMatchObject([{ kind: 'restored', from: 'k1' }, { kind: 'saved' }]);
      expect(readdirSync(join(folder, 'caches/p1')).filter((name) => name.endsWith('.new'))).toEqual([]);
    });

    it('stay whole when the engine is killed while one is being saved, and the step passes', async () => {
      folder = mkdtempSync(join(tmpdir(), 'gantry-engine-killed-'));
      const [reached, goOn, du] = ['reached', 'go-on', 'du'].map((name) => join(folder, name)) as [
        string,
        string,
        string,
      ];
      const world = open({ cacheFolder: folder });
      await run(world.runtime, 'echo old > modules/a', plan('k1'));
      // Saving begins with the measure of what there is: here that takes until the engine is gone.
      writeFileSync(
        du,
        `#!/bin/sh\ntouch ${reached}\nwhile ! test -e ${goOn}; do sleep 0.05; done\nexec /usr/bin/du "$@"\n`,
      );
      chmodSync(du, 0o755);
      const slow = open({ caches: { ...world.options.caches!, du } });
      const saving = run(slow.runtime, 'cat modules/a; echo new > modules/a; echo new > modules/b', plan('k2', ['k']));
      await expect.poll(() => existsSync(reached)).toBe(true);
      await engine.kill();
      writeFileSync(goOn, '');
      const killed = await saving;
      expect(killed).toMatchObject({ outcome: passed, output: 'old\n' });
      expect(killed.events[0]).toMatchObject({ kind: 'restored', from: 'k1' });
      // The engine may have had its part behind it by then: what is told is what the next finds, and that is whole.
      const isSaved = killed.events[1]?.kind === 'saved';
      if (!isSaved) expect(killed.events[1]).toMatchObject({ kind: 'not-saved' });
      await engine.start();
      const again = open({ cacheFolder: folder });
      const after = await run(again.runtime, 'cat modules/a; ls modules', plan('k2', ['k']));
      expect(after.output).toBe(isSaved ? 'new\na\nb\n' : 'old\na\n');
      expect(after.events[0]).toMatchObject({ kind: 'restored', key: 'k2', from: isSaved ? 'k2' : 'k1' });
    });

    /** A step makes a cache while another one writes to it all the time; answers how each fared, the first to end first. */
    const runBeside = async (job: RuntimeJob): Promise<readonly StepRun[]> => {
      const ended: StepRun[] = [];
      const note = (step: StepRun): void => void ended.push(step);
      const isMounted = Promise.withResolvers<void>();
      const install = 'echo new > modules/a; until test -e modules/b; do sleep 0.02; done';
      const write = 'i=0; while test $i -lt 100; do i=$((i+1)); echo $i > modules/b; sleep 0.03; done; cat modules/?';
      const first = runIn(job, install, { cache: plan('k'), onCache: isMounted.resolve }).then(note);
      await isMounted.promise;
      await Promise.all([first, runIn(job, write, { name: 'lint' }).then(note)]);
      return ended;
    };

    it('are saved while another step writes to them, which is held for that moment', async () => {
      const world = open({ keepsCaches: true });
      const job = await openJob(world.runtime);
      const [install, lint] = await runBeside(job);
      expect(install!.outcome).toEqual(passed);
      expect(install!.events).toMatchObject([{ kind: 'missed' }, { kind: 'saved' }]);
      expect(lint).toMatchObject({ outcome: passed, output: 'new\n100\n' });
      // What comes after in the job has what both left, another job what there was at that moment.
      const next = await runIn(job, 'cat modules/?; echo next > modules/b', { name: 'next' });
      expect(next.output).toBe('new\n100\n');
      await job.destroy();
      const later = await run(world.runtime, 'cat modules/a modules/b', plan('k'));
      expect(later.events).toMatchObject([{ kind: 'restored', from: 'k' }]);
      expect(later.output).toMatch(/^new\n(\d\d?\n)?$/);
      await world.close();
    });

    it('are not saved beside a step that the engine cannot hold', async () => {
      folder = mkdtempSync(join(tmpdir(), 'gantry-no-pause-'));
      const forward = forwardTo(engine.socketPath, (call) =>
        call.includes('/pause ') ? 'HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n' : undefined,
      );
      forward.listen(join(folder, 'engine.sock'));
      await once(forward, 'listening');
      const world = open({ engine: `unix://${join(folder, 'engine.sock')}`, keepsCaches: true });
      try {
        const job = await openJob(world.runtime);
        const [install, lint] = await runBeside(job);
        const why = `step "lint", which still runs, may write below ${workspace}/modules`;
        expect(install!.outcome).toEqual(passed);
        expect(install!.events).toEqual([expect.anything(), { kind: 'not-saved', key: 'k', why }]);
        expect(lint).toMatchObject({ outcome: passed, output: 'new\n100\n' });
        await job.destroy();
        await world.close();
      } finally {
        forward.close();
      }
    });

    it('hold no step for longer than its runner lives', async () => {
      const instanceId = `test-${randomBytes(4).toString('hex')}`;
      const runner = await startDockerRunner(engine.address, instanceId);
      const [held] = (await listObjects(engine.address, instanceId)).filter((name) => name.endsWith('-running'));
      await callEngine(engine.address, 'POST', `/containers/${held!.replace('/', '')}/pause`);
      await runner.kill();
      const world = open({ instanceId });
      await world.runtime.reap();
      await expect.poll(world.leftovers).toEqual([]);
    });

    // Nothing about it is the engine's.
    it.runIf(kind === 'docker')(
      'are off where the engine is reached over the network, which each step with one says',
      async () => {
        const forward = forwardTo(engine.socketPath);
        forward.listen(0, '127.0.0.1');
        await once(forward, 'listening');
        const { port } = forward.address() as AddressInfo;
        const world = open({ engine: `tcp://127.0.0.1:${port}`, keepsCaches: true });
        try {
          const why = expect.stringContaining(`over the network (127.0.0.1:${port})`);
          expect((await world.runtime.probe()).findings).toContainEqual(why);
          const ran = await run(world.runtime, 'ls modules || mkdir modules', plan('k'));
          expect(ran.outcome).toEqual(passed);
          expect(ran.events).toEqual([{ kind: 'unused', key: 'k', why }]);
          expect(await world.runtime.results!.findHindrance!()).toEqual(why);
          await world.close();
        } finally {
          forward.close();
        }
      },
    );
  });
}

const hindrance = findEngineHindrance('docker');

describe.skipIf(hindrance)('caches and reused steps of a server whose steps run in Docker', () => {
  let engine: ContainerEngine;
  let gantry: GantryProcess;
  beforeAll(async () => {
    engine = await ContainerEngine.start('docker');
    gantry = await GantryProcess.start({ runtime: 'docker', settings: { GANTRY_DOCKER_HOST: engine.address } });
    await gantry.createProject('shop');
  });
  afterAll(async () => {
    await gantry?.dispose();
    await engine?.dispose();
  });

  it('work as in a sandbox, from the file to the list', async () => {
    const file = `
kind: pipeline
name: build
steps:
- name: install
  image: base/busybox
  depends_on: [clone]
  commands: ['test -f modules/a || echo fetched > modules/a']
  cache: {key: 'npm-{{ checksum "lock" }}', restore: [npm-], paths: [modules]}
- name: compile
  image: base/busybox
  depends_on: [clone]
  commands: [mkdir -p dist, cat src/a.txt > dist/a.txt, chmod 751 dist/a.txt]
  reuse: {inputs: [src], outputs: [dist]}
- name: look
  image: base/busybox
  depends_on: [install, compile]
  commands: [cat modules/a dist/a.txt, stat -c %a dist/a.txt]
`;
    const { client } = gantry;
    const params = { owner: 'admin', project: 'shop' };
    const logOf = ({ number, steps }: PipelineDetail, name: string): Promise<string> =>
      gantry.log('shop', number, steps.find((step) => step.name === name)!.id);
    const push = async (number: number, files: Record<string, string>): Promise<PipelineDetail> => {
      await gantry.push('shop', { '.gantry.yml': file, lock: '1', ...files });
      const pipeline = await gantry.finished('shop', number, 120_000);
      expect(pipeline.status, JSON.stringify(pipeline)).toBe('passed');
      expect(await logOf(pipeline, 'look')).toContain(`fetched\n${files['src/a.txt']}+ stat -c %a dist/a.txt\n751\n`);
      return pipeline;
    };
    const reused = ({ steps }: PipelineDetail): unknown => steps.find(({ name }) => name === 'compile')?.reusedFrom;

    const first = await push(1, { 'src/a.txt': 'one\n' });
    expect(await logOf(first, 'install')).toMatch(/cache npm-\S+: missed: no entry for this key\n[^]*: saved \d+ KiB/);
    expect(await logOf(first, 'compile')).toMatch(/reuse: missed: no result[^]*reuse: kept its result, \d+ KiB/);
    const second = await push(2, { 'src/a.txt': 'one\n', readme: 'two' });
    expect(await logOf(second, 'install')).toMatch(/cache npm-\S+: restored \d+ KiB from #1 in \d+ ms\n/);
    expect(await logOf(second, 'compile')).toMatch(/reuse: reused from #1, [^]*reuse: put its outputs back/);
    expect(reused(second)).toMatchObject({ number: 1 });
    const third = await push(3, { 'src/a.txt': 'three\n', readme: 'two' });
    expect(reused(third)).toBeFalsy();
    expect(await logOf(third, 'compile')).toContain('reuse: missed: input src is not what it was in #1');
    // Whoever runs it again does not trust what is kept.
    await client('rerunPipeline', { params: { ...params, number: 2 }, body: { only: 'all' } });
    const again = await gantry.until(
      'shop',
      2,
      ({ status, steps }) => status === 'passed' && steps.every(({ attempt }) => attempt === 2),
    );
    expect(reused(again)).toBeFalsy();

    const { items } = await client('listCaches', { params });
    expect(items.map(({ kind }) => kind).toSorted()).toEqual(['cache', 'step-result', 'step-result']);
  });
});
