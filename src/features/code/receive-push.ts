import type { Readable } from 'node:stream';
import { GantryError } from '../../core/errors.ts';
import { isKnownPushOption, type PushIntent } from '../../core/event.ts';
import type { Project } from '../../core/project.ts';
import { projectSlug } from '../../core/project.ts';
import type { UnitOfWork } from '../../core/unit-of-work.ts';
import { isProtectedRef } from '../../engine/protected-refs.ts';
import type { Clock } from '../../lib/clock.ts';
import { failpoint } from '../../lib/failpoint.ts';
import { sortableId } from '../../lib/ids.ts';
import type { Logger } from '../../lib/logger.ts';
import { flushPkt, sideBand } from '../../lib/pkt-line.ts';
import { adoptBranch, firstBranchOf } from './first-branch.ts';
import { type GitProcess, runGit, spawnGit, writeAll } from './git.ts';
import { ownerVariable, signal, startedTicks } from './git-process.ts';
import type { KeyedLocks } from './keyed-locks.ts';
import {
  type PushCommand,
  type PushRequest,
  printable,
  pushLimits,
  readPushRequest,
  zeroObject,
} from './push-commands.ts';
import type { PushHooks } from './push-hook.ts';
import type { RefCache } from './ref-cache.ts';
import { refNameProblem } from './ref-name.ts';
import { AnswerSplitter, type PushReport, readReport, refusalReport } from './report-status.ts';
import type { RepositoryFolders } from './repository-folders.ts';
import type { RepositoryGates } from './repository-gates.ts';
import { Slots } from './slots.ts';
import { storePush } from './store-push.ts';

export interface ReceivePushDeps {
  readonly unitOfWork: UnitOfWork;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly folders: RepositoryFolders;
  readonly refs: RefCache;
  readonly hooks: PushHooks;
  readonly locks: KeyedLocks;
  readonly gates: RepositoryGates;
}

/** Who pushes, and what they may. */
export interface Pusher {
  readonly personName: string;
  readonly personId: number | undefined;
  /** Projects that their token is limited to; absent = all that they may see. */
  readonly tokenProjectIds: readonly number[] | undefined;
  readonly remoteAddress: string;
  readonly requestId: string;
  readonly mayForce: () => Promise<boolean>;
  /** Asked again when the whole pack has arrived: rights may have been withdrawn meanwhile. */
  readonly mayStillWrite: () => Promise<boolean>;
}

/** How long git may take from the last byte of the pack to its report. */
const receiveTimeoutMs = 10 * 60_000;
/** How long it may take to notice that its client went away. */
const abortTimeoutMs = 30_000;

/**
 * Takes pushes (engine.md 2): reads and authorises the commands, records what is about to happen, lets git do it, makes
 * the outcome durable, and only then lets the client hear of it.
 */
export class PushReceiver {
  readonly #deps: ReceivePushDeps;
  /** Pushes under way in this process: nobody else judges their intents. */
  readonly #open = new Map<string, { readonly projectId: number; readonly ended: Promise<void> }>();

  readonly #slots = new Slots('push', { running: 64, waiting: 256 });

  constructor(deps: ReceivePushDeps) {
    this.#deps = deps;
  }

  isOpen(pushId: string): boolean {
    return this.#open.has(pushId);
  }

  isOpenFor(projectId: number): boolean {
    return [...this.#open.values()].some((push) => push.projectId === projectId);
  }

  /** Resolves when no push is under way. */
  async drained(): Promise<void> {
    while (this.#open.size > 0) await Promise.all([...this.#open.values()].map(({ ended }) => ended));
  }

  /**
   * Answers what the client shall read: everything at once for a refusal, a stream for a push that git works on.
   * Throws only before anything was begun.
   */
  async receive(project: Project, body: Readable, pusher: Pusher): Promise<Buffer | ReadableStream<Uint8Array>> {
    const chunks = body[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
    try {
      return await this.#receive(project, chunks, pusher);
    } catch (error) {
      // Whoever still sends does not listen: the rest is taken, up to the limit of its size, while the refusal goes out.
      drain(chunks).catch(() => undefined);
      throw error;
    }
  }

  async #receive(
    project: Project,
    chunks: AsyncIterator<Buffer>,
    pusher: Pusher,
  ): Promise<Buffer | ReadableStream<Uint8Array>> {
    const { push, rest } = await readHead(chunks);
    // Before a large pack the client asks whether it may send at all.
    if (push.commands.length === 0) return Buffer.alloc(0);
    if (!push.capabilities.has('report-status') && !push.capabilities.has('report-status-v2'))
      throw new GantryError(
        'GIT_REQUEST_INVALID',
        'Cannot take the push: its client does not want to know the outcome',
      );
    if (push.commands.every(({ after }) => after === zeroObject) && rest.length > push.sizeBytes)
      throw new GantryError('GIT_REQUEST_INVALID', 'Cannot take the push: it only deletes, and still brings a pack');
    for (const capability of push.capabilities)
      if (capability.startsWith('object-format=') && capability !== 'object-format=sha1')
        throw new GantryError('GIT_REQUEST_INVALID', 'Cannot take the push: repositories here are SHA-1');

    const reasons = await this.#refusals(project, push.commands, pusher);
    if (reasons.size > 0) {
      await drain(chunks);
      return refuseWhole(project, push, reasons);
    }

    const giveBack = await this.#slots.take();
    const pushId = sortableId('push', this.#deps.clock.now());
    const { promise: ended, resolve: end } = Promise.withResolvers<void>();
    this.#open.set(pushId, { projectId: project.id, ended });
    const isDone = (): void => {
      this.#open.delete(pushId);
      giveBack();
      end();
    };
    try {
      const intents = await this.#recordIntents(project, pushId, push, pusher);
      await failpoint('event.afterIntent');
      const work = new PushUnderWay(this.#deps, { project, push, pushId, intents, pusher, chunks, rest });
      return work.start(isDone);
    } catch (error) {
      isDone();
      throw error;
    }
  }

  /** Each reference by itself: one permission for one name says nothing about the next. */
  async #refusals(
    project: Project,
    commands: readonly PushCommand[],
    pusher: Pusher,
  ): Promise<ReadonlyMap<string, string>> {
    const reasons = new Map<string, string>();
    let mayForce: boolean | undefined;
    for (const { ref, after } of commands) {
      const problem = refNameProblem(ref);
      if (problem !== undefined) reasons.set(ref, problem);
      else if (after === zeroObject && isProtectedRef(project.protectedRefs, ref)) {
        mayForce ??= await pusher.mayForce();
        if (!mayForce) reasons.set(ref, 'it is protected: deleting it needs the role "maintain"');
      }
    }
    return reasons;
  }

  #recordIntents(
    project: Project,
    pushId: string,
    { commands, options }: PushRequest,
    pusher: Pusher,
  ): Promise<readonly PushIntent[]> {
    const createdAt = this.#deps.clock.now();
    return this.#deps.unitOfWork.write((stores) =>
      stores.events.createIntents(
        commands.map(({ ref, before, after }) => ({
          pushId,
          projectId: project.id,
          ref,
          before,
          after,
          personName: pusher.personName,
          personId: pusher.personId,
          tokenProjectIds: pusher.tokenProjectIds,
          pushOptions: options,
          createdAt,
        })),
      ),
    );
  }
}

interface PushInHand {
  readonly project: Project;
  readonly push: PushRequest;
  readonly pushId: string;
  readonly intents: readonly PushIntent[];
  readonly pusher: Pusher;
  readonly chunks: AsyncIterator<Buffer>;
  /** What was read beyond the commands. */
  readonly rest: Buffer;
}

/** One push that git works on. */
class PushUnderWay {
  readonly #deps: ReceivePushDeps;
  readonly #in: PushInHand;
  readonly #usesSideBand: boolean;
  readonly #answer: AnswerSplitter;
  #client: ReadableStreamDefaultController<Uint8Array> | undefined;
  #releaseRefs: (() => void) | undefined;
  #leaveRepository: (() => void) | undefined;

  constructor(deps: ReceivePushDeps, inHand: PushInHand) {
    this.#deps = deps;
    this.#in = inHand;
    const { capabilities } = inHand.push;
    this.#usesSideBand = capabilities.has('side-band-64k') || capabilities.has('side-band');
    this.#answer = new AnswerSplitter(this.#usesSideBand);
  }

  start(isDone: () => void): ReadableStream<Uint8Array> {
    const stream = new ReadableStream<Uint8Array>({
      start: (controller) => {
        this.#client = controller;
      },
      // The client went away. What has begun goes on: whether it counts is for git and the intents to say.
      cancel: () => {
        this.#client = undefined;
      },
    });
    void this.#run().finally(isDone);
    return stream;
  }

  async #run(): Promise<void> {
    const { project, pushId } = this.#in;
    try {
      const wasEmpty = !(await this.#deps.folders.hasBranches(project.id));
      const report = await this.#letGitWork().finally(() => this.#leaveRepository?.());
      if (!report) throw new GantryError('GIT_FAILED', 'Cannot take the push: git ended without a report');
      await this.#settle(report, wasEmpty);
      this.#nameUnknownOptions();
      this.#send(this.#answer.rest());
    } catch (error) {
      const isOurs = error instanceof GantryError;
      if (isOurs)
        this.#deps.logger.warn('A push did not get to its end', { slug: projectSlug(project), pushId, error });
      else this.#deps.logger.error('A push failed', { slug: projectSlug(project), pushId, error });
      drain(this.#in.chunks).catch(() => undefined);
      this.#sayFailure(isOurs ? error.message : 'Cannot take the push: something went wrong in the server');
    } finally {
      this.#releaseRefs?.();
      this.#client?.close();
      this.#client = undefined;
    }
  }

  /** Gives git the commands and the pack, and answers its report once it has ended. */
  async #letGitWork(): Promise<PushReport | undefined> {
    const { project, push, pushId, pusher } = this.#in;
    const startedAtMs = Date.now();
    const rule = await this.#ruleAboutObjects();
    // Without a pack there is nothing to hold back: the references are taken before git starts.
    if (push.commands.every(({ after }) => after === zeroObject)) await this.#takeRefs();

    const receive = spawnGit(
      [
        ...(rule ? ['-c', `core.hooksPath=${this.#deps.hooks.folder}`] : []),
        'receive-pack',
        '--stateless-rpc',
        this.#deps.folders.folder(project.id),
      ],
      {
        environment: { [ownerVariable]: this.#deps.folders.root, GANTRY_PUSH: pushId, ...rule?.environment },
        isDetached: true,
      },
    );
    const ended = this.#watch(receive);
    const isRecorded = this.#recordProcess(receive.pid);
    try {
      await this.#feed(receive);
    } catch (error) {
      // The client did not send all of it, so no reference can have moved. git notices the end, and removes its quarantine
      // itself: a signal would reach its helpers too, which write into the very folder that it is removing.
      receive.stdin.destroy();
      const timer = setTimeout(() => endGroup(receive), abortTimeoutMs);
      await ended;
      clearTimeout(timer);
      await isRecorded;
      rule?.forget();
      await this.#deps.unitOfWork.write((stores) => stores.events.removeIntents(pushId));
      throw error instanceof GantryError
        ? error
        : new GantryError('GIT_REQUEST_INVALID', 'Cannot take the push: its client went away', { cause: error });
    }
    const timer = setTimeout(() => endGroup(receive), receiveTimeoutMs);
    try {
      await ended;
    } finally {
      clearTimeout(timer);
      rule?.forget();
    }
    // References have moved, or may have: whoever lists them from now on sees them as they are.
    this.#deps.refs.invalidate(project.id);
    await isRecorded;
    const report = readReport(this.#answer.report());
    const accepted = push.commands.filter(({ ref }) => report?.accepted.has(ref));
    await this.#deps.folders.syncAfterPush(
      project.id,
      accepted.map(({ ref }) => ref),
      startedAtMs,
    );
    this.#deps.logger.debug('git took a push', { slug: projectSlug(project), pushId, by: pusher.personName });
    return report;
  }

  /**
   * Sends the body on, all but its end. The end of the pack is given only once this push alone may change its references:
   * so updates of a reference, and their events, are in one order, while nobody waits for a slow client's upload.
   */
  async #feed(receive: GitProcess): Promise<void> {
    const { chunks, rest } = this.#in;
    let held: Buffer = rest;
    for (;;) {
      const next = await chunks.next();
      if (next.done === true) break;
      if (next.value.length === 0) continue;
      if (this.#releaseRefs)
        throw new GantryError('GIT_REQUEST_INVALID', 'Cannot take the push: it only deletes, and still brings a pack');
      await writeAll(receive, held);
      held = next.value;
    }
    await this.#takeRefs();
    if (!(await this.#in.pusher.mayStillWrite()))
      throw new GantryError('ACCESS_DENIED', 'Cannot take the push: the right to write was withdrawn while it arrived');
    await writeAll(receive, held);
    receive.stdin.end();
  }

  async #takeRefs(): Promise<void> {
    const { project, push } = this.#in;
    this.#releaseRefs ??= await this.#deps.locks.acquire(push.commands.map(({ ref }) => `${project.id}:${ref}`));
    // From here on git moves what it took in beside the packs that are there, which must not go away under it. While the
    // pack still arrives it does not: so tidying waits for no slow client.
    this.#leaveRepository ??= await this.#deps.gates.share(project.id, 'push');
  }

  #watch(receive: GitProcess): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    let stderr = '';
    receive.stdin.on('error', () => undefined); // It ended early; its report or exit says why.
    receive.stdout.on('data', (chunk: Buffer) => {
      try {
        this.#send(this.#answer.take(chunk));
      } catch (error) {
        endGroup(receive);
        reject(error instanceof Error ? error : new Error(String(error)));
      }
    });
    receive.stderr.on('data', (chunk: Buffer) => {
      if (stderr.length < 8_192) stderr += chunk.toString('utf8');
    });
    receive.on('error', reject);
    receive.on('close', (exitCode, signalName) => {
      if (stderr || exitCode !== 0)
        this.#deps.logger.debug('git receive-pack ended', {
          exitCode,
          signal: signalName,
          stderr: stderr.slice(0, 8_192),
        });
      resolve();
    });
    promise.catch(() => undefined); // Awaited later; until then it is nobody's unhandled rejection.
    return promise;
  }

  /** So that the next server can find this git, should we die before it. */
  async #recordProcess(pid: number | undefined): Promise<void> {
    if (pid === undefined) return;
    const ticks = await startedTicks(pid);
    if (ticks === undefined) return;
    try {
      await this.#deps.unitOfWork.write((stores) => stores.events.setIntentProcess(this.#in.pushId, pid, ticks));
    } catch (error) {
      // It carries our name in its environment as well.
      this.#deps.logger.warn('The process of a push could not be recorded', { pushId: this.#in.pushId, error });
    }
  }

  /** The hook that checks protected references for being rewound; `undefined` when no rule needs the objects. */
  async #ruleAboutObjects(): Promise<ReturnType<PushHooks['expect']> | undefined> {
    const { project, push, pusher } = this.#in;
    const guarded = push.commands.filter(
      ({ ref, before, after }) =>
        before !== zeroObject && after !== zeroObject && isProtectedRef(project.protectedRefs, ref),
    );
    if (guarded.length === 0 || (await pusher.mayForce())) return undefined;
    const repository = this.#deps.folders.folder(project.id);
    return this.#deps.hooks.expect(async (quarantine) => {
      const rewound: string[] = [];
      for (const { ref, before, after } of guarded) {
        const args = ['merge-base', '--is-ancestor', '--end-of-options', before, after];
        const answer = await runGit(args, { repository, environment: quarantine });
        if (answer.exitCode !== 0) rewound.push(printable(ref));
      }
      if (rewound.length === 0) return undefined;
      return rewound
        .map((ref) => `Cannot push ${ref}: it is protected, and rewinding it needs the role "maintain"`)
        .join('\n');
    });
  }

  /** Turns what git did into events, in one commit, before the client hears of it. */
  async #settle(report: PushReport, wasEmpty: boolean): Promise<void> {
    const { project, push, pushId, pusher } = this.#in;
    const accepted = push.commands.filter(({ ref }) => report.accepted.has(ref));
    await failpoint('ref.afterUpdate');
    await failpoint('event.beforeCommit');
    const at = this.#deps.clock.now();
    const firstBranch = wasEmpty ? firstBranchOf(project, accepted) : undefined;
    await this.#deps.unitOfWork.write(async (stores) => {
      const { personName: actor, remoteAddress, requestId } = pusher;
      if (firstBranch !== undefined)
        await adoptBranch(stores, project.id, firstBranch, { actor, remoteAddress, requestId, at });
      await storePush(
        stores,
        project.id,
        accepted,
        {
          pushId,
          personName: pusher.personName,
          personId: pusher.personId,
          tokenProjectIds: pusher.tokenProjectIds,
          pushOptions: push.options,
        },
        at,
      );
      await stores.events.removeIntents(pushId);
    });
    await failpoint('event.afterCommit');
    if (firstBranch !== undefined) await this.#deps.folders.setDefaultBranch(project.id, firstBranch);
  }

  #send(bytes: Buffer): void {
    if (bytes.length > 0) this.#client?.enqueue(bytes);
  }

  /** Whoever asked for something must not believe that it was done. */
  #nameUnknownOptions(): void {
    if (!this.#usesSideBand) return;
    for (const option of this.#in.push.options.filter((one) => !isKnownPushOption(one)))
      this.#send(
        sideBand(2, `The push option ${printable(option)} means nothing here: only ci.skip and gantry.no-reuse do\n`),
      );
  }

  #sayFailure(message: string): void {
    if (this.#usesSideBand) this.#send(Buffer.concat([sideBand(3, `${message}\n`), flushPkt]));
  }
}

async function readHead(chunks: AsyncIterator<Buffer>): Promise<{ push: PushRequest; rest: Buffer }> {
  let bytes: Buffer = Buffer.alloc(0);
  for (;;) {
    const next = await chunks.next();
    if (next.done === true)
      throw new GantryError('GIT_REQUEST_INVALID', 'Cannot read the push: it ends within its commands');
    bytes = bytes.length === 0 ? next.value : Buffer.concat([bytes, next.value]);
    const push = readPushRequest(bytes);
    if (push) return { push, rest: bytes };
    if (bytes.length > pushLimits.headBytes)
      throw new GantryError('REQUEST_TOO_LARGE', 'Cannot push that many references at once: push them in parts');
  }
}

/** Takes the rest of a body that is not wanted: a client that is still sending does not read what we answer. */
async function drain(chunks: AsyncIterator<Buffer>): Promise<void> {
  while ((await chunks.next()).done !== true);
}

function refuseWhole(project: Project, push: PushRequest, reasons: ReadonlyMap<string, string>): Buffer {
  const all = new Map(
    push.commands.map(({ ref }) => [
      ref,
      reasons.get(ref) ?? 'nothing of this push was taken, since another reference was refused',
    ]),
  );
  const messages = [...reasons].map(
    ([ref, reason]) => `Cannot push ${printable(ref)} to ${projectSlug(project)}: ${reason}`,
  );
  const usesSideBand = push.capabilities.has('side-band-64k') || push.capabilities.has('side-band');
  return refusalReport(all, messages, usesSideBand);
}

/** The whole group: index-pack would go on without its parent. */
function endGroup(receive: GitProcess): void {
  if (receive.pid !== undefined) signal(-receive.pid, 'SIGKILL');
}
