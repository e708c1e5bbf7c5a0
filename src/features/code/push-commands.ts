import { GantryError } from '../../core/errors.ts';
import { readPktLine } from '../../lib/pkt-line.ts';

export const zeroObject = '0'.repeat(40);

/** One line of a push: this reference shall go from `before` to `after` (all zeros: it shall be made, or go). */
export interface PushCommand {
  readonly ref: string;
  readonly before: string;
  readonly after: string;
}

export interface PushRequest {
  readonly commands: readonly PushCommand[];
  readonly capabilities: ReadonlySet<string>;
  readonly options: readonly string[];
  /** How many bytes the lines took, the flush included: what follows is the pack. */
  readonly sizeBytes: number;
}

export const pushLimits = {
  commands: 1_000,
  shallows: 1_000,
  options: 64,
  optionBytes: 1_024,
  headBytes: 1_048_576,
} as const;

/**
 * Reads the lines before the pack (gitprotocol-pack, "Reference Update Request"). `undefined` when more bytes are needed.
 *
 * It takes exactly what it knows: a line that git might understand in another way than we do would pass our rules and
 * then do something else. Push certificates are refused, since nothing here checks them.
 */
export function readPushRequest(bytes: Buffer): PushRequest | undefined {
  const commands: PushCommand[] = [];
  const seen = new Set<string>();
  let capabilities: Set<string> | undefined;
  let shallows = 0;
  let offset = 0;

  for (;;) {
    const next = readLine(bytes, offset);
    if (!next) return undefined;
    offset = next.end;
    if (next.line.kind === 'flush') break;
    if (next.line.kind !== 'data') throw refused('it has a section that a push does not have');

    const text = next.line.payload.toString('latin1').replace(/\n$/, '');
    if (/^shallow [0-9a-f]{40}$/.test(text) && commands.length === 0) {
      shallows += 1;
      if (shallows > pushLimits.shallows) throw refused(`it names more than ${pushLimits.shallows} shallow commits`);
      continue;
    }
    if (text.startsWith('push-cert')) throw refused('signed pushes are not understood here');

    const [line, listed] = splitOnce(next.line.payload);
    const found = /^([0-9a-f]{40}) ([0-9a-f]{40}) ([^\n]+)$/s.exec(line);
    if (!found) throw refused('it has a line that is no command');
    if (listed !== undefined) {
      if (capabilities) throw refused('it lists capabilities twice');
      capabilities = new Set(listed.split(' ').filter(Boolean));
    }
    const [, before = '', after = '', ref = ''] = found;
    if (before === zeroObject && after === zeroObject)
      throw refused(`it deletes ${printable(ref)}, which it says is not there`);
    if (seen.has(ref)) throw refused(`it names ${printable(ref)} twice`);
    seen.add(ref);
    commands.push({ ref, before, after });
    if (commands.length > pushLimits.commands)
      throw new GantryError(
        'REQUEST_TOO_LARGE',
        `Cannot push more than ${pushLimits.commands} references at once: push them in parts`,
      );
  }

  const options: string[] = [];
  if (commands.length > 0 && capabilities?.has('push-options')) {
    for (;;) {
      const next = readLine(bytes, offset);
      if (!next) return undefined;
      offset = next.end;
      if (next.line.kind === 'flush') break;
      if (next.line.kind !== 'data') throw refused('it has a section that a push does not have');
      if (next.line.payload.length > pushLimits.optionBytes)
        throw refused(`it has a push option of more than ${pushLimits.optionBytes} bytes`);
      options.push(next.line.payload.toString('utf8').replace(/\n$/, ''));
      if (options.length > pushLimits.options) throw refused(`it has more than ${pushLimits.options} push options`);
    }
  }
  return { commands, capabilities: capabilities ?? new Set(), options, sizeBytes: offset };
}

function readLine(bytes: Buffer, offset: number): ReturnType<typeof readPktLine> {
  let next: ReturnType<typeof readPktLine>;
  try {
    next = readPktLine(bytes, offset);
  } catch (cause) {
    throw new GantryError('GIT_REQUEST_INVALID', 'Cannot read the push: its lines are not pkt-lines', { cause });
  }
  if (!next && bytes.length > pushLimits.headBytes)
    throw new GantryError('REQUEST_TOO_LARGE', 'Cannot push that many references at once: push them in parts');
  return next;
}

/** The command and the capabilities behind its NUL. */
function splitOnce(payload: Buffer): [string, string | undefined] {
  const nul = payload.indexOf(0);
  const trim = (text: string): string => text.replace(/\n$/, '');
  if (nul < 0) return [trim(payload.toString('utf8')), undefined];
  return [payload.toString('utf8', 0, nul), trim(payload.toString('latin1', nul + 1))];
}

function refused(why: string): GantryError {
  return new GantryError('GIT_REQUEST_INVALID', `Cannot read the push: ${why}`);
}

/** A reference's name in a message: hostile ones must not write to the pusher's terminal. */
export function printable(ref: string): string {
  const plain = ref.replace(/[^\p{L}\p{N}\p{P}\p{S} ]/gu, '?');
  return plain.length > 200 ? `${plain.slice(0, 200)}…` : plain;
}
