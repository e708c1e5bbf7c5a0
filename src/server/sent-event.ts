import type { StreamEvents } from '../api/stream.ts';

const encoder = new TextEncoder();

/** One event as it goes over the line (HTML standard, 9.2.6). JSON has no line breaks, so that it is one `data:` line. */
export function encodeEvent<Name extends keyof StreamEvents>(
  name: Name,
  data: StreamEvents[Name],
  id?: number,
): Uint8Array {
  return encoder.encode(`${id === undefined ? '' : `id: ${id}\n`}event: ${name}\ndata: ${JSON.stringify(data)}\n\n`);
}

/** Nothing happened; but from here one may go on. An event without data is not dispatched, and its id is kept. */
export function encodePing(sequence: number): Uint8Array {
  return encoder.encode(`: ping\nid: ${sequence}\n\n`);
}

/** How long a browser waits before it connects again. */
export function encodeRetry(ms: number): Uint8Array {
  return encoder.encode(`retry: ${ms}\n\n`);
}
