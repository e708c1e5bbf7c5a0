import { GantryError } from '../../core/errors.ts';
import { formatSize } from '../../lib/size.ts';

/**
 * Reads bodies of senders who are strangers until theirs is read: each of at most `maxBytes`, and all that are held at
 * once of at most `maxHeldBytes`.
 */
export class BodyReader {
  readonly #maxBytes: number;
  readonly #maxHeldBytes: number;
  #heldBytes = 0;

  constructor({ maxBytes, maxHeldBytes }: { readonly maxBytes: number; readonly maxHeldBytes: number }) {
    this.#maxBytes = maxBytes;
    this.#maxHeldBytes = maxHeldBytes;
  }

  /** Holds the body until `use` is done. Throws REQUEST_TOO_LARGE or SERVER_BUSY, without reading on. */
  async read<T>(request: Request, use: (body: Buffer) => Promise<T>): Promise<T> {
    if (Number(request.headers.get('content-length') ?? 0) > this.#maxBytes) throw this.#tooLarge();
    const chunks: Uint8Array[] = [];
    let sizeBytes = 0;
    try {
      for await (const chunk of request.body ?? []) {
        sizeBytes += chunk.length;
        this.#heldBytes += chunk.length;
        if (sizeBytes > this.#maxBytes) throw this.#tooLarge();
        if (this.#heldBytes > this.#maxHeldBytes)
          throw new GantryError('SERVER_BUSY', 'Cannot read the webhook: many large ones are being read');
        chunks.push(chunk);
      }
      return await use(Buffer.concat(chunks));
    } finally {
      this.#heldBytes -= sizeBytes;
    }
  }

  #tooLarge(): GantryError {
    return new GantryError(
      'REQUEST_TOO_LARGE',
      `Cannot read the webhook: it has more than ${formatSize(this.#maxBytes)}`,
    );
  }
}
