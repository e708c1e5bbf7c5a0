/** Which paths of a folder a `.dockerignore` leaves out. */
export interface DockerIgnore {
  /** Whether a path (with `/`, relative to the folder) is left out. */
  readonly excludes: (path: string) => boolean;
  /** Folders right below that are left out whole, with nothing in them taken back: need not even be read. */
  readonly wholeFolders: readonly string[];
}

interface Pattern {
  readonly isException: boolean;
  readonly expression: RegExp;
}

const maxPatterns = 2_000;

/**
 * Reads a `.dockerignore`: one pattern a line, the last that matches counts, `!` takes back. A pattern that matches a
 * folder matches all below it. More than 2,000 patterns are not looked at.
 */
export function readDockerIgnore(text: string): DockerIgnore {
  const lines = text
    .replace(/^\uFEFF/, '')
    .split('\n')
    .filter((line) => !line.startsWith('#'))
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .slice(0, maxPatterns);
  const patterns = lines.flatMap((line): Pattern[] => {
    const isException = line.startsWith('!');
    const cleaned = clean(isException ? line.slice(1).trim() : line);
    return cleaned === '' ? [] : [{ isException, expression: expressionOf(cleaned) }];
  });
  const hasException = patterns.some(({ isException }) => isException);
  return {
    excludes(path) {
      const isMatched = (expression: RegExp): boolean => expression.test(path);
      return patterns.findLast(({ expression }) => isMatched(expression))?.isException === false;
    },
    wholeFolders: hasException ? [] : lines.map(clean).filter((name) => /^[\w.@-][\w.@ -]*$/.test(name)),
  };
}

/** As a path that is joined to the folder: no dots, no slash at either end. */
function clean(pattern: string): string {
  const parts: string[] = [];
  for (const part of pattern.split('/')) {
    if (part === '' || part === '.') continue;
    if (part === '..') parts.pop();
    else parts.push(part);
  }
  return parts.join('/');
}

/** `**` stands for any number of folders, `*` and `?` for what is no slash; what lies below a match matches too. */
function expressionOf(pattern: string): RegExp {
  let source = '';
  for (let at = 0; at < pattern.length; at += 1) {
    const character = pattern[at]!;
    if (character === '*' && pattern[at + 1] === '*') {
      at += 1;
      if (pattern[at + 1] === '/') {
        at += 1;
        source += '(?:.*/)?';
      } else source += '.*';
    } else if (character === '*') source += '[^/]*';
    else if (character === '?') source += '[^/]';
    else if (character === '[') {
      const set = /^\[\^?[^\]/]+\]/.exec(pattern.slice(at))?.[0];
      source += set === undefined ? '\\[' : set.replaceAll('\\', '\\\\');
      at += (set?.length ?? 1) - 1;
    } else if (character === '\\' && at + 1 < pattern.length) {
      at += 1;
      source += escaped(pattern[at]!);
    } else source += escaped(character);
  }
  try {
    return new RegExp(`^${source}(?:/.*)?$`, 's');
  } catch {
    // A range that is none: the characters themselves.
    return new RegExp(`^${escaped(pattern)}(?:/.*)?$`);
  }
}

function escaped(text: string): string {
  return text.replaceAll(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');
}
