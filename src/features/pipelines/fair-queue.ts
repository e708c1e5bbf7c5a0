/** What waits, and in whose name: projects take turns, and within a project the oldest goes first. */
export interface Waiting<T> {
  readonly item: T;
  readonly projectId: number;
  /** Smaller goes first within its project. */
  readonly age: number;
}

/**
 * A queue that is fair between projects: round robin over those that have something waiting, then age. Who pushes a
 * hundred pipelines waits behind everybody's next one, not before it.
 */
export class FairQueue<T> {
  /** In the order of their turns; a project without anything waiting has no entry. */
  readonly #byProject = new Map<number, Waiting<T>[]>();
  readonly #projectOf = new Map<T, number>();

  get size(): number {
    return this.#projectOf.size;
  }

  has(item: T): boolean {
    return this.#projectOf.has(item);
  }

  /** Nothing happens when the item waits already. */
  add(item: T, projectId: number, age: number): void {
    if (this.#projectOf.has(item)) return;
    this.#projectOf.set(item, projectId);
    const entry = { item, projectId, age };
    const list = this.#byProject.get(projectId);
    if (!list) {
      this.#byProject.set(projectId, [entry]);
      return;
    }
    let at = list.length;
    while (at > 0 && list[at - 1]!.age > age) at -= 1;
    list.splice(at, 0, entry);
  }

  remove(item: T): void {
    const projectId = this.#projectOf.get(item);
    if (projectId === undefined) return;
    this.#projectOf.delete(item);
    const list = this.#byProject.get(projectId)!;
    list.splice(
      list.findIndex((entry) => entry.item === item),
      1,
    );
    if (list.length === 0) this.#byProject.delete(projectId);
  }

  /** The next one that `isWanted`; its project goes to the end of the round. */
  take(isWanted: (item: T) => boolean = () => true): T | undefined {
    for (const [projectId, list] of this.#byProject) {
      const found = list.find(({ item }) => isWanted(item));
      if (!found) continue;
      this.remove(found.item);
      if (list.length > 0) {
        this.#byProject.delete(projectId);
        this.#byProject.set(projectId, list);
      }
      return found.item;
    }
    return undefined;
  }

  /** How many will be taken before it, if nobody else comes. */
  ahead(item: T): number {
    const projectId = this.#projectOf.get(item);
    if (projectId === undefined) return 0;
    const round = this.#byProject.get(projectId)!.findIndex((entry) => entry.item === item);
    let ahead = round;
    let isBefore = true;
    for (const [other, list] of this.#byProject) {
      if (other === projectId) isBefore = false;
      else ahead += Math.min(list.length, isBefore ? round + 1 : round);
    }
    return ahead;
  }

  /** All that wait, in no particular order. Removing while going through them is allowed. */
  items(): IterableIterator<T> {
    return this.#projectOf.keys();
  }
}
