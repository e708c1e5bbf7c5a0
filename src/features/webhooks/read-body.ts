import { GantryError } from '../../core/errors.ts';
import { formatSize } from '../../lib/size.ts';

/** Reads a request's body whole. Throws REQUEST_TOO_LARGE beyond the limit, without reading on. */
export async function readBody(request: Request, maxBytes: number): Promise<Buffer> {
  if (Number(request.headers.get('content-length') ?? 0) > maxBytes) throw tooLarge(maxBytes);
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const chunk of request.body ?? []) {
    sizeBytes += chunk.length;
    if (sizeBytes > maxBytes) throw tooLarge(maxBytes);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function tooLarge(maxBytes: number): GantryError {
  return new GantryError('REQUEST_TOO_LARGE', `Cannot read the webhook: it has more than ${formatSize(maxBytes)}`);
}
