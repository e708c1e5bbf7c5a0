/** What waits, and in whose name: projects take turns, and within a project the oldest goes first. */
interface Waiting<T> {
  readonly item: T;
  readonly projectId: number;
  /** Smaller goes first within its project. */
  readonly age: number;
}

/** Taken entries at the front of a lane are cleared away in batches of so many: moving the rest each time would cost as much as the rest is long. */
const clearAfter = 512;

/** What waits of one project, oldest first. */
class Lane<T> {
  #entries: Waiting<T>[] = [];
  /** Where the lane begins. */
  #head = 0;

  get length(): number {
    return this.#entries.length - this.#head;
  }

  add(entry: Waiting<T>): void {
    const last = this.#entries.at(-1);
    if (!last || this.length === 0 || last.age <= entry.age) this.#entries.push(entry);
    else this.#entries.splice(this.#from(entry.age, true), 0, entry);
  }

  remove(entry: Waiting<T>): void {
    const at = this.#entries.indexOf(entry, this.#from(entry.age, false));
    if (at === this.#head) {
      this.#head += 1;
      if (this.#head < clearAfter && this.length > 0) return;
      this.#entries = this.#entries.slice(this.#head);
      this.#head = 0;
    } else this.#entries.splice(at, 1);
  }

  find(isWanted: (item: T) => boolean): Waiting<T> | undefined {
    for (let at = this.#head; at < this.#entries.length; at += 1) {
      const entry = this.#entries[at]!;
      if (isWanted(entry.item)) return entry;
    }
    return undefined;
  }

  /** How many go before the entry. */
  before(entry: Waiting<T>): number {
    return this.#entries.indexOf(entry, this.#from(entry.age, false)) - this.#head;
  }

  /** Where the first entry stands that is at least as young, or, with `isAfter`, the first that is younger. */
  #from(age: number, isAfter: boolean): number {
    let low = this.#head;
    let high = this.#entries.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const other = this.#entries[middle]!.age;
      if (other < age || (isAfter && other === age)) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/**
 * A queue that is fair between projects: round robin over those that have something waiting, then age. Who pushes a
 * hundred pipelines waits behind everybody's next one, not before it.
 */
export class FairQueue<T> {
  /** In the order of their turns; a project without anything waiting has no lane. */
  readonly #lanes = new Map<number, Lane<T>>();
  readonly #entryOf = new Map<T, Waiting<T>>();

  get size(): number {
    return this.#entryOf.size;
  }

  has(item: T): boolean {
    return this.#entryOf.has(item);
  }

  /** Nothing happens when the item waits already. */
  add(item: T, projectId: number, age: number): void {
    if (this.#entryOf.has(item)) return;
    const entry = { item, projectId, age };
    this.#entryOf.set(item, entry);
    let lane = this.#lanes.get(projectId);
    if (!lane) {
      lane = new Lane();
      this.#lanes.set(projectId, lane);
    }
    lane.add(entry);
  }

  remove(item: T): void {
    const entry = this.#entryOf.get(item);
    if (!entry) return;
    this.#entryOf.delete(item);
    const lane = this.#lanes.get(entry.projectId)!;
    lane.remove(entry);
    if (lane.length === 0) this.#lanes.delete(entry.projectId);
  }

  /** The next one that `isWanted`; its project goes to the end of the round. */
  take(isWanted: (item: T) => boolean = () => true): T | undefined {
    for (const [projectId, lane] of this.#lanes) {
      const found = lane.find(isWanted);
      if (!found) continue;
      this.remove(found.item);
      // The only one in the round is its first and its last.
      if (lane.length > 0 && this.#lanes.size > 1) {
        this.#lanes.delete(projectId);
        this.#lanes.set(projectId, lane);
      }
      return found.item;
    }
    return undefined;
  }

  /** How many will be taken before it, if nobody else comes. */
  ahead(item: T): number {
    const entry = this.#entryOf.get(item);
    if (!entry) return 0;
    const round = this.#lanes.get(entry.projectId)!.before(entry);
    let ahead = round;
    let isBefore = true;
    for (const [other, lane] of this.#lanes) {
      if (other === entry.projectId) isBefore = false;
      else ahead += Math.min(lane.length, isBefore ? round + 1 : round);
    }
    return ahead;
  }

  /** All that wait, in no particular order. Removing while going through them is allowed. */
  items(): IterableIterator<T> {
    return this.#entryOf.keys();
  }
}
