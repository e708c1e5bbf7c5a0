import type { ArtifactLimits } from '../../core/artifact.ts';
import type { CheckoutGatherer } from '../../core/checkout.ts';
import type { HappeningBus, LogBus } from '../../core/events.ts';
import type { Actor } from '../../core/permission.ts';
import type { Repository } from '../../core/repository.ts';
import type { SecretVault } from '../../core/secret-vault.ts';
import type { UnitOfWork } from '../../core/unit-of-work.ts';
import type { BlobStorage } from '../../drivers/blobs/blobs.ts';
import type { LogStorage } from '../../drivers/logs/logs.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/logger.ts';
import { systemTimers, type Timers } from '../../lib/timers.ts';
import type { Feature } from '../feature.ts';
import { approvalOperations } from './approvals/approval-operations.ts';
import { ArtifactDesk } from './artifacts/artifact-desk.ts';
import { badgeRoutes } from './badge/badge-routes.ts';
import { CheckoutDesk } from './checkout-desk.ts';
import { cronOperations } from './crons/cron-operations.ts';
import { CronScheduler } from './crons/cron-scheduler.ts';
import { Engine, type EngineConfig } from './engine.ts';
import { EventPlanner } from './event-planner.ts';
import { inspectionOperations, type PipelineResolver } from './inspection/inspection-operations.ts';
import { type PipelineLinter, pipelineOperations } from './operations.ts';
import { watchTimeLimits } from './overdue.ts';
import { PipelineMasks } from './pipeline-masks.ts';
import type { PipelineCompiler, Planned } from './plan-event.ts';
import type { InstallationRules } from './project-facts.ts';
import { type Finding, reconcile } from './reconcile.ts';
import { Retries } from './retries.ts';
import { RunnerDesk } from './runner-desk.ts';
import type { RunnerConnection } from './runner-session.ts';
import { StepLogs } from './step-logs.ts';
import { cancelSupersededAtStart } from './superseded.ts';
import { endUnavailable } from './unavailable.ts';

export interface PipelinesFeatureDeps {
  readonly unitOfWork: UnitOfWork;
  readonly happenings: HappeningBus;
  readonly repository: Pick<
    Repository,
    'resolve' | 'commit' | 'readFile' | 'listFolder' | 'changedPaths' | 'mergeBase' | 'diffOf' | 'folder'
  >;
  /** Finds what lies in checkouts beyond the commit of their event; absent = those that have more fail. */
  readonly checkouts?: CheckoutGatherer | undefined;
  /** The process that reads pipeline files under the limits of R5. */
  readonly compiler: PipelineCompiler & PipelineLinter & PipelineResolver;
  readonly secrets: SecretVault;
  readonly logs: LogStorage;
  /** Where artifacts are kept; absent = steps that leave some are told that they cannot. */
  readonly blobs?: BlobStorage | undefined;
  readonly clock: Clock;
  readonly timers?: Timers;
  readonly logger: Logger;
  /** Address of this Gantry, without a slash at its end. */
  readonly publicUrl: () => string;
  /** What the installation says of every project. */
  readonly installation?: InstallationRules | undefined;
  readonly config?: Partial<PipelinesConfig>;
}

export interface PipelinesConfig extends EngineConfig {
  readonly artifacts: ArtifactLimits;
  readonly reconcileEveryMs: number;
  /** How long a workflow waits for a runner that may take it, where its project waits at all. */
  readonly runnerWaitLimitMs: number;
}

/** What is assumed where the configuration does not say. */
export const pipelinesDefaults: PipelinesConfig = {
  runningStepsLimit: 1_000,
  leaseMs: 45_000,
  logLimitBytes: 1024 * 1024 * 1024,
  artifacts: { artifactBytes: 2 ** 30, pipelineBytes: 4 * 2 ** 30, projectBytes: 20 * 2 ** 30 },
  reconcileEveryMs: 10_000,
  runnerWaitLimitMs: 24 * 3_600_000,
};

/** How often it is looked whether workflows have waited too long for a runner. */
const unavailableEveryMs = 5_000;

export interface PipelinesFeature extends Feature {
  /** Takes a connection of a runner, for work or for heartbeats: its first message tells which. */
  acceptRunner(connection: RunnerConnection): void;
  /** For a runner in this process, which has no second connection. */
  noteHeartbeat(runnerId: string): void;
  /** Gives up runners that are known to be dead, now and not at the end of their lease. */
  loseRunners(isGone: (runnerId: string) => boolean): void;
  /** The workflow whose credential has this hash: what its steps fetch their project's code with. */
  findJob(hash: string): Extract<Actor, { kind: 'job' }> | undefined;
  /** Plans a stored event. Happens by itself for pushes; once planned it answers what came of it. */
  planNow(eventId: number): Promise<Planned>;
  /** Looks for work that somebody lost hold of, moves it on, and says what it found: nothing, normally. */
  reconcile(): Promise<readonly Finding[]>;
  /** Resolves once nothing that was decided waits to be written. */
  settled(): Promise<void>;
  /** Output of running steps, as it arrives. */
  readonly logBus: LogBus;
  start(): Promise<void>;
  stop(): Promise<void>;
}

/** From an event to a finished pipeline: planning, dispatch, the runners' desk, cancel, rerun and reconciliation. */
export function pipelinesFeature(deps: PipelinesFeatureDeps): PipelinesFeature {
  const { unitOfWork: store, clock, logger, timers = systemTimers } = deps;
  const config = { ...pipelinesDefaults, ...deps.config };
  const logs = new StepLogs(deps.logs);
  const masks = new PipelineMasks(deps.secrets);
  const engine = new Engine({ ...deps, store, logs, masks, config });
  const planner = new EventPlanner({ ...deps, store }, engine);
  const crons = new CronScheduler({ store, repository: deps.repository, planner, clock, timers, logger });
  const retries = new Retries({ store, engine, clock, timers, logger });
  const ready = Promise.withResolvers<void>();
  const checkouts = new CheckoutDesk({ gatherer: deps.checkouts, store, place: deps, logger });
  const desk = new RunnerDesk({
    engine,
    store,
    logs,
    masks,
    checkouts,
    artifacts: new ArtifactDesk({ store, blobs: deps.blobs, limits: config.artifacts, clock, logger }),
    clock,
    logger,
    leaseMs: config.leaseMs,
    ready: ready.promise,
  });
  const stopping: (() => void)[] = [];
  let isStopped = false;
  let reconciling: Promise<unknown> = Promise.resolve();

  async function planNow(eventId: number): Promise<Planned> {
    const event = await store.read.events.find(eventId);
    if (!event) throw new TypeError(`Cannot plan event ${eventId}: there is none with this id`);
    return planner.planNow(eventId, event.projectId);
  }

  /** Neither leases nor the net under everything stand between an event and its effect: they may have a timer. */
  function every(ms: number, work: () => void): void {
    let takeBack = (): void => {};
    const again = (): void => {
      takeBack = timers.after(ms, () => {
        if (isStopped) return;
        work();
        again();
      });
    };
    again();
    stopping.push(() => takeBack());
  }

  function reconcileNow(isStarting: boolean): Promise<readonly Finding[]> {
    const next = reconciling.then(() => reconcile({ store, engine, planner, retries, clock, logger }, { isStarting }));
    reconciling = next.then(
      () => {},
      () => {},
    );
    return next;
  }

  return {
    name: 'pipelines',
    operations: {
      ...pipelineOperations({
        store,
        engine,
        planner,
        clock,
        repository: deps.repository,
        linter: deps.compiler,
      }),
      ...inspectionOperations({ ...deps, store }),
      ...approvalOperations({ store, engine, clock, repository: deps.repository }),
      ...cronOperations({
        store,
        planner,
        clock,
        repository: deps.repository,
        scheduler: crons,
      }),
    },
    routes: badgeRoutes({ store }),
    acceptRunner: (connection) => desk.accept(connection),
    noteHeartbeat: (runnerId) => desk.noteHeartbeat(runnerId),
    loseRunners(isGone) {
      for (const session of engine.sessions.values()) {
        if (!isGone(session.runnerId)) continue;
        logger.warn('A runner is dead', { runnerId: session.runnerId, workflows: session.claimCount });
        engine.losses.loseSession(session).catch((error: unknown) => {
          logger.error('What a dead runner had could not be given up', { error, runnerId: session.runnerId });
        });
      }
    },
    findJob: (hash) => engine.jobs.find(hash),
    planNow,
    reconcile: () => reconcileNow(false),
    async settled() {
      await crons.settled();
      await planner.settled();
      await retries.settled();
      await engine.settled();
    },
    logBus: logs,

    async start() {
      stopping.push(
        deps.happenings.subscribe(({ happening }) => {
          if (happening.type !== 'push-received' && happening.type !== 'pull-request-changed') return;
          planner.planNow(happening.eventId, happening.projectId).catch((error: unknown) => {
            logger.error('A push could not be planned', { error, eventId: happening.eventId });
          });
        }),
      );
      stopping.push(retries.watch(deps.happenings));
      await reconcileNow(true);
      ready.resolve();
      crons.start();
      every(config.leaseMs / 4, () => void engine.losses.checkLeases());
      await cancelSupersededAtStart(store, engine);
      stopping.push(watchTimeLimits({ store, engine, clock, timers, logger }));
      every(unavailableEveryMs, () => {
        endUnavailable({ store, engine, clock, waitLimitMs: config.runnerWaitLimitMs }).catch((error: unknown) =>
          logger.error('Workflows that no runner takes could not be ended', { error }),
        );
      });
      every(config.reconcileEveryMs, () => {
        reconcileNow(false).catch((error: unknown) => logger.error('Reconciliation failed', { error }));
      });
    },

    async stop() {
      isStopped = true;
      checkouts.stop();
      for (const stop of stopping.splice(0)) stop();
      await crons.stop();
      await planner.settled();
      await reconciling;
      await retries.settled();
      desk.stop();
      await engine.stop();
      await logs.closeAll();
    },
  };
}
