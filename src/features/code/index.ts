import { join, resolve } from 'node:path';
import type { CheckoutGatherer } from '../../core/checkout.ts';
import type { HappeningBus } from '../../core/events.ts';
import type { GitCredentials } from '../../core/git-login.ts';
import type { Repository } from '../../core/repository.ts';
import type { UnitOfWork } from '../../core/unit-of-work.ts';
import { AddressGuard } from '../../lib/address-guard.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/logger.ts';
import type { Feature } from '../feature.ts';
import { ForeignRepositories, type ForeignRepositoriesDeps } from './checkout/foreign-repositories.ts';
import { createCheckoutGatherer } from './checkout/gather-checkout.ts';
import { ownerVariable } from './git-process.ts';
import { GitRepository } from './git-repository.ts';
import { gitRoutes } from './git-routes.ts';
import { KeyedLocks } from './keyed-locks.ts';
import { ObjectReaders } from './object-reader.ts';
import { codeOperations } from './operations.ts';
import { pullRequestOperations } from './pull-request-operations.ts';
import { PullRequests } from './pull-requests.ts';
import { PushHooks } from './push-hook.ts';
import { PushReceiver } from './receive-push.ts';
import { PushRecovery } from './recover-pushes.ts';
import { RefCache } from './ref-cache.ts';
import { RepositoryFolders } from './repository-folders.ts';
import { RepositoryGates } from './repository-gates.ts';
import { FetchServer } from './serve-fetch.ts';
import { type TidyLimits, tidyLimits, tidyRepository } from './tidy-repository.ts';

export interface CodeFeatureDeps {
  readonly unitOfWork: UnitOfWork;
  /** Tells of branches that moved: open pull requests follow them. */
  readonly happenings: HappeningBus;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Repositories lie in its `repositories`, the hook in its `hooks`. */
  readonly dataFolder: string;
  /** The address that people reach this Gantry by, without a slash at its end: for the lines that they clone with. */
  readonly publicUrl: () => string;
  /** The most that one push may bring, in bytes. Default 2 GiB. */
  readonly maxPushBytes?: number;
  /** Told when somebody who may push asks what there is: a push follows within a moment, as a rule. */
  readonly onPushBegin?: () => void;
  /** How repositories of other hosts are fetched, and with which logins of a project; absent = public ones, with none. */
  readonly foreign?:
    | (Pick<ForeignRepositoriesDeps, 'guard' | 'caBundle' | 'proxyVariables'> & {
        readonly logins: (projectId: number) => Promise<readonly GitCredentials[]>;
      })
    | undefined;
}

export interface CodeFeature extends Feature {
  readonly repository: Repository;
  /** Finds what lies in the checkouts of pipelines. */
  readonly checkouts: CheckoutGatherer;
  /** Settles pushes that nobody else will, and answers what it found: nothing, in an undisturbed run. */
  reconcile(): Promise<readonly string[]>;
  /** Finds references that moved without a push. */
  lookThroughRefs(): Promise<readonly string[]>;
  /** Resolves once open pull requests have the commits that their branches were told to have. */
  followed(): Promise<void>;
  /** Packs what has become scattered, beside whatever goes on. */
  tidy(limits?: TidyLimits): Promise<void>;
}

const reconcileEveryMs = 10_000;
const lookThroughEveryMs = 60 * 60_000;

/** Projects and their repositories: git over HTTP, from a push to its event, and reading of what was pushed. */
export function codeFeature(deps: CodeFeatureDeps): CodeFeature {
  const { unitOfWork, clock, logger, maxPushBytes = 2 * 2 ** 30, onPushBegin = () => {} } = deps;
  const dataFolder = resolve(deps.dataFolder);
  const folders = new RepositoryFolders(join(dataFolder, 'repositories'), maxPushBytes);
  const objects = new ObjectReaders();
  const refs = new RefCache(folders, objects);
  const locks = new KeyedLocks();
  const gates = new RepositoryGates();
  const hooks = new PushHooks(dataFolder, logger);
  const fetches = new FetchServer(folders, refs, gates, logger);
  const pushes = new PushReceiver({ unitOfWork, clock, logger, folders, refs, hooks, locks, gates });
  const recovery = new PushRecovery({
    unitOfWork,
    clock,
    logger,
    folders,
    refs,
    locks,
    isOpen: (pushId) => pushes.isOpen(pushId),
    isPushedTo: (projectId) => pushes.isOpenFor(projectId),
  });
  const repository = new GitRepository(folders, refs, objects);
  const pullRequests = new PullRequests({ unitOfWork, clock, repository, folders, refs, locks, gates });
  const foreign = new ForeignRepositories({
    guard: new AddressGuard(),
    ...deps.foreign,
    root: join(dataFolder, 'foreign-repositories'),
    owner: folders.root,
  });
  const checkouts = createCheckoutGatherer({
    stores: unitOfWork.read,
    folders,
    foreign,
    publicUrl: deps.publicUrl,
    logins: deps.foreign?.logins ?? (() => Promise.resolve([])),
  });
  const timers: NodeJS.Timeout[] = [];
  let background = Promise.resolve();
  let following = Promise.resolve();
  let unsubscribe = (): void => {};
  const stopping = new AbortController();

  /** One after the other, so that stopping waits for what is under way and nothing more. */
  const inBackground = (what: string, work: () => Promise<readonly string[]>): void => {
    background = background.then(work).then(
      (findings) => {
        for (const finding of findings) logger.warn(what, { finding });
      },
      (error: unknown) => {
        if (!stopping.signal.aborted) logger.error('Looking after repositories failed', { error });
      },
    );
  };

  /** One after the other: packing takes a processor and the memory for a repository's largest objects. */
  const tidy = async (limits: TidyLimits = tidyLimits): Promise<void> => {
    for (const projectId of await folders.list()) {
      if (stopping.signal.aborted) return;
      const isTidied = await tidyRepository(folders.folder(projectId), {
        limits,
        environment: { [ownerVariable]: folders.root },
        signal: stopping.signal,
        async alone(work) {
          const wasAlone = await gates.exclude(projectId, ['push', 'fetch'], work, stopping.signal);
          if (!wasAlone) logger.info('A repository is in use: its tidying ends another time', { projectId });
          return wasAlone;
        },
      });
      if (isTidied) logger.info('Tidied a repository', { projectId });
    }
  };

  return {
    name: 'code',
    repository,
    checkouts,
    operations: {
      ...pullRequestOperations({ unitOfWork, repository, pullRequests }),
      ...codeOperations({
        unitOfWork,
        clock,
        folders,
        refs,
        repository,
        gates,
        pushes,
        onPushBegin,
        publicUrl: deps.publicUrl,
      }),
    },
    routes: gitRoutes({ unitOfWork, folders, refs, fetches, pushes, maxPushBytes, onPushBegin }),
    reconcile: () => recovery.settleForgotten(),
    lookThroughRefs: () => recovery.lookThroughAllRefs(),
    tidy,
    async followed() {
      await following;
    },
    async start() {
      await hooks.start();
      await recovery.recover();
      unsubscribe = deps.happenings.subscribe(({ happening }) => {
        if (happening.type !== 'push-received') return;
        const branch = /^refs\/heads\/(.+)$/s.exec(happening.ref)?.[1];
        if (branch === undefined) return;
        const { projectId } = happening;
        following = following
          .then(() => pullRequests.follow(projectId, branch))
          .catch((error: unknown) => {
            if (!stopping.signal.aborted)
              logger.error('A pull request did not follow its branch', { error, projectId });
          });
      });
      inBackground('Followed a branch', () => pullRequests.lookThrough());
      const settle = (): void => inBackground('Settled a push', () => recovery.settleForgotten());
      const lookThrough = (): void => inBackground('Found a moved reference', () => recovery.lookThroughAllRefs());
      const hourly = (): void => {
        lookThrough();
        inBackground('Followed a branch', () => pullRequests.lookThrough());
        inBackground('Tidied', () => tidy().then(() => []));
        inBackground('Removed a repository', async () => {
          const removed = await foreign.removeForgotten(clock.now().getTime());
          if (removed > 0) logger.info('Removed repositories of other hosts that nobody fetches', { removed });
          return [];
        });
      };
      timers.push(setInterval(settle, reconcileEveryMs).unref(), setInterval(hourly, lookThroughEveryMs).unref());
      lookThrough();
    },
    async stop() {
      stopping.abort();
      for (const timer of timers.splice(0)) clearInterval(timer);
      unsubscribe();
      await pushes.drained();
      await following;
      await background;
      objects.close();
      await hooks.stop();
    },
  };
}
