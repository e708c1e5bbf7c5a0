import { GantryError } from '../../core/errors.ts';

/** So many at once and so many in line; whoever comes then is refused with SERVER_BUSY. */
export class Slots {
  readonly #what: string;
  readonly #maxWaiting: number;
  readonly #waiting: (() => void)[] = [];
  #free: number;

  constructor(what: string, limits: { readonly running: number; readonly waiting: number }) {
    this.#what = what;
    this.#free = limits.running;
    this.#maxWaiting = limits.waiting;
  }

  /** Resolves when it is one's turn; what it answers gives the place back and may be called once. */
  async take(): Promise<() => void> {
    if (this.#free > 0) this.#free -= 1;
    else if (this.#waiting.length >= this.#maxWaiting)
      throw new GantryError('SERVER_BUSY', `Cannot serve the ${this.#what}: too many are being served already`);
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    return () => this.#giveBack();
  }

  #giveBack(): void {
    // The place goes to the next in line, so that nobody overtakes.
    const next = this.#waiting.shift();
    if (next) next();
    else this.#free += 1;
  }
}
