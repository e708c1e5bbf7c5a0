/** A piece of a step's output; `bytes` is valid until the next one is asked for. */
export interface OutputPiece {
  readonly stream: 'stdout' | 'stderr';
  readonly bytes: Buffer;
}

const headerBytes = 8;

/**
 * Takes apart what an engine sends for a container without a terminal: frames of one byte for the stream (1 stdout,
 * 2 stderr), three empty ones, four for the length, then the bytes. Pieces come as soon as they are there, in order,
 * and never wait for the rest of their frame.
 */
export class OutputFrames {
  #header = Buffer.alloc(0);
  #stream: OutputPiece['stream'] = 'stdout';
  #left = 0;

  *read(chunk: Buffer): Generator<OutputPiece> {
    let rest = chunk;
    while (rest.length > 0) {
      if (this.#left === 0) {
        const missing = headerBytes - this.#header.length;
        this.#header = Buffer.concat([this.#header, rest.subarray(0, missing)]);
        rest = rest.subarray(missing);
        if (this.#header.length < headerBytes) return;
        this.#stream = this.#header[0] === 2 ? 'stderr' : 'stdout';
        this.#left = this.#header.readUInt32BE(4);
        this.#header = Buffer.alloc(0);
        continue;
      }
      const bytes = rest.subarray(0, this.#left);
      this.#left -= bytes.length;
      rest = rest.subarray(bytes.length);
      yield { stream: this.#stream, bytes };
    }
  }
}
