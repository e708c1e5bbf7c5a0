/** What the gate said of the end of its step. */
export type GateEnd =
  | { readonly kind: 'exit'; readonly code: number; readonly oomKills: number }
  | { readonly kind: 'signal'; readonly number: number; readonly oomKills: number }
  | { readonly kind: 'fault'; readonly message: string };

/** A report is short: what follows the mark and is longer is none. */
const reportLimitBytes = 4_096;

/**
 * Finds the gate's report in a stream of output: everything before the mark is the step's, and nothing after it is. Bytes
 * that might be the beginning of the mark are held until the next ones show whether they are.
 */
export class GateReport {
  readonly #mark: Buffer;
  #held: Buffer = Buffer.alloc(0);
  #report: Buffer | undefined;

  constructor(mark: string) {
    this.#mark = Buffer.from(mark);
  }

  /** The part of the bytes that is the step's own output. */
  take(bytes: Buffer): Buffer {
    if (this.#report) {
      if (this.#report.length < reportLimitBytes) this.#report = Buffer.concat([this.#report, bytes]);
      return Buffer.alloc(0);
    }
    const all = this.#held.length > 0 ? Buffer.concat([this.#held, bytes]) : bytes;
    const at = all.indexOf(this.#mark);
    if (at >= 0) {
      this.#held = Buffer.alloc(0);
      this.#report = Buffer.from(all.subarray(at + this.#mark.length));
      return all.subarray(0, at);
    }
    const tail = this.#beginningAtEndOf(all);
    this.#held = Buffer.from(all.subarray(all.length - tail));
    return all.subarray(0, all.length - tail);
  }

  /** What was held and turned out to be output: at the end of the stream. */
  rest(): Buffer {
    const held = this.#held;
    this.#held = Buffer.alloc(0);
    return held;
  }

  /** Whether the mark has come: nothing after it is the step's. */
  get isThere(): boolean {
    return this.#report !== undefined;
  }

  /** Whether the gate asks, before its step runs, for the names of the job. Answered once: its report comes under a new mark. */
  takeQuestion(): boolean {
    const isQuestion = this.#report?.toString('latin1') === 'names\n';
    if (isQuestion) this.#report = undefined;
    return isQuestion;
  }

  /** Complete once its line has ended. */
  get end(): GateEnd | undefined {
    const line = this.#report?.toString('utf8').split('\n', 2);
    if (!line || line.length < 2) return undefined;
    const found = /^(?:(exit|signal) (\d+)(?: oom (\d+))?|fault (.*))$/.exec(line[0]!);
    if (!found) return undefined;
    const [, word, number, oom, message] = found;
    if (message !== undefined) return { kind: 'fault', message };
    const oomKills = Number(oom ?? 0);
    return word === 'exit'
      ? { kind: 'exit', code: Number(number), oomKills }
      : { kind: 'signal', number: Number(number), oomKills };
  }

  /** How many bytes at the end are a beginning of the mark. */
  #beginningAtEndOf(bytes: Buffer): number {
    for (let length = Math.min(this.#mark.length - 1, bytes.length); length > 0; length -= 1) {
      if (bytes.subarray(bytes.length - length).equals(this.#mark.subarray(0, length))) return length;
    }
    return 0;
  }
}
