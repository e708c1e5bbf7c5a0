/** A piece of a terminal line in one style. Always shown as text, never as HTML. */
export interface Segment {
  readonly text: string;
  /** Class names such as "a1 bold"; the eight colours are tokens, so they fit both themes. */
  readonly className: string;
  /** Set for 256 and true colour only; applied through the DOM (`style.color`), which a strict CSP allows. */
  readonly color?: string;
  readonly href?: string;
}

/** More pieces than these in one line are shown in the last style: an ANSI storm must not become ten thousand nodes. */
const maxSegments = 400;

/** SGR (1: parameters, 2: final byte), OSC 8 (3: address), any other escape, and control characters but tab and CR. */
const escapes =
  /\x1b\[([0-9;:]*)([A-Za-z])|\x1b\]8;[^;\x07\x1b]*;([^\x07\x1b]*)(?:\x07|\x1b\\)?|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b\[[0-?]*[ -/]*[@-~]?|\x1b[ -/]*[0-~]?|[\x00-\x08\x0a-\x0c\x0e-\x1f\x7f]/g;
const styleSequence = /\x1b\[[0-9;:]*m/g;
const bidiControls = /[\u202a-\u202e\u2066-\u2069]/g;

/** Marks characters that would make text read in another order than it stands. */
export function markBidi(text: string): string {
  return text.replace(bidiControls, (found) => `[U+${found.charCodeAt(0).toString(16).toUpperCase()}]`);
}

/**
 * A progress bar rewrites its line with \r or erase-line: only what stands there at the end is shown,
 * in the style that the dropped part had set.
 */
function finalState(line: string): string {
  let from = Math.max(line.lastIndexOf('\x1b[2K'), line.lastIndexOf('\x1b[1K'), 0);
  let text = from > 0 ? line.slice(from) : line;
  if (text.includes('\r')) {
    const parts = text.split('\r');
    const last = parts.findLastIndex((part) => part.replace(escapes, '') !== '');
    if (last < 0) return '';
    from += parts.slice(0, last).reduce((sum, part) => sum + part.length + 1, 0);
    text = parts[last] ?? '';
  }
  if (from === 0) return text;
  const styles = line.slice(Math.max(0, from - 2_000), from).match(styleSequence) ?? [];
  return `${styles.join('')}${text}`;
}

/** The line as a reader sees it: for searching and copying. */
export function plainText(line: string): string {
  return finalState(line).replace(escapes, '').replaceAll('\r', '');
}

export function segments(line: string): Segment[] {
  const text = finalState(line);
  const found: Segment[] = [];
  const style = { color: 0, custom: '', isBold: false, isDim: false, isUnderlined: false, href: '' };

  const push = (part: string): void => {
    if (part === '') return;
    const names = [
      style.color > 0 && `a${style.color}`,
      style.isBold && 'bold',
      style.isDim && 'dim',
      style.isUnderlined && 'underlined',
    ].filter((name) => name !== false);
    const segment = {
      text: markBidi(part),
      className: names.join(' '),
      ...(style.custom !== '' && { color: style.custom }),
      ...(style.href !== '' && { href: style.href }),
    };
    const last = found.at(-1);
    const isSame =
      last && last.className === segment.className && last.color === segment.color && last.href === segment.href;
    if (isSame || (last && found.length >= maxSegments))
      found[found.length - 1] = { ...last, text: last.text + segment.text };
    else found.push(segment);
  };

  let from = 0;
  for (const match of text.matchAll(escapes)) {
    push(text.slice(from, match.index));
    from = match.index + match[0].length;
    const [, parameters, command, link] = match;
    if (command === 'm') setStyle(style, parameters ?? '');
    if (link !== undefined) style.href = isWebAddress(link) ? link : '';
  }
  push(text.slice(from));
  return found;
}

function isWebAddress(link: string): boolean {
  return /^https?:\/\//i.test(link) && link.length <= 2_000 && URL.canParse(link);
}

interface Style {
  color: number;
  custom: string;
  isBold: boolean;
  isDim: boolean;
  isUnderlined: boolean;
}

/** ECMA-48 "select graphic rendition". Backgrounds are left out: they break contrast in one theme or the other. */
function setStyle(style: Style, parameters: string): void {
  const codes = parameters.split(/[;:]/).map(Number);
  for (let i = 0; i < codes.length; i++) {
    const code = codes[i] ?? 0;
    if (code === 0) {
      Object.assign(style, { color: 0, custom: '', isBold: false, isDim: false, isUnderlined: false });
    } else if (code === 1) style.isBold = true;
    else if (code === 2) style.isDim = true;
    else if (code === 4) style.isUnderlined = true;
    else if (code === 22) Object.assign(style, { isBold: false, isDim: false });
    else if (code === 24) style.isUnderlined = false;
    else if (code >= 31 && code <= 37) Object.assign(style, { color: code - 30, custom: '' });
    else if (code >= 90 && code <= 97) Object.assign(style, { color: code === 90 ? 8 : code - 90, custom: '' });
    else if (code === 38 && codes[i + 1] === 5) {
      Object.assign(style, { color: 0, custom: paletteColor(codes[i + 2] ?? 0) });
      i += 2;
    } else if (code === 38 && codes[i + 1] === 2) {
      const channels = codes.slice(i + 2, i + 5).map((channel) => Math.min(255, channel || 0));
      Object.assign(style, { color: 0, custom: `rgb(${channels.join(' ')})` });
      i += 4;
    } else if (code === 48) i += codes[i + 1] === 5 ? 2 : 4;
    else if (code === 30 || code === 39) Object.assign(style, { color: 0, custom: '' });
  }
}

/** xterm's 256 colours: 16 named, a cube of 6 × 6 × 6, 24 greys. */
function paletteColor(index: number): string {
  if (index < 16) return `var(--ansi-${index % 8 || 8})`;
  if (index >= 232) {
    const grey = Math.min(255, 8 + (index - 232) * 10);
    // The darkest greys cannot be read on the log's ground.
    return `rgb(${Math.max(grey, 118)} ${Math.max(grey, 118)} ${Math.max(grey, 118)})`;
  }
  const level = (value: number): number => (value === 0 ? 0 : 55 + value * 40);
  const cube = index - 16;
  return `rgb(${level(Math.floor(cube / 36))} ${level(Math.floor(cube / 6) % 6)} ${level(cube % 6)})`;
}
