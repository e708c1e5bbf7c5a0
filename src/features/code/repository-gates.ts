/** What goes on in a repository and must not find its packs gone. */
export type RepositoryUse = 'push' | 'fetch';

export interface GatePatience {
  /** How long the exclusive side waits for a moment without users, in all. */
  readonly giveUpMs: number;
  /** Newcomers pass one that waits, for so long … */
  readonly politeMs: number;
  /** … and then stay behind it for so long, so that a repository in constant use gets its turn as well. */
  readonly insistMs: number;
}

const usual: GatePatience = { giveUpMs: 30_000, politeMs: 1_000, insistMs: 100 };

/**
 * One gate for each repository. Pushes and fetches pass side by side; taking packs away goes alone. Users never
 * wait for one that only waits, but for the short moments in which it insists: so nobody is held up for longer than that
 * and the exclusive step itself. In memory: what a killed server leaves running is ended before the next opens its gates.
 */
export class RepositoryGates {
  readonly #gates = new Map<number, Gate>();
  readonly #patience: GatePatience;

  constructor(patience: GatePatience = usual) {
    this.#patience = patience;
  }

  /** Resolves when the repository may be used so; what it answers ends the use, and may be called again. */
  async share(projectId: number, use: RepositoryUse): Promise<() => void> {
    const gate = this.#open(projectId);
    await gate.enter(use);
    let isOver = false;
    return () => {
      if (isOver) return;
      isOver = true;
      gate.leave(use);
      this.#forget(projectId, gate);
    };
  }

  /**
   * Does the work while the repository is used in none of these ways. Answers `false`, and does nothing, when there was no
   * such moment for too long, or the signal came first.
   */
  async exclude(
    projectId: number,
    uses: readonly RepositoryUse[],
    work: () => Promise<void>,
    signal: AbortSignal,
  ): Promise<boolean> {
    const gate = this.#open(projectId);
    try {
      if (!(await gate.close(uses, this.#patience, signal))) return false;
      try {
        await work();
        return true;
      } finally {
        gate.reopen();
      }
    } finally {
      this.#forget(projectId, gate);
    }
  }

  #open(projectId: number): Gate {
    const gate = this.#gates.get(projectId) ?? new Gate();
    this.#gates.set(projectId, gate);
    return gate;
  }

  #forget(projectId: number, gate: Gate): void {
    if (gate.isIdle && this.#gates.get(projectId) === gate) this.#gates.delete(projectId);
  }
}

class Gate {
  readonly #users: Record<RepositoryUse, number> = { push: 0, fetch: 0 };
  /** Uses that may not begin now: somebody is alone with the repository, or insists on being so. */
  #barred: readonly RepositoryUse[] = [];
  #isClosing = false;
  #waiting = 0;
  #change = Promise.withResolvers<void>();

  get isIdle(): boolean {
    return !this.#isClosing && this.#users.push + this.#users.fetch + this.#waiting === 0;
  }

  async enter(use: RepositoryUse): Promise<void> {
    this.#waiting += 1;
    while (this.#barred.includes(use)) await this.#change.promise;
    this.#waiting -= 1;
    this.#users[use] += 1;
  }

  leave(use: RepositoryUse): void {
    this.#users[use] -= 1;
    this.#tell();
  }

  /** Answers whether the gate is closed to these uses now: then `reopen` has to follow. */
  async close(uses: readonly RepositoryUse[], patience: GatePatience, signal: AbortSignal): Promise<boolean> {
    // One at a time: whoever is at it already does what there is to do.
    if (this.#isClosing) return false;
    this.#isClosing = true;
    const giveUpAtMs = performance.now() + patience.giveUpMs;
    for (let insists = false; !signal.aborted; insists = !insists) {
      this.#bar(insists ? uses : []);
      const leftMs = giveUpAtMs - performance.now();
      if (leftMs <= 0) break;
      const waitMs = Math.min(insists ? patience.insistMs : patience.politeMs, leftMs);
      if (await this.#barWhenUnused(uses, waitMs, signal)) return true;
    }
    this.reopen();
    return false;
  }

  reopen(): void {
    this.#isClosing = false;
    this.#bar([]);
  }

  async #barWhenUnused(uses: readonly RepositoryUse[], waitMs: number, signal: AbortSignal): Promise<boolean> {
    const { promise: over, resolve } = Promise.withResolvers<void>();
    let isOver = false;
    const end = (): void => {
      isOver = true;
      resolve();
    };
    const timer = setTimeout(end, waitMs);
    signal.addEventListener('abort', end, { once: true });
    try {
      while (!isOver && uses.some((use) => this.#users[use] > 0)) await Promise.race([this.#change.promise, over]);
      // In the same turn in which it was seen to be unused: nobody can have come between.
      if (!isOver) this.#bar(uses);
      return !isOver;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
    }
  }

  #bar(uses: readonly RepositoryUse[]): void {
    this.#barred = uses;
    this.#tell();
  }

  #tell(): void {
    const told = this.#change;
    this.#change = Promise.withResolvers<void>();
    told.resolve();
  }
}
