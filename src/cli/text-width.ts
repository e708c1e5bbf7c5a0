const segmenter = new Intl.Segmenter();
const wide =
  /\p{Script=Han}|\p{Script=Hiragana}|\p{Script=Katakana}|\p{Script=Hangul}|\p{Emoji_Presentation}|[\u3000-\u303f\uff00-\uff60\uffe0-\uffe6]/u;
const zeroWidth = /^[\p{Mn}\p{Me}\p{Cf}\p{Cc}]+$/u;

/** Columns that a text takes on a terminal: East Asian characters and emoji take two, combining marks none. */
export function textWidth(text: string): number {
  let columns = 0;
  for (const { segment } of segmenter.segment(text)) columns += segmentWidth(segment);
  return columns;
}

/** The text filled up with blanks to `columns`. */
export function padToWidth(text: string, columns: number): string {
  return text + ' '.repeat(Math.max(0, columns - textWidth(text)));
}

/** The text cut to at most `columns`, with `…` where something is left out. Never cuts a character in half. */
export function cutToWidth(text: string, columns: number): string {
  if (textWidth(text) <= columns) return text;
  let cut = '';
  let used = 1;
  for (const { segment } of segmenter.segment(text)) {
    used += segmentWidth(segment);
    if (used > columns) break;
    cut += segment;
  }
  return `${cut}…`;
}

function segmentWidth(segment: string): number {
  if (zeroWidth.test(segment)) return 0;
  return wide.test(segment) ? 2 : 1;
}

/** What came from elsewhere, made harmless for a terminal: control characters, and with them escape sequences, are shown. */
export function printable(text: string): string {
  return text.replaceAll(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g, (character) =>
    character === '\r' ? '' : `\\x${character.codePointAt(0)?.toString(16).padStart(2, '0')}`,
  );
}
