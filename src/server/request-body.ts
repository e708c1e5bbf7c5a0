import { GantryError } from '../core/errors.ts';
import { InvalidRequest } from './problem.ts';

/** The most that a JSON request may have, in bytes. */
export const jsonLimitBytes = 1024 * 1024;
/** A client that needs longer for a megabyte is holding a connection, not sending a request. */
const readTimeoutMs = 30_000;

/** Refuses a body that says it is too large, before anybody is asked who sends it. */
export function refuseLargeBody(headers: Headers): void {
  if (Number(headers.get('content-length') ?? 0) > jsonLimitBytes) throw tooLarge();
}

/** Reads a JSON body. `undefined` when there is none. */
export async function readJson(request: Request, timeoutMs = readTimeoutMs): Promise<unknown> {
  const bytes = await readBytes(request, timeoutMs);
  const type = request.headers.get('content-type');
  if (bytes.length === 0 && type === null) return undefined;
  // A form of another site can send anything but this type.
  if (!/^application\/json\s*(;|$)/i.test(type ?? ''))
    throw new InvalidRequest([{ pointer: '', message: 'is not JSON: send Content-Type: application/json' }]);
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)) as unknown;
  } catch (error) {
    throw new InvalidRequest([{ pointer: '', message: `is not JSON: ${(error as Error).message}` }]);
  }
}

async function readBytes(request: Request, timeoutMs: number): Promise<Uint8Array> {
  if (!request.body) return new Uint8Array();
  const reader = request.body.getReader() as ReadableStreamDefaultReader<Uint8Array>;
  let isTooSlow = false;
  const timer = setTimeout(() => {
    isTooSlow = true;
    reader.cancel().catch(() => undefined);
  }, timeoutMs);
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      // Cancelled, a body looks as if it had ended: what came so far must not be taken for the whole.
      if (isTooSlow)
        throw new InvalidRequest([{ pointer: '', message: `did not arrive within ${timeoutMs / 1_000} s` }]);
      if (done) return Buffer.concat(chunks);
      sizeBytes += value.byteLength;
      if (sizeBytes > jsonLimitBytes) {
        await reader.cancel();
        throw tooLarge();
      }
      chunks.push(value);
    }
  } finally {
    clearTimeout(timer);
  }
}

function tooLarge(): GantryError {
  return new GantryError(
    'REQUEST_TOO_LARGE',
    `Cannot read the request: it has more than the ${jsonLimitBytes / 1024 / 1024} MiB that JSON may have`,
  );
}
