/** Bytes that end with a line break, and where their lines begin. Text is made of them only where it is looked at. */
export interface Block {
  readonly bytes: Uint8Array;
  /** Number of its first line, from 0. */
  readonly firstLine: number;
  readonly starts: Uint32Array;
  /** Numbers of its lines that begin with "+ ": the runner prints each command so before it runs. */
  readonly commands: readonly number[];
}

/** Of a longer line only the two ends are looked at, each of half of this. */
const readBytes = 128 * 1024;
const lineBreak = 10;

/** A part of a log without a gap: whole lines from one that is known, the last one open. Append-only. */
export class LogSegment {
  /** Where it begins in the log, in bytes. */
  readonly offset: number;
  /** Number of the line that begins there, from 0. */
  readonly firstLine: number;
  readonly blocks: Block[] = [];
  #lines = 0;
  #bytes = 0;
  /** What came after the last line break. */
  #open: Uint8Array[] = [];
  #openBytes = 0;

  constructor(offset: number, firstLine: number) {
    this.offset = offset;
    this.firstLine = firstLine;
  }

  get endOffset(): number {
    return this.offset + this.#bytes;
  }

  /** The line after the last one that is here, whole or not. */
  get endLine(): number {
    return this.firstLine + this.#lines + (this.#openBytes > 0 ? 1 : 0);
  }

  holds(line: number): boolean {
    return line >= this.firstLine && line < this.endLine;
  }

  /** Answers the block that the bytes completed. */
  append(bytes: Uint8Array): Block | undefined {
    this.#bytes += bytes.length;
    const end = bytes.lastIndexOf(lineBreak) + 1;
    if (end === 0) {
      this.#keepOpen(bytes);
      return undefined;
    }
    const block = this.#index(join([...this.#open, bytes.subarray(0, end)]));
    this.#open = [];
    this.#openBytes = 0;
    if (end < bytes.length) this.#keepOpen(bytes.subarray(end));
    return block;
  }

  /** Nothing will follow: the last line is whole although no line break ends it. */
  close(): Block | undefined {
    if (this.#openBytes === 0) return undefined;
    const block = this.#index(join([...this.#open, Uint8Array.of(lineBreak)]));
    this.#open = [];
    this.#openBytes = 0;
    return block;
  }

  /** Takes in the part that begins where this one ends. `false` when it does not: then nothing is taken. */
  join(next: LogSegment): boolean {
    if (this.#openBytes > 0 || next.offset !== this.endOffset || next.firstLine !== this.endLine) return false;
    for (const block of next.blocks) this.blocks.push(block);
    this.#lines += next.#lines;
    this.#bytes += next.#bytes;
    this.#open = next.#open;
    this.#openBytes = next.#openBytes;
    return true;
  }

  /** The line as it was written, without its end; of a very long one the two ends. */
  line(number: number): string {
    if (this.#isOpenLine(number)) return this.#openLine();
    const bytes = this.#bytesOf(number);
    if (bytes.length <= readBytes) return decode(bytes);
    return decode(bytes.subarray(0, readBytes / 2)) + decode(bytes.subarray(-readBytes / 2));
  }

  /** How long the line is, without its end. */
  lineSize(number: number): number {
    return this.#isOpenLine(number) ? this.#openBytes : this.#bytesOf(number).length;
  }

  #isOpenLine(number: number): boolean {
    return number === this.firstLine + this.#lines;
  }

  #bytesOf(number: number): Uint8Array {
    const block = this.#blockOf(number);
    if (!block) return new Uint8Array();
    const at = number - block.firstLine;
    const end = (block.starts[at + 1] ?? block.bytes.length) - 1;
    return block.bytes.subarray(block.starts[at], block.bytes[end - 1] === 13 ? end - 1 : end);
  }

  #blockOf(line: number): Block | undefined {
    let [low, high] = [0, this.blocks.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.blocks[middle]?.firstLine ?? 0) <= line) low = middle;
      else high = middle - 1;
    }
    return this.blocks[low];
  }

  #keepOpen(bytes: Uint8Array): void {
    this.#open.push(bytes);
    this.#openBytes += bytes.length;
  }

  #openLine(): string {
    if (this.#openBytes <= readBytes) {
      const whole = join(this.#open);
      this.#open = [whole];
      return decode(whole);
    }
    return decode(ends(this.#open, readBytes / 2)) + decode(ends(this.#open.toReversed(), readBytes / 2, true));
  }

  #index(bytes: Uint8Array): Block {
    const firstLine = this.firstLine + this.#lines;
    const commands: number[] = [];
    let starts = new Uint32Array(Math.max(64, bytes.length >> 5));
    let count = 0;
    let start = 0;
    // The engine's own search is as quick at the first lines that one waits for as at the millionth; a loop is not.
    for (let at = bytes.indexOf(lineBreak); at >= 0; at = bytes.indexOf(lineBreak, start)) {
      if (count === starts.length) {
        const larger = new Uint32Array(starts.length * 2);
        larger.set(starts);
        starts = larger;
      }
      // "+ "
      if (bytes[start] === 43 && bytes[start + 1] === 32) commands.push(firstLine + count);
      starts[count++] = start;
      start = at + 1;
    }
    const block = { bytes, firstLine, starts: starts.slice(0, count), commands };
    this.blocks.push(block);
    this.#lines += count;
    return block;
  }
}

const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

export function decode(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}

function join(parts: readonly Uint8Array[]): Uint8Array {
  const [only] = parts;
  if (parts.length === 1 && only) return only;
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** The first `length` bytes of many parts; `fromEnd`: the parts stand in reverse, and the last bytes are wanted. */
function ends(parts: readonly Uint8Array[], length: number, fromEnd = false): Uint8Array {
  const taken: Uint8Array[] = [];
  let missing = length;
  for (const part of parts) {
    const piece = fromEnd ? part.subarray(Math.max(0, part.length - missing)) : part.subarray(0, missing);
    taken.push(piece);
    missing -= piece.length;
    if (missing <= 0) break;
  }
  return join(fromEnd ? taken.reverse() : taken);
}
