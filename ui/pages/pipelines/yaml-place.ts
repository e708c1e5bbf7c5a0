/** Where in a YAML text somebody writes: the keys that lead there (`-` = an item of a list), and what is typed so far. */
export interface YamlPlace {
  readonly path: readonly string[];
  /** The key whose value is being written; `undefined` where a key is. */
  readonly key: string | undefined;
  /** What stands from `from` to the cursor. */
  readonly typed: string;
  readonly from: number;
  /** Column of the key, from 0. */
  readonly column: number;
  /** Keys that the same map has already. */
  readonly siblings: readonly string[];
}

interface Line {
  /** Columns of the `- ` that begin it. */
  readonly dashes: readonly number[];
  /** Column of what follows them. */
  readonly column: number;
  readonly key: string | undefined;
  readonly isBoundary: boolean;
}

const keyPattern = /^(?:"([^"]*)"|'([^']*)'|([^\s#'"[\]{},&*!|>%@`-][^#]*?)):(?:\s|$)/;

/**
 * The place of the cursor, by indentation alone, since the text is seldom whole while it is being written. `undefined`
 * where nothing can be suggested: in comments, in `[…]` and `{…}`, in quotes, and in the lines of a script.
 */
export function yamlPlace(text: string, cursor: number): YamlPlace | undefined {
  const lineStart = cursor === 0 ? 0 : text.lastIndexOf('\n', cursor - 1) + 1;
  const before = text.slice(lineStart, cursor);
  const after = /^[^\n]*/.exec(text.slice(cursor))?.[0] ?? '';
  if (/[#[\]{}'"|>&*]/.test(before) || after.trim() !== '') return undefined;
  const found = /^(?<start> *(?:- +)*)(?:(?<key>[\w$.-]+): +)?(?<typed>[\w$./-]*)$/.exec(before);
  const { start = '', key, typed = '' } = found?.groups ?? {};
  // "-" alone has no space behind it yet, and so is no item.
  if (!found || typed.startsWith('-')) return undefined;
  const lines = text.slice(0, lineStart).split('\n').slice(0, -1).map(readLine);
  const own: Line = { dashes: dashesOf(start), column: start.length, key, isBoundary: false };
  const path = pathTo(lines, own);
  if (path === undefined) return undefined;
  const below = text.slice(lineStart).split('\n').slice(1).map(readLine);
  return {
    path,
    key,
    typed,
    from: cursor - typed.length,
    column: own.column,
    siblings: [...siblingsAbove(lines, own), ...siblingsBelow(below, own.column)],
  };
}

function dashesOf(start: string): number[] {
  return [...start.matchAll(/-/g)].map(({ index }) => index);
}

function readLine(text: string): Line {
  const start = /^ *(?:- +)*/.exec(text)?.[0] ?? '';
  const rest = text.slice(start.length);
  const isEmpty = rest.trim() === '' || rest.startsWith('#');
  const found = keyPattern.exec(rest);
  const isDash = rest.trim() === '-';
  return {
    dashes: isDash ? [...dashesOf(start), start.length] : dashesOf(start),
    column: isEmpty ? Number.POSITIVE_INFINITY : isDash ? start.length + 2 : start.length,
    key: found ? (found[1] ?? found[2] ?? found[3]) : undefined,
    isBoundary: /^(---|\.\.\.)(\s|$)/.test(text),
  };
}

/** From the line upwards: whatever stands further left holds what stands further right. */
function pathTo(lines: readonly Line[], own: Line): readonly string[] | undefined {
  const path: string[] = own.dashes.map(() => '-');
  let column = own.dashes[0] ?? own.column;
  let isItem = own.dashes.length > 0;
  for (const line of lines.toReversed()) {
    if (line.isBoundary || (column === 0 && !isItem)) break;
    if (line.column === Number.POSITIVE_INFINITY) continue;
    const [firstDash] = line.dashes;
    // Another item of the same list.
    if (isItem && firstDash !== undefined && firstDash >= column) continue;
    const holds = isItem ? line.column <= column : line.column < column;
    const isFirstOfItem = !isItem && line.column === column && firstDash !== undefined;
    if (!holds && !isFirstOfItem) continue;
    if (holds) {
      // A line of a script or of a text over several lines.
      if (line.key === undefined) return undefined;
      path.unshift(line.key);
    }
    path.unshift(...line.dashes.map(() => '-'));
    column = firstDash ?? line.column;
    isItem = firstDash !== undefined;
  }
  return path;
}

function siblingsAbove(lines: readonly Line[], own: Line): readonly string[] {
  // What follows a dash begins a map of its own.
  if (own.dashes.length > 0) return [];
  const found: string[] = [];
  for (const line of lines.toReversed()) {
    if (line.isBoundary || line.column < own.column) break;
    if (line.column !== own.column) continue;
    if (line.key !== undefined) found.push(line.key);
    if (line.dashes.length > 0) break;
  }
  return found;
}

function siblingsBelow(lines: readonly Line[], column: number): readonly string[] {
  const found: string[] = [];
  for (const line of lines) {
    const start = line.dashes[0] ?? line.column;
    if (line.isBoundary || start < column) break;
    if (start === column && line.dashes.length === 0 && line.key !== undefined) found.push(line.key);
  }
  return found;
}
