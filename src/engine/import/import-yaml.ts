/** What the YAML of an imported file is made of; keys keep their order, `undefined` values are left out. */
export type ImportValue =
  | string
  | number
  | boolean
  | undefined
  | readonly ImportValue[]
  | { readonly [key: string]: ImportValue };

/**
 * Keeps `${…}` of a file as they are while it is read: each stands in the text as a mark that no file has, and is put
 * back when the text is written.
 */
export class KeptExpressions {
  readonly #sources: string[] = [];
  readonly #names: string[] = [];

  /** The mark of an expression; the same one for the same. */
  mark(name: string, source: string): string {
    const known = this.#sources.indexOf(source);
    if (known >= 0) return `\uE000${known}\uE001`;
    this.#names.push(name);
    this.#sources.push(source);
    return `\uE000${this.#sources.length - 1}\uE001`;
  }

  /** Variables of the expressions in a text. */
  namesIn(text: string): ReadonlySet<string> {
    return new Set(text.matchAll(/\uE000(\d+)\uE001/g).map(([, index]) => this.#names[Number(index)] ?? ''));
  }

  /** The text with its expressions, as `convert` makes of each. */
  restore(text: string, convert: (source: string) => string = (source) => source): string {
    return text.replaceAll(/\uE000(\d+)\uE001/g, (_mark, index: string) => convert(this.#sources[Number(index)] ?? ''));
  }
}

/** One document as YAML, such that after substitution its texts are these. */
export function importYaml(document: Readonly<Record<string, ImportValue>>, kept: KeptExpressions): string {
  return new Writer(kept).map(document, 0);
}

/** Without expressions: what they become may be anything, also nothing. */
const plainText = /^[A-Za-z_./][\w./:@+=,-]*(?: [\w./:@+=,-]+)*$/;
const notText = /^(?:true|false|null|yes|no|on|off|y|n|~|\.inf|\.nan)$/i;

class Writer {
  readonly #kept: KeptExpressions;

  constructor(kept: KeptExpressions) {
    this.#kept = kept;
  }

  map(map: Readonly<Record<string, ImportValue>>, depth: number): string {
    const entries = Object.entries(map).filter(([, value]) => value !== undefined);
    const indent = '  '.repeat(depth);
    return entries
      .map(([name, value]) => `${indent}${this.#scalar(name, depth, true)}:${this.#value(value, depth)}`)
      .join('');
  }

  /** Behind a colon, its line's end included. */
  #value(value: ImportValue, depth: number): string {
    if (isList(value)) return value.length === 0 ? ' []\n' : `\n${this.#list(value, depth + 1)}`;
    if (typeof value === 'object') {
      const hasSome = Object.values(value).some((one) => one !== undefined);
      return hasSome ? `\n${this.map(value, depth + 1)}` : ' {}\n';
    }
    return ` ${this.#scalar(value ?? '', depth, false)}\n`;
  }

  #list(items: readonly ImportValue[], depth: number): string {
    const indent = '  '.repeat(depth);
    return items
      .map((item) => {
        if (isList(item)) return `${indent}- ${this.#flow(item)}\n`;
        if (typeof item === 'object') return `${indent}- ${this.map(item, depth + 1).trimStart() || '{}\n'}`;
        return `${indent}- ${this.#scalar(item ?? '', depth, false)}\n`;
      })
      .join('');
  }

  /** A list in a list: nothing but settings of plugins has it. */
  #flow(items: readonly ImportValue[]): string {
    return `[${items.map((item) => (typeof item === 'object' ? JSON.stringify(item) : this.#scalar(item ?? '', 0, true))).join(', ')}]`;
  }

  #scalar(value: string | number | boolean, depth: number, isKey: boolean): string {
    if (typeof value !== 'string') return String(value);
    const text = escaped(value);
    if (plainText.test(text) && !notText.test(text) && !text.includes(': ') && !text.endsWith(':'))
      return this.#kept.restore(text);
    if (!isKey && text.includes('\n') && isBlockable(text)) return this.#block(text, depth);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: a text that holds one has to be written in another way.
    if (/[\u0000-\u0008\u000a-\u001f\u007f\u0085\u2028\u2029\ufeff]/.test(text))
      return this.#kept.restore(JSON.stringify(text).replaceAll('\\\\', '\\\\\\\\'), (source) =>
        JSON.stringify(source).slice(1, -1),
      );
    return `'${this.#kept.restore(text.replaceAll("'", "''"), (source) => source.replaceAll("'", "''"))}'`;
  }

  #block(text: string, depth: number): string {
    const trailing = /\n*$/.exec(text)![0].length;
    const chomping = trailing === 0 ? '-' : trailing === 1 ? '' : '+';
    const body = trailing > 1 ? text.slice(0, -1) : text.slice(0, text.length - trailing);
    const indent = '  '.repeat(depth + 1);
    const indicator = text.startsWith(' ') ? '2' : '';
    const lines = this.#kept
      .restore(body)
      .split('\n')
      .map((line) => (line === '' ? '' : `${indent}${line}`));
    return `|${indicator}${chomping}\n${lines.join('\n')}`;
  }
}

function isList(value: ImportValue): value is readonly ImportValue[] {
  return Array.isArray(value);
}

/** Whether a block can hold it: no characters that YAML would not print, and a first line that shows the indentation. */
function isBlockable(text: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: as above.
  return (
    !/[\u0000-\u0008\u000b-\u001f\u007f\u0085\u2028\u2029\ufeff]/.test(text) &&
    /^[^\n\t]/.test(text) &&
    !/\n[ \t]+\n/.test(text)
  );
}

/** So that substitution makes the text of it: it reads `$$`, `${`, `\\` and `\/`. */
function escaped(text: string): string {
  return text.replaceAll(/\$(?=[${\uE000])/g, '$$$$').replaceAll(/\\(?=[\\/])/g, '\\\\');
}
