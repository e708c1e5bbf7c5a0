export interface OutputBudgetLimits {
  /** Bytes of one step that may be kept while the server does not have them. */
  readonly stepBytes: number;
  /** Bytes of all steps together. */
  readonly totalBytes: number;
}

/** engine.md 7. */
export const defaultOutputLimits: OutputBudgetLimits = { stepBytes: 8 * 2 ** 20, totalBytes: 64 * 2 ** 20 };

/** Counts the output that is kept for the server. Whoever keeps too much waits until the server has taken some. */
export class OutputBudget {
  readonly #limits: OutputBudgetLimits;
  readonly #kept = new Map<object, number>();
  #totalBytes = 0;
  #waiting: { readonly owner: object; readonly resolve: () => void }[] = [];

  constructor(limits: OutputBudgetLimits = defaultOutputLimits) {
    this.#limits = limits;
  }

  get totalBytes(): number {
    return this.#totalBytes;
  }

  take(owner: object, bytes: number): void {
    this.#kept.set(owner, (this.#kept.get(owner) ?? 0) + bytes);
    this.#totalBytes += bytes;
  }

  release(owner: object, bytes: number): void {
    const left = (this.#kept.get(owner) ?? 0) - bytes;
    if (left > 0) this.#kept.set(owner, left);
    else this.#kept.delete(owner);
    this.#totalBytes -= bytes;
    this.#wake();
  }

  /** The owner keeps nothing any more, and waits no more. */
  forget(owner: object): void {
    this.release(owner, this.#kept.get(owner) ?? 0);
  }

  /** Nothing while there is room; else a promise that resolves when there is. */
  wait(owner: object): Promise<void> | undefined {
    if (this.#hasRoom(owner)) return undefined;
    return new Promise((resolve) => this.#waiting.push({ owner, resolve }));
  }

  #hasRoom(owner: object): boolean {
    const own = this.#kept.get(owner) ?? 0;
    // Who keeps nothing is let through: it must not wait for what others keep to say its first word.
    return own === 0 || (own < this.#limits.stepBytes && this.#totalBytes < this.#limits.totalBytes);
  }

  #wake(): void {
    if (this.#waiting.length === 0) return;
    const woken = this.#waiting.filter(({ owner }) => this.#hasRoom(owner));
    if (woken.length === 0) return;
    this.#waiting = this.#waiting.filter(({ owner }) => !this.#hasRoom(owner));
    for (const { resolve } of woken) resolve();
  }
}
