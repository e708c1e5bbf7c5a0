import type { LogOutline } from '../../../src/api/pipelines.ts';
import { plainText } from './ansi.ts';
import { type Block, decode, LogSegment } from './log-segment.ts';

/** Work on many lines is cut into slices of this length, so that the page goes on answering. */
const sliceMs = 8;
/** What is shown of one line at most. */
export const shownCharacters = 20_000;
const scanDelayMs = 100;
const longestScanDelayMs = 2_000;
const maxErrors = 5_000;

const errorLine =
  /^(?:\x1b\[[0-9;]*m|[ \t])*(?:✗|×|FAIL\b|(?:[A-Z]\w*)?Error:|error(?:\[\w+\])?:|fatal:|panic:|::error|##\[error\])/gm;

/** A command of the log, as its outline tells of it. */
type Command = LogOutline['commands'][number];

/**
 * A log in the browser: its bytes in blocks with an index of their lines, so that a million lines cost no more than
 * their bytes and one look at each of them. Parts of it may come in any order: what one came to see first, the rest
 * behind it; lines that have not come yet are counted. Lines are numbered from 0. Listeners are told once per frame;
 * search and the list of error lines grow with the lines.
 */
export class LogStore {
  /** Numbers of lines that begin with "+ ", ascending: the runner prints each command so before it runs. */
  commands: number[] = [];
  /** Numbers of lines that hold the searched text, ascending. */
  hits: number[] = [];
  /** Numbers of lines that look like errors, ascending. */
  errors: number[] = [];
  isSearching = false;
  /** Grows whenever something that is shown changed. */
  version = 0;

  /** Parts that are here, in order; the first begins with the log. */
  readonly #segments: LogSegment[] = [new LogSegment(0, 0)];
  #outline: LogOutline | undefined;
  #outlined = new Map<number, Command>();
  #query: RegExp | undefined;
  #unsearched: Block[] = [];
  #unscanned: Block[] = [];
  #isScanning = false;
  #scanWantedAtMs: number | undefined;
  #scanTimer: ReturnType<typeof setTimeout> | undefined;
  #isSearchRunning = false;
  readonly #listeners = new Set<() => void>();
  #isDue = false;

  /** Lines so far; one that has not ended yet counts, and so do those that are known and not here. */
  get lineCount(): number {
    return Math.max(this.#last.endLine, this.#outline?.lines ?? 0);
  }

  /** Where what is here ends, in bytes. */
  get endOffset(): number {
    return this.#last.endOffset;
  }

  get loadedBytes(): number {
    return this.#segments.reduce((sum, { offset, endOffset }) => sum + endOffset - offset, 0);
  }

  get sizeBytes(): number {
    return Math.max(this.endOffset, this.#outline?.sizeBytes ?? 0);
  }

  /** Whether everything that is known of is here. */
  get isWhole(): boolean {
    return this.#segments.length === 1 && this.endOffset >= this.sizeBytes;
  }

  get outline(): LogOutline | undefined {
    return this.#outline;
  }

  /** The first bytes that are missing before others that are here. */
  firstGap(): { readonly from: number; readonly to: number } | undefined {
    const [first, second] = this.#segments;
    return first && second && { from: first.endOffset, to: second.offset };
  }

  /** What the server says about the log as a whole. */
  expect(outline: LogOutline): void {
    this.#outline = outline;
    this.#outlined = new Map(outline.commands.map((command) => [command.line - 1, command]));
    this.#addCommands(outline.commands.map(({ line }) => line - 1));
    this.#tell();
  }

  /** Takes in whole lines from the middle: the bytes stand at `offset`, where the line `firstLine` begins. */
  insert(offset: number, firstLine: number, bytes: Uint8Array): void {
    const before = this.#segments.findLastIndex((segment) => segment.offset <= offset);
    if ((this.#segments[before]?.endOffset ?? 0) < offset && bytes.length > 0)
      this.#segments.splice(before + 1, 0, new LogSegment(offset, firstLine));
    this.put(offset, bytes);
  }

  /** Takes in bytes that stand at `offset`, as far as they are new and nothing is missing before them. */
  put(offset: number, bytes: Uint8Array): void {
    let rest = bytes;
    let at = offset;
    while (rest.length > 0) {
      const index = this.#segments.findLastIndex((segment) => segment.offset <= at);
      const segment = this.#segments[index];
      if (!segment || at > segment.endOffset) return;
      const next = this.#segments[index + 1];
      const fresh = rest.subarray(
        Math.min(rest.length, segment.endOffset - at),
        next === undefined ? undefined : Math.max(0, next.offset - at),
      );
      if (fresh.length > 0) this.#append(segment, fresh);
      if (!next || segment.endOffset < next.offset) return;
      // A part that does not fit was counted from something else: it comes again.
      if (segment.join(next)) this.#tell();
      this.#segments.splice(index + 1, 1);
      const taken = Math.max(0, segment.endOffset - at);
      rest = rest.subarray(Math.min(rest.length, taken));
      at += taken;
    }
  }

  /** Takes in what follows the last byte. */
  append(bytes: Uint8Array): void {
    this.put(this.endOffset, bytes);
  }

  /** Nothing follows: the last line is searched, too, although no line break ends it. */
  close(): void {
    const block = this.#last.close();
    if (block) this.#take(block);
  }

  has(line: number): boolean {
    return this.#segmentOf(line) !== undefined;
  }

  /** Whether all lines from one to another are here. */
  holds(first: number, last: number): boolean {
    return this.#segmentOf(first)?.holds(last) === true;
  }

  /** The line as it was written, without its end; of a very long one the two ends. `undefined` while it is not here. */
  line(number: number): string | undefined {
    return this.#segmentOf(number)?.line(number) ?? this.#outlined.get(number)?.text;
  }

  /** How long the line is, without its end. */
  lineSize(number: number): number {
    return this.#segmentOf(number)?.lineSize(number) ?? 0;
  }

  /** What the outline tells of the command of this line; nothing of one that came later. */
  command(line: number): Command | undefined {
    return this.#outlined.get(line);
  }

  /** Searches all lines, in slices; `hits` grows meanwhile. Letters match whatever their case. */
  search(query: string): void {
    this.#query = query === '' ? undefined : new RegExp(query.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&'), 'gi');
    this.hits = [];
    this.#unsearched = this.#query ? this.#segments.flatMap(({ blocks }) => blocks) : [];
    void this.#continueSearch();
    this.#tell();
  }

  subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** Tells what is new now, not with the next frame: for what one waits to see. */
  tellNow(): void {
    this.version++;
    for (const listener of this.#listeners) listener();
  }

  get #last(): LogSegment {
    const last = this.#segments.at(-1);
    if (!last) throw new Error('A log has no segment');
    return last;
  }

  #segmentOf(line: number): LogSegment | undefined {
    return this.#segments.find((segment) => segment.holds(line));
  }

  #append(segment: LogSegment, bytes: Uint8Array): void {
    const block = segment.append(bytes);
    if (block) this.#take(block);
    this.#tell();
  }

  #take(block: Block): void {
    this.#addCommands(block.commands);
    if (this.#query) this.#unsearched.push(block);
    this.#unscanned.push(block);
    this.#scanLater();
    void this.#continueSearch();
  }

  #addCommands(lines: readonly number[]): void {
    const fresh = lines.filter((line) => !includesSorted(this.commands, line));
    if (fresh.length > 0) this.commands = [...this.commands, ...fresh].sort((a, b) => a - b);
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
    while (this.#unscanned.length > 0 && this.errors.length < maxErrors) {
      await slice.rest();
      const block = this.#unscanned.shift();
      if (block) this.errors = withSorted(this.errors, findLines(block, errorLine));
      if (slice.hasRested) this.#tell();
    }
    this.#unscanned = [];
    this.#isScanning = false;
    this.#tell();
  }

  async #continueSearch(): Promise<void> {
    if (this.#isSearchRunning) return;
    this.#isSearchRunning = true;
    const slice = new Slice();
    while (this.#query && this.#unsearched.length > 0) {
      this.isSearching = true;
      await slice.rest();
      // Another search may have begun while this one rested: it goes on from its own beginning.
      const block = this.#unsearched.shift();
      if (!block || !this.#query) break;
      this.hits = withSorted(this.hits, findReadLines(block, this.#query));
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
      this.tellNow();
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

/** The numbers of the lines in which `pattern` (global) is found, as they are written. */
function findLines(block: Block, pattern: RegExp, text = decode(block.bytes)): number[] {
  const found: number[] = [];
  let line = block.firstLine;
  let lineEnd = text.indexOf('\n');
  pattern.lastIndex = 0;
  for (let match = pattern.exec(text); match; match = pattern.exec(text)) {
    while (lineEnd >= 0 && lineEnd < match.index) {
      lineEnd = text.indexOf('\n', lineEnd + 1);
      line++;
    }
    found.push(line);
    if (lineEnd < 0) break;
    // One hit per line is enough.
    pattern.lastIndex = lineEnd + 1;
  }
  return found;
}

/** As `findLines`, in what a reader sees of each line: escapes and overwritten parts do not count. */
function findReadLines(block: Block, pattern: RegExp): number[] {
  const text = decode(block.bytes);
  if (!text.includes('\x1b') && !text.includes('\r')) return findLines(block, pattern, text);
  const found: number[] = [];
  for (const [i, line] of text.slice(0, -1).split('\n').entries()) {
    pattern.lastIndex = 0;
    if (pattern.test(plainText(line))) found.push(block.firstLine + i);
  }
  return found;
}

/** Adds ascending numbers between which the list has none; at its end in place, as nearly always. */
function withSorted(all: number[], added: readonly number[]): number[] {
  const [first] = added;
  if (first === undefined) return all;
  const at = lowerBound(all, first);
  if (at < all.length) return all.slice(0, at).concat(added, all.slice(at));
  for (const value of added) all.push(value);
  return all;
}

/** Index of the first of these ascending values that is not below `value`. */
export function lowerBound(values: readonly number[], value: number): number {
  let [low, high] = [0, values.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((values[middle] ?? 0) < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

export function includesSorted(values: readonly number[], value: number): boolean {
  return values[lowerBound(values, value)] === value;
}
