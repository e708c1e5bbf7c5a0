import type { FailureExcerpt } from '../core/pipeline.ts';
import { buildAutomaton } from './mask-automaton.ts';

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

/**
 * Where a failure shows itself in a log: the step's own marker, else the last line that names an error, else the last
 * lines. Keeps a few lines in memory, however long the log is.
 */
export class FailureExcerptFinder {
  /** The last complete lines, oldest first. */
  #recent: Line[] = [];
  #lineNumber = 0;
  /** The line that has not ended yet, as far as it is kept. */
  #open: Buffer[] = [];
  #openBytes = 0;
  #marked: Candidate | undefined;
  #strong: Candidate | undefined;
  #weak: Candidate | undefined;
  /** Candidates that still want lines after them. */
  #unfilled: Candidate[] = [];
  /** Within lines that one program begins all alike: the first that says something is what it is about. */
  #block: { readonly prefix: string; hasCandidate: boolean } | undefined;

  /** Takes the log as it is stored: masked, with the streams in their order. */
  write(bytes: Buffer): void {
    // Lines are looked at one by one only where a word of trouble is near: most output has none.
    const isTroubled = hasTrouble(bytes) || this.#openBytes > 0 || this.#unfilled.length > 0;
    if (isTroubled) this.#readLines(bytes, 0);
    else this.#skipLines(bytes);
  }

  /** `undefined` when nothing was written. */
  find(): FailureExcerpt | undefined {
    if (this.#openBytes > 0) this.#endLine();
    const found = this.#marked ?? this.#strong ?? this.#weak;
    if (found) return { line: found.line, lines: found.lines.map(shown) };
    const lines = this.#recent.slice(-tailLines).map(shown);
    const last = lines.findLast(({ text }) => text !== '') ?? lines.at(-1);
    return last && { line: last.number, lines };
  }

  #readLines(bytes: Buffer, start: number): void {
    let from = start;
    for (let at = bytes.indexOf(10, from); at !== -1; at = bytes.indexOf(10, from)) {
      this.#keepOpen(bytes, from, at);
      this.#endLine();
      from = at + 1;
    }
    this.#keepOpen(bytes, from, bytes.length);
  }

  /** Counts the lines and reads but the last ones. */
  #skipLines(bytes: Buffer): void {
    let before = bytes.length;
    // Node takes a negative offset as one from the end.
    for (let count = 0; count <= tailLines && before >= 0; count += 1)
      before = before === 0 ? -1 : bytes.lastIndexOf(10, before - 1);
    const tail = before + 1;
    for (let at = bytes.indexOf(10); at !== -1 && at < tail; at = bytes.indexOf(10, at + 1)) this.#lineNumber += 1;
    this.#readLines(bytes, tail);
  }

  #keepOpen(bytes: Buffer, from: number, to: number): void {
    const room = maxLineBytes - this.#openBytes;
    if (to <= from || room <= 0) return;
    const part = bytes.subarray(from, Math.min(to, from + room));
    // A copy: what is kept for long must not keep a large buffer with it.
    this.#open.push(Buffer.from(part));
    this.#openBytes += part.length;
  }

  #endLine(): void {
    this.#lineNumber += 1;
    const text = plainText(this.#open.length === 1 ? this.#open[0]! : Buffer.concat(this.#open));
    this.#open = [];
    this.#openBytes = 0;
    this.#consider({ number: this.#lineNumber, text });
  }

  #consider(line: Line): void {
    for (const candidate of this.#unfilled) candidate.lines.push(line);
    if (this.#unfilled.length > 0) this.#unfilled = this.#unfilled.filter((candidate) => !isFilled(candidate));

    const weight = weigh(line.text, this.#recent.at(-1)?.text);
    if (weight && !this.#isTold(line.text)) {
      const candidate: Candidate = { line: line.number, lines: [...this.#recent.slice(-linesBefore), line] };
      if (weight === 'marked') this.#marked = candidate;
      else if (weight === 'strong') this.#strong = candidate;
      else this.#weak = candidate;
      this.#unfilled = [this.#marked, this.#strong, this.#weak].filter(
        (each): each is Candidate => each !== undefined && !isFilled(each),
      );
    }
    if (this.#block && !line.text.startsWith(this.#block.prefix)) this.#block = undefined;
    this.#recent.push(line);
    if (this.#recent.length > tailLines) this.#recent.shift();
  }

  /** Whether the line only goes on about what the first of its block has told. */
  #isTold(text: string): boolean {
    const prefix = blockPrefixes.find((each) => text.startsWith(each));
    if (prefix === undefined) return false;
    if (this.#block?.prefix === prefix && this.#block.hasCandidate) return true;
    this.#block = { prefix, hasCandidate: true };
    return false;
  }
}

const blockPrefixes = ['npm error', 'npm ERR!', '[ERROR]'];

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
  /^(?:panic|fatal|Fatal|FATAL)(?: error)?[:\s]\S/,
  /^thread '.*' (?:\(\d+\) )?panicked at/,
  /^PHP (?:Fatal|Parse) error/,
  /^(?:│ )?Error: \S/,
  /^Error from server/,
  /^\s*npm (?:ERR!|error) \S/,
  /^\[ERROR\] \S/,
  /^ERROR:? \S/,
  /^e: \S/,
  /^Execution failed for task/,
  /^\S*make(?:\[\d+\])?: \*\*\* (?!\[)/,
  /: (?:line )?\d*:? ?\S*:? ?(?:command )?not found$/,
  /: (?:No such file or directory|Permission denied|cannot execute|Is a directory|Text file busy|No space left on device)\b/,
  /\b(?:Segmentation fault|Bus error|Illegal instruction|Aborted|Killed|core dumped|Out of memory|heap out of memory)\b/,
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

function weigh(text: string, previous: string | undefined): 'marked' | 'strong' | 'weak' | undefined {
  if (text.length < 3) return undefined;
  if (markers.some((pattern) => pattern.test(text))) {
    // A diff's header looks like Buildkite's marker.
    if (!(text.startsWith('+++ ') && previous?.startsWith('--- '))) return 'marked';
  }
  if (noise.some((pattern) => pattern.test(text))) return undefined;
  if (opening.test(text)) return 'weak';
  if (strong.some((pattern) => pattern.test(text))) return 'strong';
  return weak.some((pattern) => pattern.test(text)) ? 'weak' : undefined;
}

/** Parts of words without which none of the patterns above can match; the search leaps over everything else. */
// biome-ignore format: a table of words
const trouble = [
  'rror', 'RROR', 'fail', 'Fail', 'FAIL', 'atal', 'ATAL', 'xcep', 'XCEP', 'anic', 'ANIC', 'Faul', 'faul', 'bort',
  'not found', 'No such', 'No space', 'enied', 'annot', 'ould not', 'nable to', 'efused', 'imed out', 'imeout',
  'Killed', 'core dumped', 'ut of mem', 'llegal inst', 'undefined ref', 'ssert', 'Traceback', 'not ok ', '::error',
  '##[error]', '\n+++ ', '^^^ +++', '\nE   ', '\nE: ', '\ne: ', '● ', '× ', '✗ ', '✕ ', '✖ ', '*** ', 'curl: ',
  'wget: ', 'git: ', 'ssh: ', 'tar: ', 'ocker: ', 'Is a dir', 'file busy',
].map((part) => Buffer.from(part));
const troubleAutomaton = buildAutomaton(trouble, []);
/** `main.go:5:2: …`: a place in a file says so without a word. */
const place = /\.\w{1,5}[:(]\d+[:,]\d+/;

function hasTrouble(bytes: Buffer): boolean {
  const { matchBytes, mayBegin, next, skip } = troubleAutomaton;
  const lastWindow = bytes.length - 4;
  let state = 0;
  let at = 0;
  while (at < bytes.length) {
    if (state === 0) {
      while (at <= lastWindow) {
        const leap = skip[(bytes[at + 2]! << 8) | bytes[at + 3]!]!;
        if (leap !== 0) at += leap;
        else if (mayBegin[(bytes[at]! << 8) | bytes[at + 1]!] === 0) at += 1;
        else break;
      }
      if (at >= bytes.length) break;
    }
    state = next(state, bytes[at]!);
    at += 1;
    if (matchBytes[state] !== 0) return true;
  }
  return place.test(bytes.toString('latin1')) || bytes.subarray(0, 4).toString() === '+++ ';
}
