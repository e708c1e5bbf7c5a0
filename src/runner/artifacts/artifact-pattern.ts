/** A pattern of `paths` as the packing program takes it. */
export interface ArtifactPattern {
  /** The folder at which it begins, without wildcards: what lies elsewhere need not be looked through. */
  readonly prefix: string;
  /** A regular expression of perl, over bytes, for whole paths. */
  readonly expression: string;
}

/** One character but the slash, of UTF-8: the program knows bytes. */
const oneCharacter = String.raw`(?:[\x00-\x2e\x30-\x7f]|[\xc0-\xff][\x80-\xbf]*)`;

/** Reads a pattern: `*` and `?` within a name, `**` over folders, `[a-z]`, `{a,b}`; a backslash takes one literally. */
export function readArtifactPattern(pattern: string): ArtifactPattern {
  const parts = pattern.split('/');
  const literal = parts.findIndex((part) => /[*?[\]{}\\]/.test(part));
  const prefix = (literal === -1 ? parts : parts.slice(0, literal)).join('/');
  let expression = '';
  let depth = 0;
  for (let at = 0; at < pattern.length; at += 1) {
    const rest = pattern.slice(at);
    const isAtStart = at === 0 || pattern[at - 1] === '/';
    const character = pattern[at]!;
    if (isAtStart && rest.startsWith('**/')) {
      expression += '(?:.*/)?';
      at += 2;
    } else if (rest.startsWith('**')) {
      expression += '.*';
      at += 1;
    } else if (character === '*') expression += '[^/]*';
    else if (character === '?') expression += oneCharacter;
    else if (character === '[' && classAt(rest)) {
      const set = classAt(rest)!;
      expression += set.expression;
      at += set.length - 1;
    } else if (character === '{' && rest.includes('}')) {
      depth += 1;
      expression += '(?:';
    } else if (character === '}' && depth > 0) {
      depth -= 1;
      expression += ')';
    } else if (character === ',' && depth > 0) expression += '|';
    else if (character === '\\' && at + 1 < pattern.length) {
      at += 1;
      expression += quoted(pattern[at]!);
    } else expression += quoted(character);
  }
  return { prefix, expression: expression + ')'.repeat(depth) };
}

function classAt(text: string): { readonly expression: string; readonly length: number } | undefined {
  const found = /^\[([!^]?)((?:\\.|[^\\\]/])+)\]/.exec(text);
  if (!found) return undefined;
  const [whole, negation = '', set = ''] = found;
  // What perl reads in a class beside ranges is quoted; the slash is no character of a name.
  const plain = set.replaceAll(/\\(.)|([[\]^$@&\\])/g, (_, escaped?: string, special?: string) =>
    quoted(escaped ?? special ?? ''),
  );
  return { expression: negation === '' ? `[${plain}]` : `[^/${plain}]`, length: whole.length };
}

function quoted(character: string): string {
  return /[A-Za-z0-9_/]|[^\x20-\x7f]/.test(character) ? character : `\\${character}`;
}
