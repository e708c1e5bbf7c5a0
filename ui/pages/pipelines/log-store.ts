import { plainText } from './ansi.ts';

/** A piece of text that ends with a line break, and where its lines begin. */
interface Block {
  readonly text: string;
  readonly firstLine: number;
  readonly starts: Uint32Array;
  /** Whether lines hold escapes or carriage returns, and so read differently than they are written. */
  readonly isPlain: boolean;
}

/** Work on many lines is cut into slices of this length, so that the page goes on answering. */
const sliceMs = 8;
/** What is shown of one line at most. */
export const shownCharacters = 20_000;
const scanDelayMs = 60;
const keptOfOpenLine = 64 * 1024;
const maxErrors = 5_000;

const errorLine =
  /^(?:\x1b\[[0-9;]*m|[ \t])*(?:✗|×|FAIL\b|(?:[A-Z]\w*)?Error:|error(?:\[\w+\])?:|fatal:|panic:|::error|##\[error\])/gm;

/**
 * A log in the browser: text in blocks with an index of its lines, so that a million lines cost little more than their
 * bytes. Append-only. Listeners are told once per frame; search and the list of error lines grow with the lines.
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
  #open: string[] = [];
  #openLength = 0;
  #query: RegExp | undefined;
  #searchedBlocks = 0;
  #scannedBlocks = 0;
  #isScanning = false;
  #isScanDue = false;
  #isSearchRunning = false;
  readonly #listeners = new Set<() => void>();
  #isDue = false;

  /** Lines so far; one that has not ended yet counts. */
  get lineCount(): number {
    return this.#lines + (this.#openLength > 0 ? 1 : 0);
  }

  append(text: string): void {
    if (text === '') return;
    const end = text.lastIndexOf('\n') + 1;
    if (end === 0) this.#keepOpen(text);
    else {
      this.#index(`${this.#open.join('')}${text.slice(0, end)}`);
      this.#open = [];
      this.#openLength = 0;
      if (end < text.length) this.#keepOpen(text.slice(end));
    }
    this.#scanLater();
    void this.#continueSearch();
    this.#tell();
  }

  /** The line as it was written, without its end. `length` is the whole one's, of which a long one shows the beginning. */
  line(number: number): string {
    if (number === this.#lines) return this.#openLine();
    const block = this.#blockOf(number);
    if (!block) return '';
    const at = number - block.firstLine;
    const end = (block.starts[at + 1] ?? block.text.length) - 1;
    return block.text.slice(block.starts[at], block.text.charCodeAt(end - 1) === 13 ? end - 1 : end);
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

  #keepOpen(text: string): void {
    this.#open.push(text);
    this.#openLength += text.length;
  }

  /** Of an open line without end only its two ends are looked at. */
  #openLine(): string {
    if (this.#openLength <= keptOfOpenLine) {
      const whole = this.#open.join('');
      this.#open = [whole];
      return whole;
    }
    const first = this.#open[0] ?? '';
    const last = this.#open.at(-1) ?? '';
    return first.length >= keptOfOpenLine || this.#open.length === 1
      ? first.slice(0, keptOfOpenLine) + last.slice(-keptOfOpenLine)
      : this.#joinOpen();
  }

  #joinOpen(): string {
    let head = '';
    for (const part of this.#open) {
      head += part;
      if (head.length >= keptOfOpenLine) break;
    }
    return head.slice(0, keptOfOpenLine) + (this.#open.at(-1) ?? '').slice(-keptOfOpenLine);
  }

  #index(text: string): void {
    let starts = new Uint32Array(Math.max(64, text.length >> 5));
    let count = 0;
    for (let at = 0; at < text.length; at = text.indexOf('\n', at) + 1) {
      if (count === starts.length) {
        const larger = new Uint32Array(starts.length * 2);
        larger.set(starts);
        starts = larger;
      }
      if (text.charCodeAt(at) === 43 && text.charCodeAt(at + 1) === 32) this.commands.push(this.#lines + count);
      starts[count++] = at;
    }
    this.#blocks.push({
      text,
      firstLine: this.#lines,
      starts: starts.slice(0, count),
      isPlain: !text.includes('\x1b') && !text.includes('\r'),
    });
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

  /** Error lines can wait: what was just loaded is drawn first. */
  #scanLater(): void {
    if (this.#isScanDue || this.#isScanning) return;
    this.#isScanDue = true;
    setTimeout(() => {
      this.#isScanDue = false;
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
      if (block.isPlain) findLines(block, this.#query, this.hits);
      else findInReadLines(block, this.#query, this.hits);
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

/** Adds the numbers of the lines in which `pattern` (global) is found. */
function findLines(block: Block, pattern: RegExp, found: number[]): void {
  let line = 0;
  pattern.lastIndex = 0;
  for (let match = pattern.exec(block.text); match; match = pattern.exec(block.text)) {
    while ((block.starts[line + 1] ?? Number.POSITIVE_INFINITY) <= match.index) line++;
    found.push(block.firstLine + line);
    const next = block.starts[line + 1];
    if (next === undefined) return;
    pattern.lastIndex = next;
  }
}

/** As `findLines`, in what a reader sees of each line. */
function findInReadLines(block: Block, pattern: RegExp, found: number[]): void {
  for (const [i, start] of block.starts.entries()) {
    const line = block.text.slice(start, (block.starts[i + 1] ?? block.text.length) - 1);
    pattern.lastIndex = 0;
    if (pattern.test(plainText(line))) found.push(block.firstLine + i);
  }
}
