import { matchesWhole, readClass, type WildcardToken } from './wildcard.ts';

/**
 * Whose rules a pattern follows (pipelines.md 6): Go's `filepath.Match` (Drone 0.8), doublestar 1.1.1 (Drone 1.x), or
 * doublestar 4 (Woodpecker and `.gantry.yml`).
 */
export type GlobMode = 'drone08' | 'drone1' | 'woodpecker';

/** Ways that the braces of one pattern may be read before we refuse it as malformed. */
const maxAlternatives = 256;

/** Far beyond any branch name; keeps the work of a hostile pattern small. */
const maxPatternLength = 1_000;

/** What nearly all patterns are: it stands for itself by everybody's rules. */
const plainWord = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}$/;

/** Whether the whole value matches. A malformed pattern never does; `findGlobFault` tells why. */
export function matchGlob(pattern: string, value: string, mode: GlobMode): boolean {
  if (plainWord.test(pattern)) return pattern === value;
  const compiled = compileGlob(pattern, mode);
  return typeof compiled !== 'string' && compiled(value);
}

/** What is wrong with a pattern, as the end of a sentence; `undefined` when nothing is. */
export function findGlobFault(pattern: string, mode: GlobMode): string | undefined {
  if (plainWord.test(pattern)) return undefined;
  const compiled = compileGlob(pattern, mode);
  return typeof compiled === 'string' ? compiled : undefined;
}

function compileGlob(pattern: string, mode: GlobMode): ((value: string) => boolean) | string {
  if (pattern.length > maxPatternLength) return `it is longer than ${maxPatternLength} characters`;
  switch (mode) {
    case 'drone08': {
      const tokens = tokensOf(Array.from(pattern), { hasBang: false, allowsLooseDash: false });
      return typeof tokens === 'string' ? tokens : (value) => matchesWhole(tokens, Array.from(value));
    }
    case 'drone1':
      return compileByElements(pattern);
    case 'woodpecker': {
      const alternatives = expandBraces(Array.from(pattern));
      if (typeof alternatives === 'string') return alternatives;
      const compiled: WildcardToken[][] = [];
      for (const alternative of alternatives) {
        const tokens = tokensOf(alternative, { hasBang: true, allowsLooseDash: true, hasFolders: true });
        if (typeof tokens === 'string') return tokens;
        compiled.push(tokens);
      }
      return (value) => compiled.some((tokens) => matchesWhole(tokens, Array.from(value)));
    }
  }
}

function tokensOf(
  pattern: readonly string[],
  options: { readonly hasBang: boolean; readonly allowsLooseDash: boolean; readonly hasFolders?: boolean },
): WildcardToken[] | string {
  const tokens: WildcardToken[] = [];
  let at = 0;
  while (at < pattern.length) {
    const character = pattern[at] ?? '';
    if (options.hasFolders && isWholeDoubleStar(pattern, at)) {
      if (pattern[at + 2] === '/') {
        tokens.push({ kind: 'folders' });
        at += 3;
      } else if (tokens.at(-1)?.kind !== 'character') {
        tokens.push({ kind: 'many', crossesSlash: true });
        at += 2;
      } else {
        tokens.pop(); // the slash before it belongs to it
        tokens.push({ kind: 'below' });
        at += 2;
      }
      continue;
    }
    switch (character) {
      case '*':
        tokens.push({ kind: 'many', crossesSlash: false });
        at += 1;
        break;
      case '?':
        tokens.push({ kind: 'any', crossesSlash: false });
        at += 1;
        break;
      case '[': {
        const found = readClass(pattern, at, options);
        if (!found) return 'its "[" has no proper end';
        tokens.push(found.token);
        at = found.end;
        break;
      }
      case '\\': {
        const escaped = pattern[at + 1];
        if (escaped === undefined) return 'it ends with a "\\"';
        tokens.push({ kind: 'character', character: escaped });
        at += 2;
        break;
      }
      default:
        tokens.push({ kind: 'character', character });
        at += 1;
    }
  }
  return tokens;
}

/** `**` that is a whole element of the path. After `/`, the slash before it was a token of its own. */
function isWholeDoubleStar(pattern: readonly string[], at: number): boolean {
  return (
    pattern[at] === '*' &&
    pattern[at + 1] === '*' &&
    (at === 0 || pattern[at - 1] === '/') &&
    (at + 2 === pattern.length || pattern[at + 2] === '/')
  );
}

/** Every reading of the braces, nested ones too. */
function expandBraces(pattern: readonly string[]): (readonly string[])[] | string {
  const done: (readonly string[])[] = [];
  const open: (readonly string[])[] = [pattern];
  for (let current = open.pop(); current; current = open.pop()) {
    const braces = findBraces(current);
    if (typeof braces === 'string') return braces;
    if (!braces) {
      done.push(current);
    } else {
      const before = current.slice(0, braces.start);
      const after = current.slice(braces.end);
      // Reversed, so that the first alternative is the first one taken from the stack.
      for (const part of braces.parts.toReversed()) open.push([...before, ...part, ...after]);
    }
    if (done.length + open.length > maxAlternatives)
      return `its braces can be read in more than ${maxAlternatives} ways`;
  }
  return done;
}

/** The first `{…}` outside of classes, or `undefined`; a text when it does not end. */
function findBraces(
  pattern: readonly string[],
): { readonly start: number; readonly end: number; readonly parts: (readonly string[])[] } | string | undefined {
  let depth = 0;
  let start = 0;
  let partStart = 0;
  const parts: (readonly string[])[] = [];
  for (let at = 0; at < pattern.length; at += 1) {
    const character = pattern[at];
    if (character === '\\') {
      at += 1;
    } else if (character === '[') {
      const found = readClass(pattern, at, { hasBang: true, allowsLooseDash: true });
      if (!found) return 'its "[" has no proper end';
      at = found.end - 1;
    } else if (character === '{') {
      depth += 1;
      if (depth === 1) {
        start = at;
        partStart = at + 1;
      }
    } else if (depth === 1 && (character === ',' || character === '}')) {
      parts.push(pattern.slice(partStart, at));
      partStart = at + 1;
      if (character === '}') return { start, end: at + 1, parts };
    } else if (character === '}' && depth > 1) {
      depth -= 1;
    }
  }
  return depth > 0 ? 'its "{" has no "}"' : undefined;
}

/** doublestar 1: pattern and value are compared element by element, and only a whole `**` stands for several. */
function compileByElements(pattern: string): ((value: string) => boolean) | string {
  const elements: ('**' | ((element: readonly string[]) => boolean))[] = [];
  for (const element of elementsOf(pattern)) {
    if (element === '**') {
      elements.push('**');
      continue;
    }
    const compiled = compileElement(Array.from(element));
    if (typeof compiled === 'string') return compiled;
    elements.push(compiled);
  }
  return (value) => {
    const parts = elementsOf(value).map((part) => Array.from(part));
    if (elements.length === 0 || parts.length === 0) return elements.length === parts.length;
    // Which numbers of parts the elements so far can have taken.
    let reached = new Set([0]);
    for (const [index, element] of elements.entries()) {
      const next = new Set<number>();
      for (const taken of reached) {
        if (element === '**') {
          // At the end it takes at least one part; before others it may take none, and leaves them at least one.
          const last = index === elements.length - 1;
          if (last) {
            if (taken < parts.length) next.add(parts.length);
          } else {
            for (let to = taken; to < parts.length; to += 1) next.add(to);
          }
        } else {
          const part = parts[taken];
          if (part && element(part)) next.add(taken + 1);
        }
      }
      reached = next;
    }
    return reached.has(parts.length);
  };
}

/** Split at slashes; a last, empty element does not count. */
function elementsOf(text: string): string[] {
  const elements: string[] = [];
  let element = '';
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at] ?? '';
    if (character === '\\') {
      element += character + (text[at + 1] ?? '');
      at += 1;
    } else if (character === '/') {
      elements.push(element);
      element = '';
    } else {
      element += character;
    }
  }
  if (element !== '' || elements.length === 0) elements.push(element);
  return elements;
}

/**
 * One element of a doublestar 1 pattern. Of its braces, a nested one, an empty last alternative and an empty one at the
 * end of the element never match there (pipelines.md 6).
 */
function compileElement(pattern: readonly string[]): ((element: readonly string[]) => boolean) | string {
  const readings: WildcardToken[][] = [];
  const open: { readonly tokens: WildcardToken[]; readonly rest: readonly string[] }[] = [
    { tokens: [], rest: pattern },
  ];
  for (let current = open.pop(); current; current = open.pop()) {
    const start = braceStart(current.rest);
    if (typeof start === 'string') return start;
    const plain = tokensOf(start === undefined ? current.rest : current.rest.slice(0, start), {
      hasBang: false,
      allowsLooseDash: false,
    });
    if (typeof plain === 'string') return plain;
    const tokens = [...current.tokens, ...plain];
    if (start === undefined) {
      readings.push(tokens);
      continue;
    }
    const braces = findFlatBraces(current.rest, start);
    if (!braces) return 'its "{" has no "}" in the same path element';
    const rest = current.rest.slice(braces.end);
    for (const [index, part] of braces.parts.entries()) {
      const neverMatches =
        part.includes('{') || (part.length === 0 && (index === braces.parts.length - 1 || rest.length === 0));
      if (neverMatches) continue;
      const partTokens = tokensOf(part, { hasBang: false, allowsLooseDash: false });
      if (typeof partTokens === 'string') return partTokens;
      open.push({ tokens: [...tokens, ...partTokens], rest });
    }
    if (readings.length + open.length > maxAlternatives) {
      return `its braces can be read in more than ${maxAlternatives} ways`;
    }
  }
  return (element) => readings.some((tokens) => matchesWhole(tokens, element));
}

function braceStart(pattern: readonly string[]): number | string | undefined {
  for (let at = 0; at < pattern.length; at += 1) {
    if (pattern[at] === '\\') at += 1;
    else if (pattern[at] === '{') return at;
    else if (pattern[at] === '[') {
      const found = readClass(pattern, at, { hasBang: false, allowsLooseDash: false });
      if (!found) return 'its "[" has no proper end';
      at = found.end - 1;
    }
  }
  return undefined;
}

/** Alternatives up to the first `}`. */
function findFlatBraces(
  pattern: readonly string[],
  start: number,
): { readonly end: number; readonly parts: (readonly string[])[] } | undefined {
  const parts: (readonly string[])[] = [];
  let partStart = start + 1;
  for (let at = start + 1; at < pattern.length; at += 1) {
    if (pattern[at] === '\\') {
      at += 1;
    } else if (pattern[at] === ',' || pattern[at] === '}') {
      parts.push(pattern.slice(partStart, at));
      partStart = at + 1;
      if (pattern[at] === '}') return { end: at + 1, parts };
    }
  }
  return undefined;
}
