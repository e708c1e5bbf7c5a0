/** A line of a secret file that cannot be read; `line` counts from 1. */
export class SecretFileError extends Error {
  override readonly name = 'SecretFileError';
  readonly line: number;

  constructor(line: number) {
    super(`line ${line}`);
    this.line = line;
  }
}

const assignment = /^\s*(?:export\s+)?([A-Za-z_][\w.-]*)\s*=\s*/;

/**
 * Reads `NAME=value` lines, the form of .env files: `#` begins a comment, `export ` may stand in front, a value in
 * single quotes is taken as it is, one in double quotes knows `\n`, `\r`, `\t`, `\"`, `\\` and `\$`; both may go on over
 * several lines. Names become lower-case, as names of secrets are. Throws SecretFileError.
 */
export function parseSecretFile(text: string): ReadonlyMap<string, string> {
  const secrets = new Map<string, string>();
  const lines = text.replace(/^\uFEFF/, '').split(/\r?\n/);
  for (let at = 0; at < lines.length; at += 1) {
    const line = lines[at]!;
    if (/^\s*(#|$)/.test(line)) continue;
    const found = assignment.exec(line);
    const name = found?.[1];
    if (!found || name === undefined) throw new SecretFileError(at + 1);
    const rest = line.slice(found[0].length);
    const quote = rest[0];
    if (quote === '"' || quote === "'") {
      const { value, lastLine } = quoted(lines, at, rest.slice(1), quote);
      secrets.set(name.toLowerCase(), value);
      at = lastLine;
    } else secrets.set(name.toLowerCase(), rest.replace(/\s+#.*$/, '').trim());
  }
  return secrets;
}

function quoted(
  lines: readonly string[],
  first: number,
  start: string,
  quote: '"' | "'",
): { readonly value: string; readonly lastLine: number } {
  const end = quote === '"' ? /^((?:[^"\\]|\\[\s\S])*)"\s*(?:#.*)?$/ : /^([^']*)'\s*(?:#.*)?$/;
  let text = start;
  for (let at = first; ; ) {
    const found = end.exec(text);
    if (found) return { value: quote === '"' ? unescaped(found[1] ?? '') : (found[1] ?? ''), lastLine: at };
    at += 1;
    if (at >= lines.length) throw new SecretFileError(first + 1);
    text += `\n${lines[at]}`;
  }
}

const escapes: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t' };

function unescaped(text: string): string {
  return text.replaceAll(/\\([\s\S])/g, (whole, character: string) =>
    '"\\$`'.includes(character) ? character : (escapes[character] ?? whole),
  );
}
