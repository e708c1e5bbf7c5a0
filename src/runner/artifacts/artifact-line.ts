import type { ClaimName, ToRunner, ToServer } from '../../engine/runner-protocol.ts';

type FromServer = Extract<ToRunner, { readonly type: `artifact-${string}` }>;

/** The server says that it cannot be. */
export class ArtifactRefused extends Error {
  override readonly name = 'ArtifactRefused';
  /** Nobody's verdict on the step: the server has no room, or cannot read what it has. */
  readonly isInfrastructure: boolean;

  constructor(message: string, isInfrastructure: boolean) {
    super(message);
    this.isInfrastructure = isInfrastructure;
  }
}

/** The server lost what it had of an artifact: it has to be sent from its beginning. */
export class ArtifactInterrupted extends Error {
  override readonly name = 'ArtifactInterrupted';
}

interface Pending {
  /** Said again over a new line; absent where that would be wrong. */
  readonly message: ToServer | undefined;
  readonly settle: PromiseWithResolvers<{ readonly message: FromServer; readonly payload: Buffer }>;
}

/**
 * Sends and fetches artifacts over the line of a claim, one piece at a time: each answer asks for the next. A line that
 * breaks interrupts what is being sent, and what is being fetched goes on over the next one.
 */
export class ArtifactLine {
  readonly #name: ClaimName;
  readonly #send: (message: ToServer, payload?: Uint8Array) => void;
  readonly #pending = new Map<string, Pending>();
  #uploads = 0;

  constructor(name: ClaimName, send: (message: ToServer, payload?: Uint8Array) => void) {
    this.#name = name;
    this.#send = send;
  }

  /** Sends what the pieces are; resolves when it is on the server's disk under its name. */
  async store(
    artifact: { readonly stepId: number; readonly name: string },
    pieces: AsyncIterable<Buffer>,
    signal: AbortSignal,
    entries: () => number,
  ): Promise<{ readonly sizeBytes: number }> {
    this.#uploads += 1;
    const place = { ...this.#name, ...artifact, upload: this.#uploads };
    let offset = 0;
    const write = async (bytes: Buffer): Promise<void> => {
      const answer = await this.#ask(place, { type: 'artifact-write', ...place, offset }, bytes, signal);
      offset += bytes.length;
      if (answer.message.type !== 'artifact-written' || answer.message.offset !== offset)
        throw new ArtifactInterrupted('The server does not have what was sent before');
    };
    for await (const piece of pieces) await write(piece);
    if (offset === 0) await write(Buffer.alloc(0));
    await this.#ask(
      place,
      { type: 'artifact-end', ...place, sizeBytes: offset, entries: entries() },
      undefined,
      signal,
    );
    return { sizeBytes: offset };
  }

  /** The bytes of an artifact, packed, from the first to the last. */
  async *fetch(
    artifact: { readonly stepId: number; readonly name: string },
    signal: AbortSignal,
  ): AsyncGenerator<Buffer, void> {
    this.#uploads += 1;
    const place = { ...this.#name, ...artifact, upload: this.#uploads };
    for (let offset = 0; ; ) {
      const question: ToServer = { type: 'artifact-read', ...place, offset };
      const { message, payload } = await this.#ask(place, question, undefined, signal, question);
      if (message.type !== 'artifact-part' || message.offset !== offset) continue;
      offset += payload.length;
      if (payload.length > 0) yield payload;
      if (offset >= message.sizeBytes) return;
      if (payload.length === 0) throw new ArtifactRefused('it ends before its end', true);
    }
  }

  hear(message: FromServer, payload: Buffer): void {
    const key = keyOf(message);
    const pending = this.#pending.get(key);
    if (!pending) return;
    this.#pending.delete(key);
    if (message.type === 'artifact-refused')
      pending.settle.reject(new ArtifactRefused(message.message, message.isInfrastructure));
    // The transport may use its buffer again.
    else pending.settle.resolve({ message, payload: Buffer.from(payload) });
  }

  /** The line is new. */
  resend(): void {
    for (const [key, { message, settle }] of this.#pending) {
      if (message) this.#send(message);
      else {
        this.#pending.delete(key);
        settle.reject(new ArtifactInterrupted('The line to the server broke'));
      }
    }
  }

  /** The claim is not ours any more: nobody answers. */
  close(): void {
    for (const { settle } of this.#pending.values())
      settle.reject(new ArtifactRefused('the workflow was given to somebody else', true));
    this.#pending.clear();
  }

  async #ask(
    place: { readonly stepId: number; readonly name: string; readonly upload: number },
    message: ToServer,
    payload: Uint8Array | undefined,
    signal: AbortSignal,
    again?: ToServer,
  ): Promise<{ readonly message: FromServer; readonly payload: Buffer }> {
    signal.throwIfAborted();
    const settle = Promise.withResolvers<{ readonly message: FromServer; readonly payload: Buffer }>();
    const key = keyOf(place);
    this.#pending.set(key, { message: again, settle });
    const abort = (): void => {
      this.#pending.delete(key);
      settle.reject(signal.reason as Error);
    };
    signal.addEventListener('abort', abort, { once: true });
    this.#send(message, payload);
    try {
      return await settle.promise;
    } finally {
      signal.removeEventListener('abort', abort);
    }
  }
}

function keyOf({
  stepId,
  name,
  upload,
}: {
  readonly stepId: number;
  readonly name: string;
  readonly upload: number;
}): string {
  return `${stepId}/${upload}/${name}`;
}
