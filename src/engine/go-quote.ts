const shortEscapes: Readonly<Record<string, string>> = {
  '\u0007': '\\a',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\v': '\\v',
  '\\': '\\\\',
  '"': '\\"',
};

/** A text as Go's `%q` prints it: how a value with a newline enters a pipeline file (pipelines.md 3). */
export function goQuote(text: string): string {
  let quoted = '"';
  for (const character of text) {
    const point = character.codePointAt(0) ?? 0;
    const short = shortEscapes[character];
    if (short !== undefined) quoted += short;
    else if (character === ' ' || /^[\p{L}\p{M}\p{N}\p{P}\p{S}]$/u.test(character)) quoted += character;
    else if (point < 0x80) quoted += `\\x${point.toString(16).padStart(2, '0')}`;
    else if (point < 0x1_0000) quoted += `\\u${point.toString(16).padStart(4, '0')}`;
    else quoted += `\\U${point.toString(16).padStart(8, '0')}`;
  }
  return `${quoted}"`;
}
