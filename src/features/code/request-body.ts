import type { IncomingMessage } from 'node:http';
import { pipeline, Readable, Transform } from 'node:stream';
import type { ReadableStream } from 'node:stream/web';
import { createGunzip } from 'node:zlib';
import type { Context } from 'hono';
import { GantryError } from '../../core/errors.ts';
import { formatSize } from '../../lib/size.ts';

/**
 * The body of a git request as bytes, inflated where the client compressed it. It errors with REQUEST_TOO_LARGE above the
 * limit, which counts what comes out and not what was sent, and with REQUEST_INVALID when nothing arrives for `idleMs`.
 */
export function requestBody(
  context: Context,
  limits: { readonly maxBytes: number; readonly idleMs: number },
): Readable {
  const encoding = context.req.header('content-encoding')?.toLowerCase() ?? 'identity';
  if (!['identity', 'gzip', 'x-gzip'].includes(encoding))
    throw new GantryError(
      'REQUEST_INVALID',
      'Cannot read the request: its Content-Encoding is neither gzip nor identity',
    );
  if (Number(context.req.header('content-length') ?? 0) > limits.maxBytes) throw tooLarge(limits.maxBytes);

  const source = rawBody(context);
  const counted = countBytes(limits);
  // Errors of any of them reach the reader through `counted`, so nothing is left to do here.
  const ended = (): void => undefined;
  if (encoding === 'identity') pipeline(source, counted, ended);
  else pipeline(source, createGunzip(), counted, ended);
  return counted;
}

/** The socket's own stream where there is one, since bytes that pass through web streams cost twice. */
function rawBody(context: Context): Readable {
  const { incoming } = (context.env ?? {}) as { incoming?: IncomingMessage };
  if (incoming) return incoming;
  const body = context.req.raw.body;
  return body ? Readable.fromWeb(body as ReadableStream<Uint8Array>) : Readable.from([]);
}

function countBytes(limits: { readonly maxBytes: number; readonly idleMs: number }): Transform {
  let sizeBytes = 0;
  let timer: NodeJS.Timeout | undefined;
  const counted: Transform = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      timer?.refresh();
      sizeBytes += chunk.length;
      if (sizeBytes > limits.maxBytes) done(tooLarge(limits.maxBytes));
      else done(null, chunk);
    },
    destroy(error, done) {
      clearTimeout(timer);
      done(error);
    },
    flush(done) {
      clearTimeout(timer);
      done();
    },
  });
  timer = setTimeout(() => {
    // While we do not read, it is not the client that is slow.
    if (counted.readableLength > 0) timer?.refresh();
    else
      counted.destroy(
        new GantryError('REQUEST_INVALID', `Cannot read the request: nothing arrived for ${limits.idleMs} ms`),
      );
  }, limits.idleMs);
  return counted;
}

function tooLarge(maxBytes: number): GantryError {
  return new GantryError('REQUEST_TOO_LARGE', `Cannot read the request: it has more than ${formatSize(maxBytes)}`);
}
