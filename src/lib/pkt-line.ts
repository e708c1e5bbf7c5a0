/**
 * Git's pkt-line framing (gitprotocol-common): four hex digits of length, themselves included, then the payload.
 * `0000` ends a section, `0001` parts it (protocol v2), `0002` ends an answer (protocol v2).
 */
export type PktLine =
  | { readonly kind: 'data'; readonly payload: Buffer }
  | { readonly kind: 'flush' | 'delimiter' | 'end' };

/** The most that one line may carry: 65520 with its length. */
export const maxPktPayloadBytes = 65_516;

export const flushPkt: Buffer = Buffer.from('0000');
export const delimiterPkt: Buffer = Buffer.from('0001');

/** One line of data. Refuses more than fits in one. */
export function pktLine(payload: string | Uint8Array): Buffer {
  const bytes = Buffer.from(payload);
  if (bytes.length > maxPktPayloadBytes)
    throw new RangeError(`Cannot frame ${bytes.length} bytes as one pkt-line: it may have ${maxPktPayloadBytes}`);
  return Buffer.concat([Buffer.from((bytes.length + 4).toString(16).padStart(4, '0')), bytes]);
}

/** Lines of one side-band channel: 1 data, 2 progress, 3 fatal error. */
export function sideBand(channel: 1 | 2 | 3, payload: string | Uint8Array): Buffer {
  const bytes = Buffer.from(payload);
  const lines: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += maxPktPayloadBytes - 1)
    lines.push(pktLine(Buffer.concat([Buffer.from([channel]), bytes.subarray(at, at + maxPktPayloadBytes - 1)])));
  return Buffer.concat(lines);
}

/**
 * The line at `offset`, with the offset behind it. `undefined` when more bytes are needed; throws a SyntaxError when
 * what stands there cannot be a pkt-line.
 */
export function readPktLine(bytes: Buffer, offset = 0): { readonly line: PktLine; readonly end: number } | undefined {
  if (bytes.length < offset + 4) {
    if (!/^[0-9a-fA-F]*$/.test(bytes.toString('latin1', offset))) throw notAPktLine(bytes, offset);
    return undefined;
  }
  const digits = bytes.toString('latin1', offset, offset + 4);
  if (!/^[0-9a-fA-F]{4}$/.test(digits)) throw notAPktLine(bytes, offset);
  const length = Number.parseInt(digits, 16);
  if (length === 0) return { line: { kind: 'flush' }, end: offset + 4 };
  if (length === 1) return { line: { kind: 'delimiter' }, end: offset + 4 };
  if (length === 2) return { line: { kind: 'end' }, end: offset + 4 };
  if (length === 3 || length > maxPktPayloadBytes + 4) throw notAPktLine(bytes, offset);
  if (bytes.length < offset + length) return undefined;
  return { line: { kind: 'data', payload: bytes.subarray(offset + 4, offset + length) }, end: offset + length };
}

/** All lines of a whole buffer; throws a SyntaxError when it ends within one. */
export function readPktLines(bytes: Buffer): readonly PktLine[] {
  const lines: PktLine[] = [];
  let offset = 0;
  while (offset < bytes.length) {
    const next = readPktLine(bytes, offset);
    if (!next) throw new SyntaxError(`Cannot read a pkt-line at byte ${offset}: it is cut off`);
    lines.push(next.line);
    offset = next.end;
  }
  return lines;
}

function notAPktLine(bytes: Buffer, offset: number): SyntaxError {
  const shown = JSON.stringify(bytes.toString('latin1', offset, offset + 4));
  return new SyntaxError(`Cannot read a pkt-line at byte ${offset}: ${shown} is not a length`);
}
