import { splitDocuments } from './split-documents.ts';

/** A file whose documents are put in place of an `include` of `.gantry.yml`. */
export interface IncludeRequest {
  /** `owner/name` of another project; absent = the one in which the `include` stands. */
  readonly project?: string | undefined;
  /** Tag or commit of the other project. */
  readonly ref?: string | undefined;
  readonly file: string;
  /** Line of the text in which it stands, from 1. */
  readonly line: number;
}

/** What was read for a request, or why it could not be: the end of a sentence. */
export interface IncludedText {
  /** As `includeName` has it. */
  readonly name: string;
  readonly text?: string | undefined;
  readonly fault?: string | undefined;
  /** Of the other project, to which its reference led. */
  readonly commit?: string | undefined;
}

/** What the `include` documents of a text ask for, in order, and what of them cannot be read. */
export interface FoundIncludes {
  readonly documents: readonly {
    readonly offset: number;
    readonly length: number;
    readonly items: readonly IncludeRequest[];
  }[];
  readonly faults: readonly { readonly line: number; readonly message: string }[];
}

/** Reliability R5: size of a file with all that it includes, how deep, and how many. */
export const includeLimits = { bytes: 1024 * 1024, depth: 3, files: 50 } as const;

const itemKeys = new Set(['project', 'ref', 'file']);

/**
 * Finds documents that begin with `include:`. They are read by lines and not as YAML, so that whoever fetches the files
 * need not read YAML of strangers: a path, a list of paths and maps with `project`, `ref` and `file`, in one line or one
 * key a line.
 */
export function findIncludes(text: string): FoundIncludes {
  const documents: FoundIncludes['documents'][number][] = [];
  const faults: { line: number; message: string }[] = [];
  if (!/^include[ \t]*:/m.test(text)) return { documents, faults };
  for (const document of splitDocuments(text).documents) {
    if (!/^(?:[ \t]*(?:#[^\n]*)?\r?\n|kind[ \t]*:[ \t]*include[ \t]*\r?\n)*include[ \t]*:/.test(document.text))
      continue;
    const first = text.slice(0, document.offset).split('\n').length;
    const items: IncludeRequest[] = [];
    let open: { line: number; values: Map<string, string> } | undefined;
    const fault = (line: number, message: string): void => void faults.push({ line, message });
    const close = (): void => {
      if (!open) return;
      const { line, values } = open;
      open = undefined;
      const item = { project: values.get('project'), ref: values.get('ref'), file: values.get('file') ?? '', line };
      const wrong = findItemFault(item);
      if (wrong === undefined) items.push(item);
      else fault(line, wrong);
    };
    for (const [index, raw] of document.text.split('\n').entries()) {
      const line = first + index;
      const content = raw
        .replace(/\r$/, '')
        .replace(/(^|[ \t])#.*$/, '')
        .trimEnd();
      if (content.trim() === '' || /^kind[ \t]*:/.test(content)) continue;
      const head = /^include[ \t]*:[ \t]*(.*)$/.exec(content);
      const dash = /^[ \t]*-[ \t]+(.*)$/.exec(content);
      const rest = head ? head[1]! : dash ? dash[1]! : content.trim();
      if (head || dash) close();
      if (head && rest === '') continue;
      if (!head && !dash && !open) {
        fault(line, `"${rest.slice(0, 40)}" cannot stand in a document with "include"`);
        continue;
      }
      open ??= { line, values: new Map() };
      readValues(rest, open.values, (message) => fault(line, message));
    }
    close();
    if (items.length === 0 && faults.length === 0) fault(first, '"include" names no file');
    documents.push({ offset: document.offset, length: document.text.length, items });
  }
  return { documents, faults };
}

/** A path, `{project: …, ref: …, file: …}`, or one `key: value`. */
function readValues(text: string, values: Map<string, string>, fault: (message: string) => void): void {
  const inBraces = /^\{(.*)\}$/.exec(text);
  const pairs = inBraces ? inBraces[1]!.split(',') : [text];
  if (!inBraces && !/^[a-z_]+[ \t]*:([ \t]|$)/.test(text)) {
    values.set('file', unquoted(text));
    return;
  }
  for (const pair of pairs) {
    const found = /^[ \t]*([a-z_]+)[ \t]*:[ \t]*(.*?)[ \t]*$/.exec(pair);
    const [, key = '', value = ''] = found ?? [];
    if (!itemKeys.has(key)) fault(`"${pair.trim().slice(0, 40)}" is nothing that an include has: project, ref, file`);
    else if (values.has(key)) fault(`"${key}" stands twice`);
    else values.set(key, unquoted(value));
  }
}

function findItemFault({ project, ref, file }: Omit<IncludeRequest, 'line'>): string | undefined {
  if (file === '') return 'an include needs a "file"';
  if (file.includes('${') || project?.includes('${') || ref?.includes('${'))
    return 'an include is read before "${…}" is replaced: write it out';
  const parts = file.split('/');
  if (file.length > 500 || parts.some((part) => part === '..' || part === '.' || part === '') || parts[0] === '.git')
    return `"${file.slice(0, 60)}" is no path from the top of a repository`;
  if (project === undefined)
    return ref === undefined ? undefined : '"ref" goes with "project": a file of this project is that of this commit';
  if (!/^[A-Za-z0-9][\w.-]*\/[A-Za-z0-9][\w.-]*$/.test(project))
    return `"${project.slice(0, 60)}" is no project: write owner/name`;
  if (ref === undefined || ref === '') return 'a file of another project needs "ref": a tag or a commit';
  return undefined;
}

function unquoted(text: string): string {
  return /^(["']).*\1$/.test(text) && text.length >= 2 ? text.slice(1, -1) : text;
}

/** Names a file for a person, and apart from all others. `from` is the name of the file in which it is included. */
export function includeName({ project, ref, file }: Omit<IncludeRequest, 'line'>, from?: string): string {
  if (project !== undefined) return `${project}@${ref}:${file}`;
  const foreign = /^([^@:]+@[^:]+):/.exec(from ?? '');
  return foreign ? `${foreign[1]}:${file}` : file;
}

/** Lines of an expanded text that come from elsewhere. */
export interface IncludedLines {
  /** In the expanded text, from 1. */
  readonly from: number;
  readonly to: number;
  /** Of the `include` in the file itself; for lines of the file itself, that line less `from`. */
  readonly line: number;
  /** Absent = lines of the file itself. */
  readonly name?: string | undefined;
}

export interface ExpandedText {
  readonly text: string;
  /** In order, without gaps. */
  readonly lines: readonly IncludedLines[];
  readonly faults: readonly { readonly line: number; readonly message: string }[];
}

/** Puts the documents of included files in place of each `include`; `undefined` where there is none. Pure. */
export function expandIncludes(text: string, included: readonly IncludedText[]): ExpandedText | undefined {
  const top = findIncludes(text);
  if (top.documents.length === 0) return undefined;
  const byName = new Map(included.map((one) => [one.name, one]));
  const faults: { line: number; message: string }[] = [...top.faults];
  const lines: IncludedLines[] = [];
  let whole = '';
  let at = 0;
  let bytes = 0;
  let files = 0;
  const lineOf = (): number => countLines(whole) + 1;
  const own = (piece: string): void => {
    if (piece === '') return;
    const from = lineOf();
    const line = countLines(text.slice(0, at)) + 1;
    whole += piece;
    lines.push({ from, to: lineOf(), line: line - from });
  };
  /** Appends a file with all that it includes; the place of what is wrong is the include in the file itself. */
  const append = (request: IncludeRequest, from: string | undefined, path: readonly string[], line: number): void => {
    const name = includeName(request, from);
    const found = byName.get(name);
    const refuse = (message: string): void =>
      void faults.push({ line, message: `"${name}" cannot be included: ${message}` });
    files += 1;
    if (path.includes(name)) return refuse('it includes itself');
    if (path.length >= includeLimits.depth)
      return refuse(`files include each other more than ${includeLimits.depth} deep`);
    if (files > includeLimits.files) return refuse(`a file may include ${includeLimits.files} files`);
    if (found?.text === undefined)
      return refuse(
        found?.fault ?? 'it is looked up where the project is known: run "gantry lint" in the clone, or push',
      );
    bytes += Buffer.byteLength(found.text);
    if (bytes > includeLimits.bytes)
      return refuse(`a file may have ${includeLimits.bytes} bytes with all that it includes`);
    const inner = found.text.replace(/^\uFEFF/, '').replace(/^\.\.\.[^]*$/m, '');
    const nested = findIncludes(inner);
    for (const fault of nested.faults) refuse(`line ${fault.line}: ${fault.message}`);
    let start = 0;
    const piece = (to: number): void => {
      const part = inner.slice(start, to);
      if (part.trim() === '') return;
      const first = lineOf();
      whole += part.endsWith('\n') ? part : `${part}\n`;
      lines.push({ from: first, to: lineOf() - 1, line, name });
    };
    for (const document of nested.documents) {
      piece(document.offset);
      for (const item of document.items) {
        separate(line, name);
        append(item, name, [...path, name], line);
      }
      separate(line, name);
      start = document.offset + document.length;
    }
    piece(inner.length);
  };
  const separate = (line: number, name: string | undefined): void => {
    const first = lineOf();
    whole += `${whole === '' || whole.endsWith('\n') ? '' : '\n'}---\n`;
    lines.push({ from: first, to: lineOf() - 1, line, name });
  };
  for (const { offset, length, items } of top.documents) {
    own(text.slice(at, offset));
    for (const item of items) {
      const name = includeName(item);
      separate(item.line, name);
      const first = lineOf();
      whole += `# ${name}${byName.get(name)?.commit === undefined ? '' : ` (${byName.get(name)!.commit})`}\n`;
      lines.push({ from: first, to: first, line: item.line, name });
      append(item, undefined, [], item.line);
    }
    at = offset + length;
  }
  own(text.slice(at));
  return { text: whole, lines, faults };
}

/** Where a line of an expanded text stands for whoever wrote the file. */
export function placeOfLine(
  lines: readonly IncludedLines[],
  line: number,
): { readonly line: number; readonly name?: string | undefined } {
  const found = lines.findLast(({ from, to }) => from <= line && line <= to);
  if (!found) return { line };
  return found.name === undefined ? { line: line + found.line } : { line: found.line, name: found.name };
}

function countLines(text: string): number {
  let count = 0;
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) count += 1;
  return count;
}

/** Files that a text includes, read one after the other by whoever can: each once, no deeper and no more than allowed. */
export async function readIncludes(
  text: string,
  read: (request: IncludeRequest, name: string) => Promise<Omit<IncludedText, 'name'>>,
): Promise<readonly IncludedText[]> {
  const found = new Map<string, IncludedText>();
  let open = findIncludes(text).documents.flatMap(({ items }) => items.map((item) => ({ item, from: '' })));
  for (let depth = 0; depth < includeLimits.depth && open.length > 0; depth += 1) {
    const next: typeof open = [];
    for (const { item, from } of open) {
      const name = includeName(item, from);
      if (found.has(name) || found.size >= includeLimits.files) continue;
      const foreign = /^([^@:]+)@([^:]+):/.exec(name);
      const [, project, ref] = foreign ?? [];
      const one = { name, ...(await read({ project, ref, file: item.file, line: item.line }, name)) };
      found.set(name, one);
      if (one.text === undefined) continue;
      for (const { items } of findIncludes(one.text).documents)
        next.push(...items.map((each) => ({ item: each, from: name })));
    }
    open = next;
  }
  return [...found.values()];
}
