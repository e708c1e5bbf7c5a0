import { askTimes, type LogAddress } from './log-requests.ts';

/** When a run of lines came. */
interface Range {
  /** First and last line that it tells of, from 0. */
  readonly from: number;
  readonly to: number;
  /** Where a chunk's lines begin, ascending, and when the chunk came. */
  readonly lines: readonly number[];
  readonly atMs: readonly number[];
}

const itemsAtOnce = 1_000;
/** Answers that are kept: who looks through a whole log needs few of them. */
const maxRanges = 100;
/** A line is seen a little before the server can tell when it came. */
const againMs = 400;

/**
 * When the lines of a log came, asked for only where somebody looks. Lines (from 0) have the time of the chunk in which
 * they begin: nothing finer is known.
 */
export class LogTimes {
  version = 0;
  readonly #address: LogAddress;
  #ranges: Range[] = [];
  #wanted: { readonly first: number; readonly last: number } | undefined;
  #isAsking = false;
  readonly #stop = new AbortController();
  readonly #listeners = new Set<() => void>();

  constructor(address: LogAddress) {
    this.#address = address;
  }

  stop(): void {
    this.#stop.abort();
  }

  /** Milliseconds since the step started; `undefined` while that is not known here. */
  at(line: number): number | undefined {
    const range = this.#ranges.find(({ from, to }) => line >= from && line <= to);
    if (!range) return undefined;
    let [low, high] = [0, range.lines.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((range.lines[middle] ?? 0) <= line) low = middle;
      else high = middle - 1;
    }
    return range.atMs[low];
  }

  /** Brings the times of these lines, as far as they are missing. */
  want(first: number, last: number): void {
    this.#wanted = { first, last };
    if (!this.#isAsking) void this.#ask();
  }

  subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  async #ask(): Promise<void> {
    this.#isAsking = true;
    try {
      for (let from = this.#missing(); from !== undefined; from = this.#missing()) {
        const answer = await askTimes(this.#address, from + 1, itemsAtOnce, this.#stop.signal);
        const to = answer.nextLine === null ? answer.lines - 1 : answer.nextLine - 2;
        const isTold = to >= from && answer.items.length > 0;
        if (isTold)
          this.#keep({
            from,
            to,
            lines: answer.items.map(({ line }) => line - 1),
            atMs: answer.items.map(({ atMs }) => atMs),
          });
        this.#tell();
        if (!isTold) await this.#wait();
      }
    } catch {
      // The column stays empty there; scrolling asks again.
      this.#wanted = undefined;
    } finally {
      this.#isAsking = false;
    }
  }

  #missing(): number | undefined {
    if (!this.#wanted || this.#stop.signal.aborted) return undefined;
    const { first, last } = this.#wanted;
    for (let line = first; line <= last; line++) if (this.at(line) === undefined) return line;
    return undefined;
  }

  #keep(range: Range): void {
    this.#ranges = [range, ...this.#ranges.filter(({ from, to }) => from < range.from || to > range.to)];
    this.#ranges = this.#ranges.slice(0, maxRanges);
  }

  #wait(): Promise<void> {
    return new Promise((resume) => {
      setTimeout(resume, againMs);
    });
  }

  #tell(): void {
    this.version++;
    for (const listener of this.#listeners) listener();
  }
}
