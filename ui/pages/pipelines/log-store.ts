import { plainText } from './ansi.ts';

/** Bytes that end with a line break, and where their lines begin. Text is made of them only where it is looked at. */
interface Block {
  readonly bytes: Uint8Array;
  readonly firstLine: number;
  readonly starts: Uint32Array;
}

/** Work on many lines is cut into slices of this length, so that the page goes on answering. */
const sliceMs = 8;
/** What is shown of one line at most. */
export const shownCharacters = 20_000;
const scanDelayMs = 100;
const longestScanDelayMs = 2_000;
/** Of a longer line only the two ends are looked at, each of half of this. */
const readBytes = 128 * 1024;
const lineBreak = 10;
const maxErrors = 5_000;

const errorLine =
  /^(?:\x1b\[[0-9;]*m|[ \t])*(?:✗|×|FAIL\b|(?:[A-Z]\w*)?Error:|error(?:\[\w+\])?:|fatal:|panic:|::error|##\[error\])/gm;

/**
 * A log in the browser: its bytes in blocks with an index of their lines, so that a million lines cost no more than
 * their bytes and one look at each of them. Append-only. Listeners are told once per frame; search and the list of error lines grow with the lines.
 */
export class LogStore {
  /** Numbers (from 0) of lines that begin with "+ ": the runner prints each command so before it runs. */
  readonly commands: number[] = [];
  /** Numbers of lines that hold the searched text, ascending. */
  hits: number[] = [];
  /** Numbers of lines that look like errors, ascending. */
  readonly errors: number[] = [];
  isSearching = false;
  /** Grows whenever something that is shown changed. */
  version = 0;

  readonly #blocks: Block[] = [];
  #lines = 0;
  /** What came after the last line break. */
  #open: Uint8Array[] = [];
  #openBytes = 0;
  #query: RegExp | undefined;
  #searchedBlocks = 0;
  #scannedBlocks = 0;
  #isScanning = false;
  #scanWantedAtMs: number | undefined;
  #scanTimer: ReturnType<typeof setTimeout> | undefined;
  #isSearchRunning = false;
  readonly #listeners = new Set<() => void>();
  #isDue = false;

  /** Lines so far; one that has not ended yet counts. */
  get lineCount(): number {
    return this.#lines + (this.#openBytes > 0 ? 1 : 0);
  }

  append(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    const end = bytes.lastIndexOf(lineBreak) + 1;
    if (end === 0) this.#keepOpen(bytes);
    else {
      this.#index(join([...this.#open, bytes.subarray(0, end)]));
      this.#open = [];
      this.#openBytes = 0;
      if (end < bytes.length) this.#keepOpen(bytes.subarray(end));
    }
    this.#scanLater();
    void this.#continueSearch();
    this.#tell();
  }

  /** The line as it was written, without its end; of a very long one the two ends. */
  line(number: number): string {
    if (number === this.#lines) return this.#openLine();
    const bytes = this.#bytesOf(number);
    if (bytes.length <= readBytes) return decode(bytes);
    return decode(bytes.subarray(0, readBytes / 2)) + decode(bytes.subarray(-readBytes / 2));
  }

  /** How long the line is, without its end. */
  lineSize(number: number): number {
    return number === this.#lines ? this.#openBytes : this.#bytesOf(number).length;
  }

  /** Searches all lines, in slices; `hits` grows meanwhile. Letters match whatever their case. */
  search(query: string): void {
    this.#query = query === '' ? undefined : new RegExp(query.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&'), 'gi');
    this.hits = [];
    this.#searchedBlocks = 0;
    void this.#continueSearch();
    this.#tell();
  }

  subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  #bytesOf(number: number): Uint8Array {
    const block = this.#blockOf(number);
    if (!block) return new Uint8Array();
    const at = number - block.firstLine;
    const end = (block.starts[at + 1] ?? block.bytes.length) - 1;
    return block.bytes.subarray(block.starts[at], block.bytes[end - 1] === 13 ? end - 1 : end);
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

  #index(bytes: Uint8Array): void {
    let starts = new Uint32Array(Math.max(64, bytes.length >> 5));
    let count = 0;
    let start = 0;
    // A plain loop: a call per line costs more than looking at its bytes.
    for (let at = 0; at < bytes.length; at++) {
      if (bytes[at] !== lineBreak) continue;
      if (count === starts.length) {
        const larger = new Uint32Array(starts.length * 2);
        larger.set(starts);
        starts = larger;
      }
      // "+ "
      if (bytes[start] === 43 && bytes[start + 1] === 32) this.commands.push(this.#lines + count);
      starts[count++] = start;
      start = at + 1;
    }
    this.#blocks.push({ bytes, firstLine: this.#lines, starts: starts.slice(0, count) });
    this.#lines += count;
  }

  #blockOf(line: number): Block | undefined {
    let [low, high] = [0, this.#blocks.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.#blocks[middle]?.firstLine ?? 0) <= line) low = middle;
      else high = middle - 1;
    }
    return this.#blocks[low];
  }

  /** Error lines can wait until loading pauses: what was just loaded is drawn first. */
  #scanLater(): void {
    const now = performance.now();
    this.#scanWantedAtMs ??= now;
    if (now - this.#scanWantedAtMs > longestScanDelayMs) return;
    clearTimeout(this.#scanTimer);
    this.#scanTimer = setTimeout(() => {
      this.#scanWantedAtMs = undefined;
      void this.#scanErrors();
    }, scanDelayMs);
  }

  async #scanErrors(): Promise<void> {
    if (this.#isScanning) return;
    this.#isScanning = true;
    const slice = new Slice();
    while (this.#scannedBlocks < this.#blocks.length && this.errors.length < maxErrors) {
      await slice.rest();
      const block = this.#blocks[this.#scannedBlocks++];
      if (block) findLines(block, errorLine, this.errors);
      if (slice.hasRested) this.#tell();
    }
    this.#isScanning = false;
    this.#tell();
  }

  async #continueSearch(): Promise<void> {
    if (this.#isSearchRunning) return;
    this.#isSearchRunning = true;
    const slice = new Slice();
    while (this.#query && this.#searchedBlocks < this.#blocks.length) {
      this.isSearching = true;
      await slice.rest();
      // Another search may have begun while this one rested: it goes on from its own beginning.
      const block = this.#blocks[this.#searchedBlocks++];
      if (!block || !this.#query) break;
      findReadLines(block, this.#query, this.hits);
      if (slice.hasRested) this.#tell();
    }
    this.isSearching = false;
    this.#isSearchRunning = false;
    this.#tell();
  }

  #tell(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    requestAnimationFrame(() => {
      this.#isDue = false;
      this.version++;
      for (const listener of this.#listeners) listener();
    });
  }
}

/** Long work that lets the page answer in between. */
class Slice {
  hasRested = false;
  #since = performance.now();

  async rest(): Promise<void> {
    this.hasRested = performance.now() - this.#since > sliceMs;
    if (!this.hasRested) return;
    await new Promise((resume) => setTimeout(resume));
    this.#since = performance.now();
  }
}

/** Adds the numbers of the lines in which `pattern` (global) is found, as they are written. */
function findLines(block: Block, pattern: RegExp, found: number[], text = decode(block.bytes)): void {
  let line = block.firstLine;
  let lineEnd = text.indexOf('\n');
  pattern.lastIndex = 0;
  for (let match = pattern.exec(text); match; match = pattern.exec(text)) {
    while (lineEnd >= 0 && lineEnd < match.index) {
      lineEnd = text.indexOf('\n', lineEnd + 1);
      line++;
    }
    found.push(line);
    if (lineEnd < 0) return;
    // One hit per line is enough.
    pattern.lastIndex = lineEnd + 1;
  }
}

/** As `findLines`, in what a reader sees of each line: escapes and overwritten parts do not count. */
function findReadLines(block: Block, pattern: RegExp, found: number[]): void {
  const text = decode(block.bytes);
  if (!text.includes('\x1b') && !text.includes('\r')) {
    findLines(block, pattern, found, text);
    return;
  }
  for (const [i, line] of text.slice(0, -1).split('\n').entries()) {
    pattern.lastIndex = 0;
    if (pattern.test(plainText(line))) found.push(block.firstLine + i);
  }
}

const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

function decode(bytes: Uint8Array): string {
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
