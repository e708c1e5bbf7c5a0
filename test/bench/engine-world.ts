import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { PipelinePlan, WorkflowPlan } from '../../src/core/plan.ts';
import { FilesystemLogs } from '../../src/drivers/logs/filesystem/filesystem-logs.ts';
import type { ToRunner, ToServer } from '../../src/engine/runner-protocol.ts';
import { type PipelinesFeature, pipelinesFeature } from '../../src/features/pipelines/index.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { silentLogger } from '../../src/lib/logger.ts';
import { pairedConnection } from '../../src/lib/paired-connection.ts';
import { openStore, type Store } from '../../src/store/open-store.ts';
import { stepPlan, workflowPlan } from '../support/plans.ts';
import { ScriptedRunner, type Started } from '../support/scripted-runner.ts';
import { createPerson, createProject } from '../support/store-world.ts';

/**
 * The engine alone, durable: the real store on a disk, the real feature, a runner in this process that speaks the real
 * protocol and whose steps end at once.
 */
export class EngineWorld {
  plan: PipelinePlan = { dialect: 'gantry', path: '.gantry.yml', workflows: [] };
  /** A stored event has reached its handler: the planner asks for the plan. */
  onHandled: () => void = () => {};
  /** A workflow is in the runner's hands, claimed and recorded. */
  onAssigned: () => void = () => {};
  onStarted: (started: Started) => void = () => {};
  readonly #folder: string;
  readonly #store: Store;
  readonly #feature: PipelinesFeature;
  readonly #projectId: number;
  #events = 0;
  #heartbeat: NodeJS.Timeout | undefined;

  private constructor(folder: string, store: Store, projectId: number) {
    this.#folder = folder;
    this.#store = store;
    this.#projectId = projectId;
    this.#feature = pipelinesFeature({
      unitOfWork: store,
      happenings: store.happenings,
      repository: {
        resolve: () => Promise.resolve(undefined),
        commit: () => Promise.resolve(undefined),
        readFile: () => Promise.resolve(undefined),
        listFolder: () => Promise.resolve(undefined),
        changedPaths: () => Promise.resolve(undefined),
        diffOf: () => Promise.resolve(undefined),
        mergeBase: () => Promise.resolve(undefined),
        folder: () => folder,
      },
      compiler: {
        compile: () => {
          this.onHandled();
          return Promise.resolve({ kind: 'planned', plan: this.plan, trace: [] });
        },
        lint: () => Promise.reject(new Error('Nobody lints here')),
        resolve: () => Promise.reject(new Error('Nobody resolves here')),
      },
      secrets: {
        list: () => Promise.resolve([]),
        reveal: () => Promise.resolve({ forStep: () => new Map() }),
        keyFor: (purpose) => Buffer.from(purpose),
        signingKey: () => Promise.resolve(undefined),
        importedKey: () => Promise.resolve(undefined),
        openEncrypted: () => Promise.resolve([]),
        listLogins: () => Promise.resolve([]),
        maskValues: () => Promise.resolve([]),
        registries: () => Promise.resolve([]),
      },
      logs: new FilesystemLogs(join(folder, 'logs')),
      clock: systemClock,
      logger: silentLogger,
      publicUrl: () => 'http://localhost',
      config: { runningStepsLimit: 100_000 },
    });
  }

  static async create(): Promise<EngineWorld> {
    const folder = await mkdtemp(join(tmpdir(), 'gantry-bench-'));
    const store = await openStore(
      { kind: 'file', path: join(folder, 'gantry.db') },
      { clock: systemClock, logger: silentLogger },
    );
    const person = await createPerson(store, 'mei');
    const project = await createProject(store, person.id, 'shop');
    const world = new EngineWorld(folder, store, project.id);
    await world.#feature.start();
    world.#heartbeat = setInterval(() => world.#feature.noteHeartbeat('r1'), 5_000);
    const [server, client] = pairedConnection<ToRunner, ToServer>();
    world.#feature.acceptRunner(server);
    new ScriptedRunner({
      slots: 100_000,
      isSilent: true,
      onAssigned: () => world.onAssigned(),
      onStarted: (started) => world.onStarted(started),
    }).connect(client);
    return world;
  }

  /** From the stored event to the last step's end: milliseconds. */
  async run(): Promise<number> {
    const finished = new Promise<void>((resolve) => {
      const stop = this.#store.happenings.subscribe(({ happening }) => {
        if (happening.type !== 'pipeline-changed' || happening.status !== 'passed') return;
        stop();
        resolve();
      });
    });
    const startedMs = performance.now();
    await this.push();
    await finished;
    return performance.now() - startedMs;
  }

  async push(): Promise<void> {
    this.#events += 1;
    const after = 'c'.repeat(40);
    await this.#store.write(async (stores) => {
      const { event } = await stores.events.create({
        projectId: this.#projectId,
        kind: 'push',
        key: `bench:${this.#events}`,
        ref: 'refs/heads/main',
        before: after,
        after,
        personName: 'mei',
        parameters: {},
        createdAt: systemClock.now(),
      });
      await stores.happenings.append(
        [{ type: 'push-received', projectId: this.#projectId, eventId: event.id, ref: event.ref, after }],
        systemClock.now(),
      );
    });
  }

  async close(): Promise<void> {
    clearInterval(this.#heartbeat);
    await this.#feature.stop();
    await this.#store.close();
    await rm(this.#folder, { recursive: true, force: true });
  }
}

export function workflowOf(
  name: string,
  steps: readonly { readonly name: string; readonly dependsOn: readonly string[] }[],
): WorkflowPlan {
  return workflowPlan(
    name,
    steps.map(({ name: step, dependsOn }) => stepPlan(step, { dependsOn })),
  );
}
