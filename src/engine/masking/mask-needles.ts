/**
 * Shorter values are not masked: they would garble every log, and show by the places where they do what they are.
 * (Drone masks trimmed lines from two characters on; GitLab from eight, Buildkite from six.)
 */
export const minNeedleBytes = 4;

/** All forms together. What would exceed it is left out, the encoded forms of long values first. */
const maxTotalBytes = 4 * 2 ** 20;
/** Longer values are looked for as they are and line by line, but not in encoded forms. */
const maxEncodedValueBytes = 16 * 2 ** 10;
const maxLines = 2_000;

/**
 * Every form in which the values may appear in output (reliability-security 11.5): raw, trimmed, each line of a value
 * of several, the password of a `user:password` pair or address, and of all these JSON, URL, XML, shell and C escapes,
 * base64 at its three alignments, hex, and UTF-16.
 */
export function maskNeedles(values: readonly string[]): readonly Buffer[] {
  const found = new Map<string, Buffer>();
  let totalBytes = 0;
  const add = (needle: Buffer): void => {
    if (needle.length < minNeedleBytes || totalBytes + needle.length > maxTotalBytes) return;
    const key = needle.toString('latin1');
    if (found.has(key)) return;
    found.set(key, needle);
    totalBytes += needle.length;
  };

  const plain = [...new Set(values.flatMap(partsOf))];
  for (const text of plain) add(Buffer.from(text));
  const shortFirst = plain
    .map((text) => ({ text, bytes: Buffer.from(text) }))
    .filter(({ bytes }) => bytes.length >= minNeedleBytes && bytes.length <= maxEncodedValueBytes)
    .sort((a, b) => a.bytes.length - b.bytes.length);
  for (const { text, bytes } of shortFirst) for (const needle of encodedForms(text, bytes)) add(needle);
  return [...found.values()];
}

/** Values that are too short to be masked: whoever set them should know. */
export function isTooShortToMask(value: string): boolean {
  return Buffer.byteLength(value.trim()) < minNeedleBytes;
}

/** The value, and the parts of it that are secret by themselves. */
function partsOf(value: string): string[] {
  const parts = [value, value.trim()];
  const lines = value.split(/\r\n|\r|\n/);
  if (lines.length > 1) parts.push(...lines.slice(0, maxLines).flatMap((line) => [line, line.trim()]));
  // A file with Windows line ends is printed with plain ones as often as not, and the other way round.
  if (lines.length > 1) parts.push(lines.join('\n'), lines.join('\r\n'));
  const pair = /^(?:[a-z][a-z0-9+.-]*:\/\/)?[^\s:/@]{0,256}:([^\s@/]+)(?:@\S*)?$/i.exec(value.trim());
  if (pair) parts.push(pair[1]!);
  return parts.filter((part) => Buffer.byteLength(part) >= minNeedleBytes);
}

function encodedForms(text: string, bytes: Buffer): Buffer[] {
  const texts = [
    // As Go prints it (<, >, & and the line separators escaped), and as Python does (nothing but ASCII).
    ...jsonForms(text),
    ...urlForms(text),
    ...xmlForms(text),
    ...shellForms(text),
    ...cForms(text),
    bytes.toString('hex'),
    bytes.toString('hex').toUpperCase(),
    ...base64Forms(bytes),
  ];
  const utf16 = Buffer.from(text, 'utf16le');
  return [...texts.map((form) => Buffer.from(form)), utf16, Buffer.from(utf16).swap16(), ...utf16Base64(utf16)];
}

function jsonForms(text: string): string[] {
  const inner = JSON.stringify(text).slice(1, -1);
  const escapedHtml = inner.replace(/[<>&\u2028\u2029]/g, unicodeEscape);
  const ascii = inner.replace(/[\u007f-\uffff]/g, unicodeEscape);
  return [inner, escapedHtml, ascii, inner.replaceAll('/', '\\/'), JSON.stringify(inner).slice(1, -1)];
}

function unicodeEscape(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

/** RFC 3986 with upper and lower case hex, `encodeURIComponent`'s choice of what stays, and forms (`+` for a space). */
function urlForms(text: string): string[] {
  const browser = encodeURIComponent(text.toWellFormed());
  const strict = browser.replace(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`);
  const path = strict.replace(/%(2F|3A|40|2C|3B|3D|26|24|2B)/g, (escape) => decodeURIComponent(escape));
  const forms = [browser, strict, path].flatMap((form) => [form, form.replaceAll('%20', '+')]);
  return forms.flatMap((form) => [form, form.replace(/%[0-9A-F]{2}/g, (escape) => escape.toLowerCase())]);
}

function xmlForms(text: string): string[] {
  const basic = text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
  return [
    basic,
    basic.replaceAll('"', '&quot;'),
    basic.replaceAll('"', '&quot;').replaceAll("'", '&apos;'),
    basic.replaceAll('"', '&quot;').replaceAll("'", '&#39;'),
    basic.replaceAll('"', '&#34;').replaceAll("'", '&#39;'),
    basic.replaceAll('"', '&quot;').replaceAll("'", '&#x27;'),
  ];
}

/** In single quotes as `set -x` prints it, in double quotes, and with backslashes as `printf %q` does. */
function shellForms(text: string): string[] {
  return [
    text.replaceAll("'", `'\\''`),
    text.replaceAll("'", `'"'"'`),
    text.replace(/["\\$`]/g, '\\$&'),
    text.replace(/["\\$`!]/g, '\\$&'),
    text.replace(/[^A-Za-z0-9_./:=@%^,+\n-]/g, (character) => (character > '\u007f' ? character : `\\${character}`)),
  ];
}

/** Backslash escapes of C, Go (`%q`) and `$'…'`: control characters by letter, in hex or in octal. */
function cForms(text: string): string[] {
  const letters: Record<string, string> = {
    '\n': '\\n',
    '\r': '\\r',
    '\t': '\\t',
    '\v': '\\v',
    '\f': '\\f',
    '\b': '\\b',
    '\u0007': '\\a',
    '\\': '\\\\',
  };
  const escape = (quote: RegExp, other: (byte: number) => string): string =>
    Array.from(text)
      .map((character) => {
        if (letters[character]) return letters[character];
        if (quote.test(character)) return `\\${character}`;
        return character < ' ' || character === '\u007f' ? other(character.charCodeAt(0)) : character;
      })
      .join('');
  const hex = (byte: number): string => `\\x${byte.toString(16).padStart(2, '0')}`;
  const octal = (byte: number): string => `\\${byte.toString(8).padStart(3, '0')}`;
  return [escape(/"/, hex), escape(/'/, hex), escape(/["']/, octal), escape(/'/, octal), escape(/(?!)/, hex)];
}

/**
 * Base64 of a text that holds the value somewhere: where it begins decides between three alignments. The digits at the
 * edges mix with their neighbours and are left out; what remains is the same whatever stands around it.
 */
function base64Forms(bytes: Buffer): string[] {
  return [0, 1, 2].flatMap((shift) => {
    const digits = Buffer.concat([Buffer.alloc(shift), bytes])
      .toString('base64')
      .replaceAll('=', '');
    const first = Math.ceil((shift * 8) / 6);
    const end = Math.floor(((shift + bytes.length) * 8) / 6);
    const stable = digits.slice(first, end);
    return [stable, stable.replaceAll('+', '-').replaceAll('/', '_')];
  });
}

/** PowerShell's `-EncodedCommand`. */
function utf16Base64(utf16: Buffer): Buffer[] {
  return base64Forms(utf16).map((form) => Buffer.from(form));
}
