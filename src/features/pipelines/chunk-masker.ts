import type { LogChunk } from '../../drivers/logs/logs.ts';
import { type MaskSet, mask, StreamMasker } from '../../engine/masking/masker.ts';

/** Chunks in a row that may wait for the end of one secret; a runner that masks sends none that waits. */
const maxHeldChunks = 256;
const nothing = Buffer.alloc(0);

interface Held {
  readonly stream: LogChunk['stream'];
  /** In their order, masked and without what each has of the tail. */
  readonly chunks: { readonly chunk: LogChunk; readonly tailBytes: number }[];
  /** Bytes that may be the beginning of a secret: the end of the first one, and all of the others. */
  tail: Buffer;
}

/**
 * Masks the chunks of one step's log once more, whatever their borders (reliability-security R9). Numbers and order
 * stay; a chunk that may end within a secret is held until the next one tells, and its bytes then stay its own. A runner
 * that does its part sends chunks in which nothing is found and nothing is held, but where it cut at a size.
 */
export class ChunkMasker {
  readonly #maskers = new Map<LogChunk['stream'], StreamMasker>();
  #masks: MaskSet;
  #held: Held | undefined;

  constructor(masks: MaskSet) {
    this.#masks = masks;
  }

  /** Replaces what is masked, as soon as nothing is held. */
  useMasks(masks: MaskSet): void {
    if (masks === this.#masks || this.#held) return;
    this.#masks = masks;
    this.#maskers.clear();
  }

  /** Answers the chunks that may be stored now. */
  write(chunk: LogChunk): readonly LogChunk[] {
    const ready: LogChunk[] = [];
    // No runner that masks leaves the beginning of a secret and goes on with another stream.
    if (this.#held && this.#held.stream !== chunk.stream) ready.push(...this.#giveUp());
    const masker = this.#maskerOf(chunk.stream);
    let bytes = Buffer.concat([...masker.write(chunk.bytes), ...masker.release()]);
    const held = this.#held;
    if (held && bytes.length === 0 && masker.heldBytes > 0) {
      held.chunks.push({ chunk: { ...chunk, bytes }, tailBytes: chunk.bytes.length });
      held.tail = masker.held;
      if (held.chunks.length >= maxHeldChunks) ready.push(...this.#giveUp());
      return ready;
    }
    if (held) {
      // What the tail has become belongs to the chunks that it came from.
      const end = [held.tail, mask].find((start) => bytes.subarray(0, start.length).equals(start)) ?? nothing;
      ready.push(...withEnd(held, end));
      bytes = bytes.subarray(end.length);
      this.#held = undefined;
    }
    if (masker.heldBytes === 0) ready.push({ ...chunk, bytes });
    else {
      const tail = masker.held;
      this.#held = { stream: chunk.stream, chunks: [{ chunk: { ...chunk, bytes }, tailBytes: tail.length }], tail };
    }
    return ready;
  }

  /** Nothing more will come: a beginning was no secret. */
  end(): readonly LogChunk[] {
    const held = this.#held;
    this.#held = undefined;
    return held ? withEnd(held, Buffer.concat(this.#maskerOf(held.stream).end())) : [];
  }

  /** What may be a secret is taken for one. */
  #giveUp(): readonly LogChunk[] {
    const held = this.#held!;
    this.#held = undefined;
    this.#maskers.delete(held.stream);
    return withEnd(held, mask);
  }

  #maskerOf(stream: LogChunk['stream']): StreamMasker {
    let masker = this.#maskers.get(stream);
    if (!masker) {
      masker = new StreamMasker(this.#masks);
      this.#maskers.set(stream, masker);
    }
    return masker;
  }
}

/** The held chunks with what their tail has become: each has its own part of it back, or the first one the mask. */
function withEnd({ chunks, tail }: Held, end: Buffer): readonly LogChunk[] {
  let from = 0;
  return chunks.map(({ chunk, tailBytes }, i) => {
    const part = end.equals(tail) ? tail.subarray(from, from + tailBytes) : i === 0 ? end : nothing;
    from += tailBytes;
    return part.length === 0 ? chunk : { ...chunk, bytes: Buffer.concat([chunk.bytes, part]) };
  });
}
