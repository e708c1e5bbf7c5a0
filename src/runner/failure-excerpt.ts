import type { FailureExcerpt } from '../core/pipeline.ts';
import { buildAutomaton } from '../engine/masking/mask-automaton.ts';

interface Line {
  readonly number: number;
  readonly text: string;
}

interface Candidate {
  readonly line: number;
  readonly lines: Line[];
}

const linesBefore = 3;
const linesAfter = 4;
const tailLines = 8;
/** A longer line is cut: an excerpt is to be read. */
const maxLineBytes = 2_000;
const maxShownCharacters = 500;

/** How many lines of one piece of output are judged: in a flood of troubled lines the last ones are enough. */
const maxJudged = 64;

/**
 * Where a failure shows itself in a log: the step's own marker, else the last line that names an error, else the last
 * lines. Keeps a few lines in memory, however long the log is, and costs little where nothing is wrong.
 */
export class FailureExcerptFinder {
  /** The last complete lines, oldest first. */
  #recent: Line[] = [];
  #lineNumber = 0;
  /** The line that has not ended yet, as far as it is kept. */
  #open: Buffer[] = [];
  #openBytes = 0;
  #isOpen = false;
  #marked: Candidate | undefined;
  #strong: Candidate | undefined;
  #weak: Candidate | undefined;
  /** Candidates that still want lines after them. */
  #unfilled: Candidate[] = [];
  /** Beginning of the lines that go on about what was told already. */
  #toldPrefix: string | undefined;

  /** Takes the log as it is stored: masked, with the streams in their order. */
  write(bytes: Buffer): void {
    let from = 0;
    if (this.#isOpen) {
      const end = bytes.indexOf(10);
      this.#keepOpen(bytes, 0, end === -1 ? bytes.length : end);
      if (end === -1) return;
      this.#endOpen();
      from = end + 1;
    }
    const last = bytes.lastIndexOf(10);
    if (last >= from) this.#read(new Block(bytes, from, last));
    this.#keepOpen(bytes, Math.max(from, last + 1), bytes.length);
  }

  /** `undefined` when nothing was written. */
  find(): FailureExcerpt | undefined {
    if (this.#isOpen) this.#endOpen();
    const found = this.#marked ?? this.#strong ?? this.#weak;
    if (found) return { line: found.line, lines: found.lines.map(shown) };
    const lines = this.#recent.slice(-tailLines).map(shown);
    const last = lines.findLast(({ text }) => text !== '') ?? lines.at(-1);
    return last && { line: last.number, lines };
  }

  #keepOpen(bytes: Buffer, from: number, to: number): void {
    if (to <= from) return;
    this.#isOpen = true;
    const room = maxLineBytes - this.#openBytes;
    if (room <= 0) return;
    // A copy: what is kept for long must not keep a large buffer with it.
    const part = Buffer.from(bytes.subarray(from, Math.min(to, from + room)));
    this.#open.push(part);
    this.#openBytes += part.length;
  }

  #endOpen(): void {
    const line = this.#open.length === 1 ? this.#open[0]! : Buffer.concat(this.#open);
    this.#open = [];
    this.#openBytes = 0;
    this.#isOpen = false;
    this.#read(new Block(line, 0, line.length));
  }

  #read(block: Block): void {
    const firstNumber = this.#lineNumber + 1;
    this.#lineNumber += block.count;
    const line = (index: number): Line => ({ number: firstNumber + index, text: block.text(index) });

    for (const candidate of this.#unfilled)
      for (let index = 0; index < block.count && !isFilled(candidate); index += 1) candidate.lines.push(line(index));
    if (block.isTroubled()) this.#judge(block, line);
    this.#unfilled = [this.#marked, this.#strong, this.#weak].filter(
      (each): each is Candidate => each !== undefined && !isFilled(each),
    );

    for (let index = Math.max(0, block.count - tailLines); index < block.count; index += 1)
      this.#recent.push(line(index));
    this.#recent = this.#recent.slice(-tailLines);
    if (this.#toldPrefix !== undefined && !this.#recent.at(-1)?.text.startsWith(this.#toldPrefix))
      this.#toldPrefix = undefined;
  }

  /** Backwards: the last line of each weight is the one that counts, and what stands before it need not be looked at. */
  #judge(block: Block, line: (index: number) => Line): void {
    let judged = 0;
    let isMarked = false;
    let isStrong = false;
    let isWeak = false;
    for (let index = block.count - 1; index >= 0; index -= 1) {
      const previous = (): string | undefined => (index > 0 ? block.text(index - 1) : this.#recent.at(-1)?.text);
      if (!isMarked && block.mayBeMarker(index) && isMarker(block.text(index), previous())) {
        isMarked = true;
        this.#marked = this.#candidate(block, index, line);
        continue;
      }
      if (isStrong || judged >= maxJudged || !block.isLineTroubled(index)) continue;
      judged += 1;
      const text = block.text(index);
      const prefix = blockPrefixes.find((each) => text.startsWith(each));
      if (prefix === undefined) {
        const weight = weigh(text);
        if (weight === 'strong') this.#strong = this.#candidate(block, index, line);
        else if (weight === 'weak' && !isWeak) this.#weak = this.#candidate(block, index, line);
        isStrong = weight === 'strong';
        isWeak ||= weight === 'weak';
      } else {
        const told = this.#judgeRun(block, index, prefix, line);
        isStrong = told.isStrong;
        index = told.first;
      }
    }
  }

  /** Lines that one program begins all alike: the first that says something is what the others go on about. */
  #judgeRun(
    block: Block,
    last: number,
    prefix: string,
    line: (index: number) => Line,
  ): { readonly first: number; readonly isStrong: boolean } {
    let first = last;
    while (first > 0 && block.text(first - 1).startsWith(prefix)) first -= 1;
    const isContinued = first === 0 && this.#recent.at(-1)?.text.startsWith(prefix) === true;
    if (isContinued && this.#toldPrefix === prefix) return { first, isStrong: false };
    for (let index = first; index <= last; index += 1) {
      if (weigh(block.text(index)) === undefined) continue;
      this.#strong = this.#candidate(block, index, line);
      if (last === block.count - 1) this.#toldPrefix = prefix;
      return { first, isStrong: true };
    }
    return { first, isStrong: false };
  }

  #candidate(block: Block, index: number, line: (index: number) => Line): Candidate {
    const lines = index < linesBefore ? this.#recent.slice(index - linesBefore) : [];
    for (let at = Math.max(0, index - linesBefore); at < block.count && at <= index + linesAfter; at += 1)
      lines.push(line(at));
    return { line: line(index).number, lines };
  }
}

/** Whole lines of a buffer. */
class Block {
  readonly count: number;
  readonly #bytes: Buffer;
  readonly #starts: number[] = [];
  readonly #end: number;

  /** `end` is where the last line ends: at its newline, or behind its last byte. */
  constructor(bytes: Buffer, from: number, end: number) {
    this.#bytes = bytes;
    this.#end = end;
    for (let at = from; ; ) {
      this.#starts.push(at);
      const next = bytes.indexOf(10, at);
      if (next === -1 || next >= end) break;
      at = next + 1;
    }
    this.count = this.#starts.length;
  }

  text(index: number): string {
    const start = this.#starts[index]!;
    return plainText(this.#bytes.subarray(start, Math.min(this.#endOf(index), start + maxLineBytes)));
  }

  isTroubled(): boolean {
    return hasTrouble(this.#bytes, this.#starts[0]!, this.#end) || this.#beginsTroubled(0);
  }

  isLineTroubled(index: number): boolean {
    return this.#beginsTroubled(index) || hasTrouble(this.#bytes, this.#starts[index]!, this.#endOf(index));
  }

  mayBeMarker(index: number): boolean {
    let at = this.#starts[index]!;
    while (this.#bytes[at] === 32) at += 1;
    return markerBytes.includes(this.#bytes[at] ?? 0);
  }

  /** Lines that say by their first letter what they are: pytest, apt, kotlinc, colours before any of them. */
  #beginsTroubled(index: number): boolean {
    return troubledBytes.includes(this.#bytes[this.#starts[index]!] ?? 0);
  }

  #endOf(index: number): number {
    return index + 1 < this.count ? this.#starts[index + 1]! - 1 : this.#end;
  }
}

const blockPrefixes = ['npm error', 'npm ERR!', '[ERROR]'];
const markerBytes = Buffer.from(':#+^');
const troubledBytes = Buffer.from('Ee:#+^\u001b');

function isFilled({ line, lines }: Candidate): boolean {
  return lines.at(-1)!.number >= line + linesAfter;
}

function shown({ number, text }: Line): Line {
  return { number, text: text.length > maxShownCharacters ? `${text.slice(0, maxShownCharacters)}…` : text };
}

/** Without escapes; of a line that was drawn over itself, its last state. */
function plainText(bytes: Buffer): string {
  const text = bytes.toString('utf8').replace(/\r+$/, '');
  const last = text.slice(text.lastIndexOf('\r') + 1);
  // biome-ignore format: one alternative per kind of escape
  return last
    .replace(/\u001b\][^\u0007\u001b]*(?:\u0007|\u001b\\)?|\u001b\[[0-9;:?]*[ -/]*[@-~]|\u001b[@-Z\\^_]|[\u0000-\u0008\u000b-\u001f\u007f]/g, '');
}

/** The step's own word: workflow commands of GitHub and Azure, Buildkite's group that is to be open. */
const markers = [/^\s*(?:::error\b|##\[error\])/, /^\+\+\+ (?!b\/|\/dev\/null)/, /^\^\^\^ \+\+\+/];

/** Summaries and what tools say of each other's failures: true, and of no help. */
const noise = [
  /\b0 (?:errors?|failures?|failed)\b/i,
  /^\s*npm (?:ERR!|error) (?:code|errno|path|command|signal|syscall|cwd|lifecycle|workspace|location|A complete log|Lifecycle script|in workspace|at location|This is probably not|Exit status|Test failed|Failed at the|[\w@/.-]+@\S+ \w+: `|\s*$)/,
  /^\s*npm (?:ERR!|error)\s*$/,
  /^\S*make(?:\[\d+\])?: \*\*\* \[.*\] Error \d+/,
  /^make(?:\[\d+\])?: \*\*\* Waiting for unfinished/,
  /\bexit(?:ed with)?(?: code| status)?:? \d+\.?$/i,
  /^\s*(?:error: )?Command failed with exit code \d+/i,
  /^error: (?:could not compile|aborting due to|test failed, to rerun|\d+ targets? failed|doctest failed)/,
  /^For more information about (?:this|an) error/,
  /^Some errors have detailed explanations/,
  /^\[ERROR\] (?:-> \[Help|To see the full|Re-run Maven|For more information|After correcting|\s*mvn )/,
  /^\[ERROR\]\s*(?:\[Help \d\].*)?$/,
  /^\[ERROR\] (?:COMPILATION ERROR|Failures:|Errors:|Tests run:|There are test failures|Failed to execute goal|Please refer to)/,
  /^(?:FAILURE: Build failed|BUILD FAILED|BUILD FAILURE|Build FAILED)/,
  /^\* (?:Try|Get more help|What went wrong)/,
  /^> (?:Run with|Get more help)/,
  /^✖ \d+ problems?/,
  /^Finished in \d+/,
  /^(?:Aborted|Killed)(?: \(core dumped\))?$/,
  /\bld returned 1 exit status/,
  /^Found \d+ errors?/,
  /^\s*\d+ (?:Error|Warning)\(s\)/,
  /^\s*(?:Tests?|Test Files|Test Suites|Suites|Errors)(?::| ) .*\b\d+ (?:failed|error)/,
  /^=+ .*\b(?:failed|error).* =+$/,
  /^=+ (?:ERRORS|FAILURES|short test summary info) =+$/,
  /^_+ .* _+$/,
  /^ℹ (?:fail|pass) \d+/,
  /^# fail \d+/,
  /^FAIL\s*$/,
  /^FAIL\t\S+\t[\d.]+s$/,
  /^(?:FAILED|failures:|Failures:|errors:|Failed examples:)\s*$/,
  /^test result: FAILED/,
  /^\d+ examples?, \d+ failures?/,
  /^Tests: \d+, /,
  /^\s+at .*\(?.*:\d+:\d+\)?$/,
  /^(?:info|debug|warn(?:ing)?)\b[:\s]/i,
  /^\s*\^+\s*$/,
  /\bnon-fatal\b/i,
  /^\+ /,
  /^tar: (?:Child returned|Error is not recoverable|Exiting with)/,
  /^tar \(child\): Error is not/,
  /^npm error Test failed/,
];

/** What is an error beyond doubt: by the form that compilers, test runners and shells give it. */
const strong = [
  /^\s*(?:Uncaught |Unhandled |Caused by: )?(?:[\w$]+[.:]+)*[A-Z][\w$]*(?:Error|Exception|Failure|Fault)\b(?:\s*\[[^\]]*\])?(?:: |:$|$| \()/,
  /^E {2,}\S/,
  /^(?:FAILED|ERROR) \S+\.py(?:::|\s)/,
  /\berror(?:\[\w+\]|\s+[A-Z]{1,5}\d{2,5})?: ?\S/i,
  /^\S+\.\w{1,5}[:(]\d+(?:[:,]\d+)?\)?:? (?!\s*(?:warning|note|info|in ))/,
  /^\s*\d+:\d+\s+error\s/,
  /^\s*--- FAIL: /,
  /^\s*(?:FAIL|×|✗|✕|✖)\s+\S/,
  /^\s*● (?!Console)\S/,
  /^not ok \d+/,
  /^(?:panic|fatal|Fatal|FATAL)(?: error| ERROR)?[:\s]\s*\S/,
  /^thread '.*' (?:\(\d+\) )?panicked at/,
  /^PHP (?:Fatal|Parse) error/,
  /^(?:│ )?Error: \S/,
  /^Error from server/,
  /^\s+[x✖] [\w@/-]+\([\w@/-]+\): /,
  /^\s*npm (?:ERR!|error) \S/,
  /^\[ERROR\] \S/,
  /^ERROR:? \S/,
  /^e: \S/,
  /^\S*make(?:\[\d+\])?: \*\*\* (?!\[)/,
  /: (?:line )?\d*:? ?\S*:? ?(?:command )?not found$/,
  /: (?:No such file or directory|Permission denied|cannot execute|Is a directory|Text file busy|No space left on device)\b/,
  /\b(?:Segmentation fault|Bus error|Illegal instruction|core dumped|Out of memory|heap out of memory)\b/,
  /^\s*Failure\/Error: /,
  /^(?:curl|wget|ssh|scp|tar|cp|mv|rm|git|docker|E): (?:\(\d+\) )?\S/,
  /^E: \S/,
  /\b(?:undefined reference to|cannot find -l|ld returned 1)/,
  /^(?:\S+ )?(?:AssertionError|assertion failed|Assertion failed|assert(?:ion)? .* failed)/i,
  /^Traceback \(most recent call last\)/,
];

const weak = [
  /\b(?:error|fail(?:ed|ure|ing)?|fatal|exception|panic(?:ked)?|cannot|could not|unable to|denied|refused|timed? ?out|abort(?:ed)?)\b/i,
];

/** A traceback's first line is only where it begins: what it is about stands at its end. */
const opening = /^Traceback /;

/** A diff's header looks like Buildkite's marker. */
function isMarker(text: string, previous: string | undefined): boolean {
  if (text.startsWith('+++ ') && text[4] !== ':' && previous?.startsWith('--- ')) return false;
  return markers.some((pattern) => pattern.test(text));
}

function weigh(text: string): 'strong' | 'weak' | undefined {
  if (text.length < 3 || noise.some((pattern) => pattern.test(text))) return undefined;
  if (opening.test(text)) return 'weak';
  if (strong.some((pattern) => pattern.test(text))) return 'strong';
  return weak.some((pattern) => pattern.test(text)) ? 'weak' : undefined;
}

/** Parts of words without which none of the patterns above can match; the search leaps over everything else. */
// biome-ignore format: a table of words
const trouble = [
  'rror', 'RROR', 'fail', 'Fail', 'FAIL', 'atal', 'ATAL', 'xcep', 'XCEP', 'anic', 'ANIC', 'Faul', 'faul', 'bort',
  'not found', 'No such', 'No space', 'enied', 'annot', 'ould not', 'nable to', 'efused', 'imed out', 'imeout',
  'Killed', 'core dumped', 'ut of mem', 'llegal inst', 'undefined ref', 'ssert', 'Traceback', 'eslint(', 'not ok ', '::error',
  '##[error]', '\n+++ ', '^^^ +++', '\nE   ', '\nE: ', '\ne: ', '● ', '× ', '✗ ', '✕ ', '✖ ', '*** ', 'curl: ',
  'wget: ', 'undefined: ', 'declared and not', 'imported and not', 'missing return', 'git: ', 'ssh: ', 'tar: ', 'ocker: ', 'Is a dir', 'file busy',
].map((part) => Buffer.from(part));
const troubleAutomaton = buildAutomaton(trouble, []);

function hasTrouble(bytes: Buffer, from: number, to: number): boolean {
  const { matchBytes, mayBegin, next, skip } = troubleAutomaton;
  const lastWindow = to - 4;
  let state = 0;
  let at = from;
  while (at < to) {
    if (state === 0) {
      while (at <= lastWindow) {
        const leap = skip[(bytes[at + 2]! << 8) | bytes[at + 3]!]!;
        if (leap !== 0) at += leap;
        else if (mayBegin[(bytes[at]! << 8) | bytes[at + 1]!] === 0) at += 1;
        else break;
      }
      if (at >= to) break;
    }
    state = next(state, bytes[at]!);
    at += 1;
    if (matchBytes[state] !== 0) return true;
  }
  return false;
}
