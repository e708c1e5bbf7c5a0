/** The word that was probably meant: the nearest of the known ones, when it is near enough; the first of equals. */
export function didYouMean(written: string, known: Iterable<string>): string | undefined {
  if (written.length > maxLength) return undefined;
  let best: string | undefined;
  let bestDistance = Math.min(3, Math.ceil(written.length / 3)) + 1;
  const plain = plainOf(written);
  for (const word of known) {
    const distance = plainOf(word) === plain ? 0 : distanceBetween(written.toLowerCase(), word.toLowerCase());
    if (word === written || distance >= bestDistance) continue;
    best = word;
    bestDistance = distance;
  }
  return best;
}

const maxLength = 64;

/** `dependsOn`, `depends-on` and `depends_on` are one word. */
function plainOf(word: string): string {
  return word.replaceAll(/[-_\s]/g, '').toLowerCase();
}

/** Insertions, deletions, replacements and swaps of neighbours that make one word of the other. */
function distanceBetween(from: string, to: string): number {
  let before: number[] = [];
  let last = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let i = 1; i <= from.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= to.length; j += 1) {
      const isSame = from[i - 1] === to[j - 1];
      let best = Math.min(last[j]! + 1, row[j - 1]! + 1, last[j - 1]! + (isSame ? 0 : 1));
      const isSwap = i > 1 && j > 1 && from[i - 1] === to[j - 2] && from[i - 2] === to[j - 1];
      if (isSwap) best = Math.min(best, before[j - 2]! + 1);
      row.push(best);
    }
    before = last;
    last = row;
  }
  return last[to.length]!;
}
