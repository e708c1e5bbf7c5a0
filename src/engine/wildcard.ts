/** One place of a pattern: what it takes, and how often. */
export type WildcardToken =
  | { readonly kind: 'character'; readonly character: string }
  /** One character; `crossesSlash` says whether `/` is one. */
  | { readonly kind: 'any'; readonly crossesSlash: boolean }
  | { readonly kind: 'many'; readonly crossesSlash: boolean }
  | { readonly kind: 'class'; readonly isNegated: boolean; readonly ranges: readonly (readonly [string, string])[] }
  /** Two stars and a slash as whole elements: nothing, or any text that ends with a slash. */
  | { readonly kind: 'folders' }
  /** A slash and two stars at the end: nothing, or a slash and any text. */
  | { readonly kind: 'below' };

/**
 * Ends of every prefix of `text` that the tokens match, shortest first; the last is the longest. All ways through the
 * pattern are followed at once, so the time is at most pattern × text and no pattern can make it explode.
 */
export function matchPrefixes(tokens: readonly WildcardToken[], text: readonly string[]): number[] {
  // States: 2 * index of the token that is next; + 1 while inside a `folders` or `below`.
  let states = new Set<number>();
  const ends: number[] = [];
  const enter = (into: Set<number>, index: number): void => {
    if (into.has(index * 2)) return;
    into.add(index * 2);
    const kind = tokens[index]?.kind;
    if (kind === 'many' || kind === 'folders' || kind === 'below') enter(into, index + 1);
  };
  enter(states, 0);
  for (let at = 0; at <= text.length && states.size > 0; at += 1) {
    if (states.has(tokens.length * 2)) ends.push(at);
    const character = text[at];
    if (character === undefined) break;
    const next = new Set<number>();
    for (const state of states) {
      const index = state >> 1;
      const token = tokens[index];
      if (!token) continue;
      switch (token.kind) {
        case 'character':
          if (token.character === character) enter(next, index + 1);
          break;
        case 'any':
          if (token.crossesSlash || character !== '/') enter(next, index + 1);
          break;
        case 'many':
          if (token.crossesSlash || character !== '/') enter(next, index);
          break;
        case 'class':
          if (isInClass(token.ranges, character) !== token.isNegated) enter(next, index + 1);
          break;
        case 'folders':
          next.add(index * 2 + 1);
          if (character === '/') enter(next, index + 1);
          break;
        case 'below':
          if (state % 2 === 1 || character === '/') {
            next.add(index * 2 + 1);
            enter(next, index + 1);
          }
          break;
      }
    }
    states = next;
  }
  return ends;
}

/** Whether the tokens match the whole text. */
export function matchesWhole(tokens: readonly WildcardToken[], text: readonly string[]): boolean {
  return matchPrefixes(tokens, text).at(-1) === text.length;
}

function isInClass(ranges: readonly (readonly [string, string])[], character: string): boolean {
  const point = character.codePointAt(0) ?? 0;
  return ranges.some(([low, high]) => (low.codePointAt(0) ?? 0) <= point && point <= (high.codePointAt(0) ?? 0));
}

/**
 * Reads a bracket class that begins at `start` (the `[`); `undefined` when it is malformed. `^` negates, `!` too where
 * `hasBang`; `-` stands for itself at an end only where `allowsLooseDash`.
 */
export function readClass(
  pattern: readonly string[],
  start: number,
  options: { readonly hasBang: boolean; readonly allowsLooseDash: boolean },
): { readonly token: WildcardToken; readonly end: number } | undefined {
  let at = start + 1;
  const isNegated = pattern[at] === '^' || (options.hasBang && pattern[at] === '!');
  if (isNegated) at += 1;
  const ranges: [string, string][] = [];
  for (;;) {
    if (pattern[at] === ']')
      return ranges.length === 0 ? undefined : { token: { kind: 'class', isNegated, ranges }, end: at + 1 };
    const low = readClassCharacter(pattern, at, options.allowsLooseDash);
    if (!low) return undefined;
    at = low.end;
    let high = low.character;
    if (pattern[at] === '-' && !(options.allowsLooseDash && pattern[at + 1] === ']')) {
      const end = readClassCharacter(pattern, at + 1, options.allowsLooseDash);
      if (!end) return undefined;
      high = end.character;
      at = end.end;
    }
    ranges.push([low.character, high]);
  }
}

function readClassCharacter(
  pattern: readonly string[],
  at: number,
  allowsLooseDash: boolean,
): { readonly character: string; readonly end: number } | undefined {
  const character = pattern[at];
  if (character === undefined || character === ']' || (character === '-' && !allowsLooseDash)) return undefined;
  if (character !== '\\') return { character, end: at + 1 };
  const escaped = pattern[at + 1];
  return escaped === undefined ? undefined : { character: escaped, end: at + 2 };
}
