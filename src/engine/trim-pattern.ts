import { matchPrefixes, readClass, type WildcardToken } from './wildcard.ts';

/**
 * `${v#p}`, `##`, `%` and `%%`: the value without the shortest or longest part that the pattern matches, which has at
 * least one character. A malformed pattern leaves the value as it is.
 * A suffix is a prefix of the reversed value under the reversed pattern text, as upstream does it: a bracket class
 * reversed is malformed, so classes do nothing there.
 */
export function trimByPattern(
  value: string,
  pattern: string,
  end: 'prefix' | 'suffix',
  reach: 'shortest' | 'longest',
): string {
  const reverse = end === 'suffix';
  const characters = reverse ? Array.from(value).reverse() : Array.from(value);
  const tokens = tokensOf(reverse ? Array.from(pattern).reverse() : Array.from(pattern));
  if (!tokens) return value;
  const ends = matchPrefixes(tokens, characters).filter((length) => length > 0);
  const length = (reach === 'shortest' ? ends[0] : ends.at(-1)) ?? 0;
  const rest = characters.slice(length);
  return (reverse ? rest.reverse() : rest).join('');
}

function tokensOf(pattern: readonly string[]): WildcardToken[] | undefined {
  const tokens: WildcardToken[] = [];
  let at = 0;
  while (at < pattern.length) {
    const character = pattern[at] ?? '';
    if (character === '*') {
      tokens.push({ kind: 'many', crossesSlash: true });
      at += 1;
    } else if (character === '?') {
      tokens.push({ kind: 'any', crossesSlash: false });
      at += 1;
    } else if (character === '[') {
      const found = readClass(pattern, at, { hasBang: false, allowsLooseDash: false });
      if (!found) return undefined;
      tokens.push(found.token);
      at = found.end;
    } else if (character === '\\') {
      const escaped = pattern[at + 1];
      if (escaped === undefined) return undefined;
      tokens.push({ kind: 'character', character: escaped });
      at += 2;
    } else {
      tokens.push({ kind: 'character', character });
      at += 1;
    }
  }
  return tokens;
}
