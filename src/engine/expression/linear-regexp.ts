import { type CodePointSet, caseVariants } from './code-point-set.ts';
import { parseRegexp, type RegexpAssertion, RegexpError, type RegexpNode } from './parse-regexp.ts';

/** Largest program, after counted repetitions are written out; also the work of writing it. */
const maxProgramSize = 10_000;

/** What finding and comparing the case variants of a character costs, in states that take about as long. */
const variantsCost = 20;
const variantCost = 4;

/** States that are looked at between two reports of the work. */
const statesPerReport = 1_000;

type Instruction =
  /** Takes one character and goes on with the next instruction. */
  | { readonly kind: 'take'; readonly set: CodePointSet }
  /** Goes on with the next instruction and with another. */
  | { readonly kind: 'fork'; to: number }
  | { readonly kind: 'jump'; to: number }
  /** Goes on with the next instruction where the condition holds. */
  | { readonly kind: 'assert'; readonly assertion: RegexpAssertion }
  | { readonly kind: 'match' };

/**
 * A regular expression whose matching takes at most program × text: all ways through it are followed at once and none
 * is tried twice (Thompson's construction), so that no pattern and no text can make the time explode.
 */
export class LinearRegexp {
  readonly #program: readonly Instruction[];

  /** Throws a RegexpError, which names the part that is malformed or not supported. */
  constructor(pattern: string) {
    this.#program = new ProgramWriter().write(parseRegexp(pattern));
  }

  /** How many instructions it has. */
  get size(): number {
    return this.#program.length;
  }

  /**
   * Whether any part of the text matches. `spend` hears how many states were looked at since it was last called, and may
   * throw to end the matching.
   */
  test(text: string, spend: (states: number) => void): boolean {
    const run = new RegexpRun(this.#program, spend);
    let before = -1;
    for (let at = 0; at <= text.length; ) {
      const next = text.codePointAt(at) ?? -1;
      if (run.enter(before, next)) return true;
      if (next < 0) break;
      run.take(next);
      before = next;
      at += next > 0xffff ? 2 : 1;
    }
    run.report();
    return false;
  }
}

/** The states that one search is in while it walks over the text. */
class RegexpRun {
  readonly #program: readonly Instruction[];
  readonly #spend: (states: number) => void;
  /** For each instruction the last place at which it was entered. */
  readonly #enteredAt: Int32Array;
  #place = 0;
  /** Instructions to enter at this place, without what follows from them. */
  #pending: number[] = [];
  #waiting: number[] = [];
  #states = 0;

  constructor(program: readonly Instruction[], spend: (states: number) => void) {
    this.#program = program;
    this.#spend = spend;
    this.#enteredAt = new Int32Array(program.length).fill(-1);
  }

  /** Enters all states of a place between two characters, -1 for none there; true when one is the end of a match. */
  enter(before: number, next: number): boolean {
    const open = this.#pending;
    open.push(0); // a match may begin anywhere
    this.#waiting = [];
    for (let index = open.pop(); index !== undefined; index = open.pop()) {
      if (this.#enteredAt[index] === this.#place) continue;
      this.#enteredAt[index] = this.#place;
      this.#states += 1;
      const instruction = this.#program[index];
      switch (instruction?.kind) {
        case 'take':
          this.#waiting.push(index);
          break;
        case 'fork':
          open.push(index + 1, instruction.to);
          break;
        case 'jump':
          open.push(instruction.to);
          break;
        case 'assert':
          if (holds(instruction.assertion, before, next)) open.push(index + 1);
          break;
        case 'match':
          this.report();
          return true;
      }
    }
    this.#place += 1;
    if (this.#states >= statesPerReport) this.report();
    return false;
  }

  /** Goes over one character. */
  take(codePoint: number): void {
    let variants: readonly number[] | undefined;
    for (const index of this.#waiting) {
      const instruction = this.#program[index];
      if (instruction?.kind !== 'take') continue;
      const { set } = instruction;
      if (codePoint < 128 || !set.ignoresCase) {
        if (set.has(codePoint)) this.#pending.push(index + 1);
        continue;
      }
      if (!variants) {
        variants = caseVariants(codePoint);
        this.#states += variantsCost;
      }
      this.#states += variantCost;
      if (set.hasVariant(variants)) this.#pending.push(index + 1);
    }
  }

  report(): void {
    this.#spend(this.#states);
    this.#states = 0;
  }
}

function holds(assertion: RegexpAssertion, before: number, next: number): boolean {
  switch (assertion) {
    case 'text-start':
      return before < 0;
    case 'text-end':
      return next < 0;
    case 'line-start':
      return before < 0 || before === 0x0a;
    case 'line-end':
      return next < 0 || next === 0x0a;
    case 'word-edge':
      return isWordCharacter(before) !== isWordCharacter(next);
    case 'no-word-edge':
      return isWordCharacter(before) === isWordCharacter(next);
  }
}

/** ASCII letters, digits and the underscore, as in RE2. */
function isWordCharacter(codePoint: number): boolean {
  return (
    (codePoint >= 0x30 && codePoint <= 0x39) ||
    (codePoint >= 0x41 && codePoint <= 0x5a) ||
    (codePoint >= 0x61 && codePoint <= 0x7a) ||
    codePoint === 0x5f
  );
}

class ProgramWriter {
  readonly #program: Instruction[] = [];
  #work = 0;

  write(node: RegexpNode): readonly Instruction[] {
    this.#writeNode(node);
    this.#program.push({ kind: 'match' });
    return this.#program;
  }

  #writeNode(node: RegexpNode): void {
    // Counts nodes too: repetitions of nothing write no instruction and would go on for ever all the same.
    this.#work += 1;
    if (this.#work > maxProgramSize) throw new RegexpError('is too large when its repetitions are written out');
    switch (node.kind) {
      case 'set':
        this.#program.push({ kind: 'take', set: node.set });
        break;
      case 'assertion':
        this.#program.push({ kind: 'assert', assertion: node.assertion });
        break;
      case 'sequence':
        for (const part of node.parts) this.#writeNode(part);
        break;
      case 'choice':
        this.#writeChoice(node.parts);
        break;
      case 'repeat':
        this.#writeRepeat(node.node, node.least, node.most);
        break;
    }
  }

  #writeChoice(parts: readonly RegexpNode[]): void {
    const ends: { to: number }[] = [];
    for (const [index, part] of parts.entries()) {
      if (index === parts.length - 1) {
        this.#writeNode(part);
        break;
      }
      const fork = this.#push({ kind: 'fork', to: 0 });
      this.#writeNode(part);
      ends.push(this.#push({ kind: 'jump', to: 0 }));
      fork.to = this.#program.length;
    }
    for (const end of ends) end.to = this.#program.length;
  }

  #writeRepeat(node: RegexpNode, least: number, most: number | undefined): void {
    for (let count = 0; count < least; count += 1) this.#writeNode(node);
    if (most === undefined) {
      const start = this.#program.length;
      const fork = this.#push({ kind: 'fork', to: 0 });
      this.#writeNode(node);
      this.#push({ kind: 'jump', to: start });
      fork.to = this.#program.length;
      return;
    }
    const forks: { to: number }[] = [];
    for (let count = least; count < most; count += 1) {
      forks.push(this.#push({ kind: 'fork', to: 0 }));
      this.#writeNode(node);
    }
    for (const fork of forks) fork.to = this.#program.length;
  }

  #push<T extends Instruction>(instruction: T): T {
    this.#program.push(instruction);
    return instruction;
  }
}
