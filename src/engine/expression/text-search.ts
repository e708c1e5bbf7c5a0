/** Above so many comparisons at worst, the search of JavaScript is not used: its time may grow with text × part. */
const maxNativeComparisons = 65_536;

/** Finds one part in texts, in time that grows with text + part (Knuth, Morris and Pratt). */
export class TextSearch {
  readonly #part: string;
  /** For each length of a beginning of the part, how much of it begins again at its end. */
  #overlaps: Int32Array | undefined;

  constructor(part: string) {
    this.#part = part;
  }

  /** Where the part is next, from a place on; -1 when it is not there. */
  find(text: string, from: number): number {
    const part = this.#part;
    if (text.length * part.length <= maxNativeComparisons) return text.indexOf(part, from);
    this.#overlaps ??= overlapsOf(part);
    let matched = 0;
    for (let at = from; at < text.length; at += 1) {
      const unit = text.charCodeAt(at);
      while (matched > 0 && part.charCodeAt(matched) !== unit) matched = this.#overlaps[matched] ?? 0;
      if (part.charCodeAt(matched) === unit) matched += 1;
      if (matched === part.length) return at - matched + 1;
    }
    return -1;
  }
}

function overlapsOf(part: string): Int32Array {
  const overlaps = new Int32Array(part.length + 1);
  let overlap = 0;
  for (let length = 1; length < part.length; length += 1) {
    const unit = part.charCodeAt(length);
    while (overlap > 0 && part.charCodeAt(overlap) !== unit) overlap = overlaps[overlap] ?? 0;
    if (part.charCodeAt(overlap) === unit) overlap += 1;
    overlaps[length + 1] = overlap;
  }
  return overlaps;
}
