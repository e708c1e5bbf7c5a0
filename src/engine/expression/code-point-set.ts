/** First and last code point, both included. */
export type CodePointRange = readonly [first: number, last: number];

const lastCodePoint = 0x10ffff;

/**
 * Letters that share their case-less form with a letter from which neither `toLowerCase` nor `toUpperCase` leads to
 * them (Unicode CaseFolding.txt, status C and S), by that form.
 */
const furtherVariants: ReadonlyMap<string, string> = new Map([
  ['k', '\u212a'],
  ['s', '\u017f'],
  ['å', '\u212b'],
  ['ß', '\u1e9e'],
  ['β', '\u03d0'],
  ['ε', '\u03f5'],
  ['θ', '\u03d1\u03f4'],
  ['ι', '\u0345\u1fbe'],
  ['κ', '\u03f0'],
  ['μ', '\u00b5'],
  ['π', '\u03d6'],
  ['ρ', '\u03f1'],
  ['σ', '\u03c2'],
  ['φ', '\u03d5'],
  ['ω', '\u2126'],
  ['ṡ', '\u1e9b'],
  ['ǆ', '\u01c5'],
  ['ǉ', '\u01c8'],
  ['ǌ', '\u01cb'],
  ['ǳ', '\u01f2'],
]);

/** Characters of which a regular expression takes one. */
export class CodePointSet {
  /** Then `hasVariant` must be asked about what is not ASCII. */
  readonly ignoresCase: boolean;
  readonly #ranges: readonly CodePointRange[];
  readonly #isNegated: boolean;
  readonly #ascii = new Uint8Array(128);

  constructor(
    ranges: readonly CodePointRange[],
    options: { readonly isNegated?: boolean; readonly ignoresCase?: boolean } = {},
  ) {
    this.#ranges = mergeRanges(ranges);
    this.#isNegated = options.isNegated ?? false;
    this.ignoresCase = options.ignoresCase ?? false;
    for (let codePoint = 0; codePoint < 128; codePoint += 1) {
      const isTaken = this.ignoresCase
        ? this.hasVariant(asciiCaseVariants(codePoint))
        : isInRanges(this.#ranges, codePoint) !== this.#isNegated;
      if (isTaken) this.#ascii[codePoint] = 1;
    }
  }

  has(codePoint: number): boolean {
    if (codePoint < 128) return this.#ascii[codePoint] === 1;
    return isInRanges(this.#ranges, codePoint) !== this.#isNegated;
  }

  /** The same where case is ignored, asked with all case variants of one character. */
  hasVariant(variants: readonly number[]): boolean {
    return variants.some((variant) => isInRanges(this.#ranges, variant)) !== this.#isNegated;
  }
}

let knownAsciiVariants: readonly (readonly number[])[] | undefined;

function asciiCaseVariants(codePoint: number): readonly number[] {
  knownAsciiVariants ??= Array.from({ length: 128 }, (_, ascii) => caseVariants(ascii));
  return knownAsciiVariants[codePoint] ?? [];
}

/** Everything that is in none of the ranges. */
export function complementOf(ranges: readonly CodePointRange[]): CodePointRange[] {
  const gaps: CodePointRange[] = [];
  let next = 0;
  for (const [first, last] of mergeRanges(ranges)) {
    if (first > next) gaps.push([next, first - 1]);
    next = last + 1;
  }
  if (next <= lastCodePoint) gaps.push([next, lastCodePoint]);
  return gaps;
}

/** ASCII ranges with all that differs from their letters only in case. */
export function withCaseVariants(asciiRanges: readonly CodePointRange[]): CodePointRange[] {
  const all: CodePointRange[] = [...asciiRanges];
  for (const [first, last] of asciiRanges) {
    for (let codePoint = first; codePoint <= last; codePoint += 1) {
      for (const variant of caseVariants(codePoint)) all.push([variant, variant]);
    }
  }
  return all;
}

/** The code point and all that differ from it only in case. Slow, for what is done once per character. */
export function caseVariants(codePoint: number): number[] {
  const folded = foldCase(codePoint);
  const letter = String.fromCodePoint(folded);
  const variants = [codePoint, folded, singleCodePoint(letter.toUpperCase()) ?? folded];
  for (const further of furtherVariants.get(letter) ?? '') variants.push(further.codePointAt(0) ?? folded);
  return variants;
}

/** One code point that stands for all that differ only in case. */
function foldCase(codePoint: number): number {
  // The two have forms of their own in the simple folding, which JavaScript's full mappings mix up with i.
  if (codePoint === 0x130 || codePoint === 0x131) return codePoint;
  const upper = singleCodePoint(String.fromCodePoint(codePoint).toUpperCase()) ?? codePoint;
  return singleCodePoint(String.fromCodePoint(upper).toLowerCase()) ?? upper;
}

function singleCodePoint(text: string): number | undefined {
  const codePoint = text.codePointAt(0);
  if (codePoint === undefined) return undefined;
  return text.length === (codePoint > 0xffff ? 2 : 1) ? codePoint : undefined;
}

/** The same code points in ranges that are in order and apart. */
function mergeRanges(ranges: readonly CodePointRange[]): CodePointRange[] {
  const merged: [number, number][] = [];
  for (const [first, last] of ranges.toSorted((left, right) => left[0] - right[0])) {
    const before = merged.at(-1);
    if (before && first <= before[1] + 1) before[1] = Math.max(before[1], last);
    else merged.push([first, last]);
  }
  return merged;
}

function isInRanges(ranges: readonly CodePointRange[], codePoint: number): boolean {
  let low = 0;
  let high = ranges.length - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    const range = ranges[middle];
    if (!range) return false;
    if (codePoint < range[0]) high = middle - 1;
    else if (codePoint > range[1]) low = middle + 1;
    else return true;
  }
  return false;
}
