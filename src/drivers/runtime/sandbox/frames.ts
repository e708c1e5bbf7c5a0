/** One message as perl's `(N/a*)*` reads it, with its own length before: how holders and gates are spoken to. */
export function encodeFrame(fields: readonly (string | Uint8Array)[]): Buffer {
  const sizes = fields.map((field) => (typeof field === 'string' ? Buffer.byteLength(field) : field.length));
  const length = sizes.reduce((sum, size) => sum + 4 + size, 0);
  const frame = Buffer.allocUnsafe(4 + length);
  let at = frame.writeUInt32BE(length, 0);
  for (const [index, field] of fields.entries()) {
    at = frame.writeUInt32BE(sizes[index]!, at);
    if (typeof field === 'string') frame.write(field, at);
    else frame.set(field, at);
    at += sizes[index]!;
  }
  return frame;
}
