/** One message as perl's `(N/a*)*` reads it, with its own length before: how holders and gates are spoken to. */
export function encodeFrame(fields: readonly (string | Uint8Array)[]): Buffer {
  const parts: Buffer[] = [];
  let length = 0;
  for (const field of fields) {
    const bytes = typeof field === 'string' ? Buffer.from(field, 'utf8') : Buffer.from(field);
    const size = Buffer.alloc(4);
    size.writeUInt32BE(bytes.length);
    parts.push(size, bytes);
    length += 4 + bytes.length;
  }
  const head = Buffer.alloc(4);
  head.writeUInt32BE(length);
  return Buffer.concat([head, ...parts], length + 4);
}
