import { flushPkt, pktLine, readPktLine, sideBand } from '../../lib/pkt-line.ts';

/** What git says a push came to (gitprotocol-pack, "Report Status"). */
export interface PushReport {
  /** `ok`, or what was wrong with the pack. */
  readonly unpack: string;
  readonly accepted: ReadonlySet<string>;
  /** Reference → reason. */
  readonly refused: ReadonlyMap<string, string>;
}

/** Reads report-status and report-status-v2. `undefined` when it is not a whole report: then git did not get to its end. */
export function readReport(bytes: Buffer): PushReport | undefined {
  let unpack: string | undefined;
  const accepted = new Set<string>();
  const refused = new Map<string, string>();
  let offset = 0;
  for (;;) {
    const next = readPktLine(bytes, offset);
    if (!next) return undefined;
    offset = next.end;
    if (next.line.kind === 'flush') break;
    if (next.line.kind !== 'data') return undefined;
    const text = next.line.payload.toString('utf8').replace(/\n$/, '');
    const [, kind, ref, reason] = /^(unpack|ok|ng|option) (\S+)(?: (.*))?$/s.exec(text) ?? [];
    if (kind === 'unpack') unpack = text.slice('unpack '.length);
    else if (kind === 'ok' && ref !== undefined) accepted.add(ref);
    else if (kind === 'ng' && ref !== undefined) refused.set(ref, reason ?? '');
  }
  return unpack === undefined ? undefined : { unpack, accepted, refused };
}

/** The report of a push that we refuse ourselves, as the client shows it: `! [remote rejected] main -> main (reason)`. */
export function refusalReport(
  reasons: ReadonlyMap<string, string>,
  messages: readonly string[],
  usesSideBand: boolean,
): Buffer {
  const report = Buffer.concat([
    pktLine('unpack ok\n'),
    ...[...reasons].map(([ref, reason]) => pktLine(`ng ${ref} ${reason.replaceAll('\n', ' ')}\n`)),
    flushPkt,
  ]);
  if (!usesSideBand) return report;
  return Buffer.concat([...messages.map((message) => sideBand(2, `${message}\n`)), sideBand(1, report), flushPkt]);
}

/**
 * Takes git's answer apart as it comes: progress goes on to the client at once, the report is held back.
 * Without side-band everything is the report.
 */
export class AnswerSplitter {
  readonly #usesSideBand: boolean;
  readonly #report: Buffer[] = [];
  #pending: Buffer = Buffer.alloc(0);
  #reportBytes = 0;

  constructor(usesSideBand: boolean) {
    this.#usesSideBand = usesSideBand;
  }

  /** Takes a piece of the answer; what comes back may be sent to the client now. */
  take(chunk: Buffer): Buffer {
    if (!this.#usesSideBand) {
      this.#hold(chunk);
      return Buffer.alloc(0);
    }
    this.#pending = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk]);
    const onward: Buffer[] = [];
    let offset = 0;
    for (;;) {
      const next = readPktLine(this.#pending, offset);
      if (!next) break;
      if (next.line.kind === 'data') {
        if (next.line.payload[0] === 1) this.#hold(next.line.payload.subarray(1));
        else onward.push(this.#pending.subarray(offset, next.end));
      }
      offset = next.end;
    }
    this.#pending = this.#pending.subarray(offset);
    return Buffer.concat(onward);
  }

  #hold(bytes: Buffer): void {
    this.#reportBytes += bytes.length;
    // 1,000 references of 250 bytes with their reasons and options stay far below.
    if (this.#reportBytes > 4 * 2 ** 20) throw new RangeError('Cannot hold the report of a push: it is above 4 MiB');
    this.#report.push(bytes);
  }

  report(): Buffer {
    return Buffer.concat(this.#report);
  }

  /** The held-back end of the answer, framed as the client expects it. */
  rest(): Buffer {
    const report = this.report();
    return this.#usesSideBand ? Buffer.concat([sideBand(1, report), flushPkt]) : report;
  }
}
