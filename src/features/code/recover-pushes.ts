import type { PushIntent } from '../../core/event.ts';
import type { UnitOfWork } from '../../core/unit-of-work.ts';
import type { Clock } from '../../lib/clock.ts';
import { sortableId } from '../../lib/ids.ts';
import type { Logger } from '../../lib/logger.ts';
import { endProcesses, processesOf, startedTicks } from './git-process.ts';
import { reachedIntents } from './judge-pushes.ts';
import type { KeyedLocks } from './keyed-locks.ts';
import { printable, zeroObject } from './push-commands.ts';
import type { RefCache } from './ref-cache.ts';
import { eventKindOf, refNameProblem } from './ref-name.ts';
import type { RepositoryFolders } from './repository-folders.ts';
import { storePush } from './store-push.ts';

export interface RecoverPushesDeps {
  readonly unitOfWork: UnitOfWork;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly folders: RepositoryFolders;
  readonly refs: RefCache;
  readonly locks: KeyedLocks;
  /** Whether a push is under way in this process. */
  readonly isOpen: (pushId: string) => boolean;
  readonly isPushedTo: (projectId: number) => boolean;
}

/** A lock or quarantine that nobody touched for so long, while no push is under way, belongs to nobody. */
const staleAfterMs = 10 * 60_000;

/** Finds what a crash left undecided and decides it. It only moves forward; finding nothing is the normal case. */
export class PushRecovery {
  readonly #deps: RecoverPushesDeps;

  constructor(deps: RecoverPushesDeps) {
    this.#deps = deps;
  }

  /**
   * Before the first request: ends every git that a server before us left running here, so that references stand still,
   * then judges the pushes that it did not settle. Answers what it found, as sentences.
   */
  async recover(): Promise<readonly string[]> {
    const { folders, unitOfWork, logger } = this.#deps;
    const findings: string[] = [];
    const intents = await unitOfWork.read.events.listIntents();
    const ended = await endProcesses(() => this.#leftRunning(intents));
    if (ended > 0) findings.push(`${ended} git processes of a server before this one were still running`);
    for (const name of await folders.removeHalfMade()) findings.push(`${name} was only half made`);
    // A push that did not end has left its intents: no other repository has anything to remove.
    for (const projectId of new Set(intents.map((intent) => intent.projectId)))
      findings.push(...(await this.#removeLeftovers(projectId, 0)));
    findings.push(...(await this.#settle(intents)));
    for (const finding of findings) logger.warn('Recovered a push', { finding });
    return findings;
  }

  /** Open intents that no push of this process will settle: after a commit that failed, or a git that was killed. */
  async settleForgotten(): Promise<readonly string[]> {
    const intents = await this.#deps.unitOfWork.read.events.listIntents();
    return this.#settle(intents.filter(({ pushId }) => !this.#deps.isOpen(pushId)));
  }

  /** References that moved and nobody told us: pushes by "unknown". */
  async lookThroughAllRefs(): Promise<readonly string[]> {
    const findings: string[] = [];
    for (const projectId of await this.#deps.folders.list()) {
      findings.push(...(await this.#lookThroughRefs(projectId)));
      if (!this.#deps.isPushedTo(projectId)) findings.push(...(await this.#removeLeftovers(projectId, staleAfterMs)));
    }
    return findings;
  }

  async #removeLeftovers(projectId: number, untouchedMs: number): Promise<readonly string[]> {
    const names = await this.#deps.folders.removeLeftovers(projectId, untouchedMs);
    return names.map((name) => `${name} was left by a git that was killed`);
  }

  async #leftRunning(intents: readonly PushIntent[]): Promise<readonly number[]> {
    const pids = new Set(await processesOf(this.#deps.folders.root));
    for (const { receivePid, receiveStartedTicks } of intents)
      if (receivePid !== undefined && (await startedTicks(receivePid)) === receiveStartedTicks) pids.add(receivePid);
    return [...pids];
  }

  async #settle(intents: readonly PushIntent[]): Promise<readonly string[]> {
    const findings: string[] = [];
    for (const [projectId, open] of Map.groupBy(intents, (intent) => intent.projectId))
      findings.push(...(await this.#settleProject(projectId, open)));
    return findings;
  }

  async #settleProject(projectId: number, intents: readonly PushIntent[]): Promise<readonly string[]> {
    const { folders, unitOfWork, clock, locks } = this.#deps;
    const refs = [...new Set(intents.map(({ ref }) => ref))].filter((ref) => refNameProblem(ref) === undefined);
    const release = await locks.acquire(refs.map((ref) => `${projectId}:${ref}`));
    try {
      const current = new Map<string, string>();
      for (const ref of refs) current.set(ref, (await folders.readRef(projectId, ref)) ?? zeroObject);
      // Whatever is about to be recorded must be on disk first; from when on does not matter here.
      await folders.syncAfterPush(projectId, refs, 0);
      const at = clock.now();
      const reached = await unitOfWork.write(async ({ events, ...stores }) => {
        const lastSeen = await events.lastSeenRefs(projectId);
        const known = await events.listByProject(projectId, 1_000);
        const counted = reachedIntents(intents, current, lastSeen, known);
        for (const intent of counted) {
          const { pushId, personName, personId, tokenProjectIds, pushOptions } = intent;
          const by = { pushId, personName, personId, tokenProjectIds, pushOptions };
          await storePush({ events, ...stores }, projectId, [intent], by, at);
        }
        // A step that came to light late is not where the reference is now.
        for (const { ref } of counted) await events.setLastSeenRef(projectId, ref, current.get(ref) ?? zeroObject);
        for (const pushId of new Set(intents.map((intent) => intent.pushId))) await events.removeIntents(pushId);
        return new Set(counted.map(({ id }) => id));
      });
      this.#deps.refs.invalidate(projectId);
      return intents.map((intent) => {
        const what = `${printable(intent.ref)} of project ${projectId} to ${intent.after.slice(0, 10)} by ${intent.personName}`;
        return reached.has(intent.id)
          ? `the push of ${what} was recorded`
          : `the push of ${what} had not happened, or is known`;
      });
    } finally {
      release();
    }
  }

  async #lookThroughRefs(projectId: number): Promise<readonly string[]> {
    const { refs, unitOfWork, folders, locks, clock } = this.#deps;
    const isEvent = (ref: string): boolean => eventKindOf(ref) !== undefined && refNameProblem(ref) === undefined;
    // Read from disk: somebody may have gone past us, and past the cache.
    refs.invalidate(projectId);
    const onDisk = new Map((await refs.list(projectId)).map(({ name, object }) => [name, object]));
    const seen = await unitOfWork.read.events.lastSeenRefs(projectId);
    const moved = [...new Set([...onDisk.keys(), ...seen.keys()])].filter(
      (ref) => isEvent(ref) && onDisk.get(ref) !== seen.get(ref),
    );
    if (moved.length === 0) return [];

    const release = await locks.acquire(moved.map((ref) => `${projectId}:${ref}`));
    try {
      const at = clock.now();
      const now = new Map<string, string>();
      for (const ref of moved) now.set(ref, (await folders.readRef(projectId, ref)) ?? zeroObject);
      const found = await unitOfWork.write(async (stores) => {
        // Looked at again with the references held: a push may have settled meanwhile.
        const open = (await stores.events.listIntents()).filter((intent) => intent.projectId === projectId);
        const lastSeen = await stores.events.lastSeenRefs(projectId);
        const unannounced = moved
          .filter((ref) => !open.some((intent) => intent.ref === ref))
          .map((ref) => ({ ref, before: lastSeen.get(ref) ?? zeroObject, after: now.get(ref) ?? zeroObject }))
          .filter(({ before, after }) => before !== after);
        const by = { pushId: sortableId('found', at), personName: 'unknown', personId: undefined };
        await storePush(stores, projectId, unannounced, by, at);
        return unannounced;
      });
      return found.map(
        ({ ref, after }) => `${printable(ref)} of project ${projectId} moved to ${after.slice(0, 10)} without a push`,
      );
    } finally {
      release();
    }
  }
}
