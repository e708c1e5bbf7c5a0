import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { testDatabases } from '../../../test/support/databases.ts';
import { ScriptedRunner } from '../../../test/support/scripted-runner.ts';
import { createPerson, createProject, someTime } from '../../../test/support/store-world.ts';
import { isFinished, type Pipeline } from '../../core/pipeline.ts';
import { FilesystemLogs } from '../../drivers/logs/filesystem/filesystem-logs.ts';
import { compilePipeline } from '../../engine/compile.ts';
import type { ToRunner, ToServer } from '../../engine/runner-protocol.ts';
import { systemClock } from '../../lib/clock.ts';
import { silentLogger } from '../../lib/logger.ts';
import { pairedConnection } from '../../lib/paired-connection.ts';
import { openStore } from '../../store/open-store.ts';
import { pipelinesFeature } from './index.ts';

const databases = await testDatabases();
const file = 'kind: pipeline\nname: build\nclone: {disable: true}\nsteps: [{name: a, image: x, commands: [a]}]\n';

describe.each(databases)('what is decided under an old token, on $name', ({ create, stop, isMissing }) => {
  if (isMissing) {
    it.skip('needs the database', () => {});
    return;
  }

  const cleanups: (() => Promise<unknown>)[] = [];
  afterEach(async () => {
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  });
  afterAll(stop);

  async function world() {
    const folder = await mkdtemp(join(tmpdir(), 'gantry-fencing-'));
    cleanups.push(() => rm(folder, { recursive: true, force: true }));
    const store = await openStore(await create(), { clock: systemClock, logger: silentLogger });
    cleanups.push(() => store.close());
    const person = await createPerson(store, 'mei');
    const project = await createProject(store, person.id, 'shop');
    const feature = pipelinesFeature({
      unitOfWork: store,
      happenings: store.happenings,
      repository: {
        resolve: async () => undefined,
        commit: async () => undefined,
        readFile: async (_project, _commit, path) =>
          path === '.drone.yml'
            ? { bytes: Buffer.from(file), sizeBytes: file.length, blob: 'f'.repeat(40) }
            : undefined,
        listFolder: () => Promise.resolve(undefined),
        changedPaths: () => Promise.resolve(undefined),
        diffOf: () => Promise.resolve(undefined),
        mergeBase: () => Promise.resolve(undefined),
        folder: () => folder,
      },
      compiler: {
        compile: async (input) => compilePipeline(input),
        lint: () => Promise.reject(new Error('Nobody lints here')),
        resolve: () => Promise.reject(new Error('Nobody resolves here')),
      },
      secrets: {
        list: async () => [],
        reveal: async () => ({ forStep: () => new Map() }),
        keyFor: (purpose) => Buffer.from(purpose),
        signingKey: () => Promise.resolve(undefined),
        importedKey: async () => undefined,
        openEncrypted: async () => [],
        listLogins: async () => [],
        maskValues: async () => [],
        registries: async () => [],
      },
      logs: new FilesystemLogs(join(folder, 'logs')),
      clock: systemClock,
      logger: silentLogger,
      publicUrl: () => 'http://gantry.test',
    });
    await feature.start();
    cleanups.push(() => feature.stop());

    const pushed = async (key: string): Promise<Pipeline> => {
      const { event } = await store.write(({ events }) =>
        events.create({
          projectId: project.id,
          kind: 'push',
          key,
          ref: 'refs/heads/main',
          before: 'b'.repeat(40),
          after: 'c'.repeat(40),
          personName: 'mei',
          parameters: {},
          createdAt: someTime,
        }),
      );
      return (await feature.planNow(event.id)).pipeline!;
    };
    const ended = (pipeline: Pipeline): Promise<Pipeline> =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          store.read.pipelines.find(pipeline.id).then((now) => {
            if (now && isFinished(now.status)) resolve(now);
          }, reject);
        };
        cleanups.push(async () => leave());
        const leave = store.happenings.subscribe(look);
        look();
      });
    const connect = (runner: ScriptedRunner): void => {
      const [server, client] = pairedConnection<ToRunner, ToServer>();
      feature.acceptRunner(server);
      runner.connect(client);
    };
    return { store, feature, pushed, ended, connect };
  }

  it('is not recorded, and its pipeline goes on from the record; what was decided beside it is', async () => {
    const { store, feature, pushed, ended, connect } = await world();
    const runner = new ScriptedRunner({ script: () => 'hold' });
    connect(runner);
    const taken = await pushed('push:1');
    const untouched = await pushed('push:2');
    await runner.until(() => runner.running.length === 2);
    await feature.settled();
    // Somebody else takes the workflow: the record alone knows.
    const [workflow] = await store.read.pipelines.workflows(taken.id);
    await store.write(({ pipelines }) => pipelines.updateWorkflow({ id: workflow!.id, token: workflow!.token + 1 }));

    runner.end('a');
    runner.end('a');
    while (runner.isConnected) await new Promise((turn) => setImmediate(turn));
    await feature.settled();
    const [step] = await store.read.pipelines.steps(taken.id);
    expect(step).toMatchObject({ status: 'running', outcome: undefined });

    connect(runner);
    expect((await ended(taken)).status).toBe('infrastructure');
    expect((await ended(untouched)).status).toBe('passed');
    await runner.until(() => runner.holds.length === 0);
  });

  it('is told apart by attempt and token, and by whether the workflow is there at all', async () => {
    const { store, pushed } = await world();
    const pipeline = await pushed('push:1');
    const [{ id, attempt, token } = { id: 0, attempt: 0, token: 0 }] = await store.read.pipelines.workflows(
      pipeline.id,
    );
    const stale = (claim: { workflowId: number; attempt: number; token: number }) =>
      store.write(({ pipelines }) => pipelines.staleClaims([claim]));
    expect(await stale({ workflowId: id, attempt, token })).toEqual([]);
    expect(await stale({ workflowId: id, attempt, token: token + 1 })).toEqual([id]);
    expect(await stale({ workflowId: id, attempt: attempt + 1, token })).toEqual([id]);
    expect(await stale({ workflowId: id + 1_000, attempt, token })).toEqual([id + 1_000]);
    expect(await store.write(({ pipelines }) => pipelines.staleClaims([]))).toEqual([]);
  });
});
