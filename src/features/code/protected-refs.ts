/**
 * Whether a reference is protected: only `code:force` may rewind or delete it.
 * A pattern that begins with `refs/` is matched with the whole reference, any other with the name of the branch or tag.
 * `*` is any text without a slash, `**` any text, `?` one character.
 */
export function isProtectedRef(patterns: readonly string[], ref: string): boolean {
  const short = /^refs\/(?:heads|tags)\/(.+)$/s.exec(ref)?.[1];
  return patterns.some((pattern) => {
    const subject = pattern.startsWith('refs/') ? ref : short;
    return subject !== undefined && matches(pattern, subject);
  });
}

/** Matches with one place to go back to for each kind of star, so that no pattern takes more than pattern × subject steps. */
function matches(pattern: string, subject: string): boolean {
  // Places in the pattern that can be reached after the characters seen so far.
  let places = closure(pattern, new Set([0]));
  for (const character of subject) {
    const next = new Set<number>();
    for (const place of places) {
      const wanted = pattern[place];
      if (wanted === undefined) continue;
      if (wanted === '*') {
        const isDouble = pattern[place + 1] === '*';
        if (isDouble || character !== '/') next.add(place);
      } else if (wanted === '?' ? character !== '/' : wanted === character) next.add(place + 1);
    }
    places = closure(pattern, next);
    if (places.size === 0) return false;
  }
  return places.has(pattern.length);
}

/** A star may stand for nothing: the place behind it is reached as well. */
function closure(pattern: string, places: Set<number>): Set<number> {
  for (const place of places) if (pattern[place] === '*') places.add(place + (pattern[place + 1] === '*' ? 2 : 1));
  return places;
}
