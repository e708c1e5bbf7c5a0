import type { NewAuditEntry } from '../core/audit.ts';
import type { Actor } from '../core/permission.ts';
import type { UnitOfWork } from '../core/unit-of-work.ts';
import type { Clock } from '../lib/clock.ts';
import type { Logger } from '../lib/logger.ts';
import { networkOf } from '../lib/network-of.ts';
import { RateLimiter } from './rate-limiter.ts';

/** How long the same refusal is counted before it is written again, in milliseconds. */
const windowMs = 60_000;
/** Records of one person, or of strangers from one network: 30 at once, then one a minute. */
const perActor = { capacity: 30, perSecond: 1 / 60 };
/**
 * Records of everybody who is signed in, and of all strangers: 300 at once, then 3 a minute. At some 600 bytes each, and
 * at most twice as many with their counts, all that anybody can do is fill 10 MB a day (reliability-security 13, R13).
 */
const perKind = { capacity: 300, perSecond: 1 / 20 };
const longestSubject = 200;
const namedAtMost = 20;

export interface Refusal {
  readonly actor: Actor;
  readonly action: `${string}:refused`;
  readonly subject: string;
  readonly remoteAddress: string;
  readonly requestId: string;
  readonly projectId?: number | undefined;
  readonly details: Readonly<Record<string, unknown>>;
}

interface Window {
  readonly entry: NewAuditEntry;
  readonly untilMs: number;
  repeats: number;
}

/**
 * Writes what was refused into the audit. The first of its kind is written before the refusal is answered; the same
 * actor, action and subject within a minute is counted, and the count written when the minute is over. What is more than
 * the limits let through is counted as a whole, so that it is told and fills no disk.
 */
export class RefusalRecord {
  readonly #store: UnitOfWork;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #actors: RateLimiter;
  readonly #kinds: RateLimiter;
  readonly #windows = new Map<string, Window>();
  #suppressed: { count: number; readonly actors: Set<string>; readonly untilMs: number } | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor({
    store,
    clock,
    logger,
  }: { readonly store: UnitOfWork; readonly clock: Clock; readonly logger: Logger }) {
    this.#store = store;
    this.#clock = clock;
    this.#logger = logger;
    this.#actors = new RateLimiter(clock, perActor);
    this.#kinds = new RateLimiter(clock, perKind);
  }

  /** Resolves once it is written, or counted. Never throws: the refusal itself stands whatever becomes of its record. */
  async note(refusal: Refusal): Promise<void> {
    const nowMs = this.#clock.monotonicMs();
    const entry = this.#entryOf(refusal);
    const key = JSON.stringify([entry.actor, entry.action, entry.subject, sourceOf(refusal)]);
    const window = this.#windows.get(key);
    if (window && window.untilMs > nowMs) {
      window.repeats += 1;
      return;
    }
    const entries = this.#takeEnded(nowMs);
    if (this.#actors.take(sourceOf(refusal)) === 0 && this.#kinds.take(refusal.actor.kind) === 0) {
      this.#windows.set(key, { entry, untilMs: nowMs + windowMs, repeats: 0 });
      entries.push(entry);
    } else {
      this.#suppressed ??= { count: 0, actors: new Set(), untilMs: nowMs + windowMs };
      this.#suppressed.count += 1;
      if (this.#suppressed.actors.size < namedAtMost) this.#suppressed.actors.add(entry.actor);
    }
    this.#wake();
    await this.#write(entries);
  }

  /** Writes the counts of what has been over for a minute. */
  async flush(): Promise<void> {
    await this.#write(this.#takeEnded(this.#clock.monotonicMs()));
  }

  /** Writes all counts there are. What is noted afterwards is written, and no longer counted. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    await this.#write(this.#takeEnded(Number.POSITIVE_INFINITY));
  }

  #entryOf({ actor, ...refusal }: Refusal): NewAuditEntry {
    return {
      ...refusal,
      at: this.#clock.now(),
      actor: actor.kind === 'person' ? actor.person.name : 'anonymous',
      subject: refusal.subject.slice(0, longestSubject),
    };
  }

  #takeEnded(nowMs: number): NewAuditEntry[] {
    const entries: NewAuditEntry[] = [];
    const at = this.#clock.now();
    for (const [key, { entry, untilMs, repeats }] of this.#windows) {
      if (untilMs > nowMs) continue;
      this.#windows.delete(key);
      if (repeats > 0)
        entries.push({ ...entry, at, details: { ...entry.details, repeated: repeats, since: entry.at.toISOString() } });
    }
    if (this.#suppressed && this.#suppressed.untilMs <= nowMs) {
      const { count, actors } = this.#suppressed;
      this.#suppressed = undefined;
      entries.push({
        at,
        actor: 'system',
        action: 'refusals:suppressed',
        subject: 'site',
        remoteAddress: 'local',
        requestId: 'system',
        details: { count, actors: [...actors].toSorted() },
      });
    }
    return entries;
  }

  #wake(): void {
    if (this.#isClosed || this.#timer !== undefined) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      void this.flush().then(() => {
        if (this.#windows.size > 0 || this.#suppressed) this.#wake();
      });
    }, windowMs).unref();
  }

  async #write(entries: readonly NewAuditEntry[]): Promise<void> {
    if (entries.length === 0) return;
    try {
      await this.#store.write(async (stores) => {
        for (const entry of entries) await stores.audit.append(entry);
      });
    } catch (error) {
      this.#logger.error('Refusals were not recorded', { error, count: entries.length });
    }
  }
}

/** Whose limit it counts against: a name that a stranger types is nobody's. */
function sourceOf({ actor, remoteAddress }: Refusal): string {
  return actor.kind === 'person' ? `person:${actor.person.id}` : `network:${networkOf(remoteAddress)}`;
}
