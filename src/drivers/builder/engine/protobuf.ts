/** A field of a protobuf message: its number, and a number or bytes. */
export type ProtobufField =
  | { readonly number: number; readonly value: bigint }
  | { readonly number: number; readonly bytes: Buffer };

const maxFields = 100_000;

/** The fields of a message in their order; what is cut or has an unknown type ends the list. */
export function protobufFields(bytes: Buffer): readonly ProtobufField[] {
  const fields: ProtobufField[] = [];
  let at = 0;
  const varint = (): bigint | undefined => {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = bytes[at];
      if (byte === undefined) return undefined;
      at += 1;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    return undefined;
  };
  while (at < bytes.length && fields.length < maxFields) {
    const key = varint();
    if (key === undefined) break;
    const number = Number(key >> 3n);
    const type = Number(key & 7n);
    if (type === 0) {
      const value = varint();
      if (value === undefined) break;
      fields.push({ number, value });
    } else {
      const length = type === 2 ? varint() : type === 1 ? 8n : type === 5 ? 4n : undefined;
      if (length === undefined || length > BigInt(bytes.length - at)) break;
      fields.push({ number, bytes: bytes.subarray(at, at + Number(length)) });
      at += Number(length);
    }
  }
  return fields;
}

export function textField(fields: readonly ProtobufField[], number: number): string {
  const found = fields.findLast((field) => field.number === number);
  return found && 'bytes' in found ? found.bytes.toString('utf8') : '';
}

export function isSet(fields: readonly ProtobufField[], number: number): boolean {
  return fields.some((field) => field.number === number && (!('value' in field) || field.value !== 0n));
}

/** Messages or bytes of a repeated field. */
export function bytesFields(fields: readonly ProtobufField[], number: number): readonly Buffer[] {
  return fields.flatMap((field) => (field.number === number && 'bytes' in field ? [field.bytes] : []));
}

/** A field of bytes, as it stands in a message. */
export function bytesField(number: number, bytes: Buffer): Buffer {
  return Buffer.concat([varintOf((number << 3) | 2), varintOf(bytes.length), bytes]);
}

function varintOf(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  do {
    bytes.push(rest > 0x7f ? (rest & 0x7f) | 0x80 : rest);
    rest = Math.floor(rest / 128);
  } while (rest > 0);
  return Buffer.from(bytes);
}
