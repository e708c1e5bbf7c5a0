import type { IncludedPlace, IncludeStep } from '../core/included-place.ts';
import { keysAt } from './gantry-keys.ts';
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

const itemKeys = keysAt('include');

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
    let isHeadBare = false;
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
      // What comes below is a list, or the keys of one map.
      const isBelowHead = isHeadBare;
      isHeadBare = head !== null && rest === '';
      if (isHeadBare) continue;
      if (!head && !dash && !open && !(isBelowHead && /^[ \t]/.test(content))) {
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
  readonly source?: IncludedSource | undefined;
}

/** Where lines of an included file stand in it, and how one gets there. */
export interface IncludedSource {
  readonly name: string;
  /** Its line that is the first of these. */
  readonly firstLine: number;
  readonly chain: readonly IncludeStep[];
}

export interface IncludeFault {
  /** Of the `include` in the file itself. */
  readonly line: number;
  readonly message: string;
  /** The place in an included file, where what is wrong is there. */
  readonly within?: IncludedPlace | undefined;
}

export interface ExpandedText {
  readonly text: string;
  /** In order, without gaps. */
  readonly lines: readonly IncludedLines[];
  readonly faults: readonly IncludeFault[];
}

/** Puts the documents of included files in place of each `include`; `undefined` where there is none. Pure. */
export function expandIncludes(text: string, included: readonly IncludedText[]): ExpandedText | undefined {
  const top = findIncludes(text);
  return top.documents.length === 0 ? undefined : new Expansion(text, included).expand(top);
}

/** An `include`, and the file in which it stands. */
interface Inclusion {
  readonly request: IncludeRequest;
  /** Absent = the file itself. */
  readonly from?: { readonly name: string; readonly text: string } | undefined;
  /** Up to this `include`. */
  readonly chain: readonly IncludeStep[];
}

class Expansion {
  readonly #text: string;
  readonly #included: ReadonlyMap<string, IncludedText>;
  readonly #faults: IncludeFault[] = [];
  readonly #lines: IncludedLines[] = [];
  #whole = '';
  #bytes = 0;
  #files = 0;

  constructor(text: string, included: readonly IncludedText[]) {
    this.#text = text;
    this.#included = new Map(included.map((one) => [one.name, one]));
  }

  expand({ documents, faults }: FoundIncludes): ExpandedText {
    this.#faults.push(...faults);
    let at = 0;
    for (const { offset, length, items } of documents) {
      this.#appendOwn(at, offset);
      for (const request of items) {
        const name = includeName(request);
        const source = { name, firstLine: 1, chain: [{ line: request.line }] };
        this.#separate(request.line, source);
        const commit = this.#included.get(name)?.commit;
        this.#add(`# ${name}${commit === undefined ? '' : ` (${commit})`}\n`, request.line, source);
        this.#append({ request, chain: source.chain });
      }
      at = offset + length;
    }
    this.#appendOwn(at, this.#text.length);
    return { text: this.#whole, lines: this.#lines, faults: this.#faults };
  }

  #appendOwn(from: number, to: number): void {
    if (from === to) return;
    const line = countLines(this.#text.slice(0, from)) + 1;
    const first = this.#nextLine();
    this.#whole += this.#text.slice(from, to);
    this.#lines.push({ from: first, to: this.#nextLine(), line: line - first });
  }

  /** Appends a file with all that it includes. */
  #append(inclusion: Inclusion): void {
    const { request, from, chain } = inclusion;
    const name = includeName(request, from?.name);
    const text = this.#textOf(name, inclusion);
    if (text === undefined) return;
    const [{ line }] = chain as readonly [IncludeStep];
    const nested = findIncludes(text);
    for (const fault of nested.faults)
      this.#faults.push({
        line,
        message: fault.message,
        within: { path: name, line: fault.line, column: 1, text: lineOf(text, fault.line), chain },
      });
    let start = 0;
    const appendPart = (to: number): void => {
      const part = text.slice(start, to);
      const firstLine = countLines(text.slice(0, start)) + 1;
      if (part.trim() !== '') this.#add(part.endsWith('\n') ? part : `${part}\n`, line, { name, firstLine, chain });
    };
    for (const { offset, length, items } of nested.documents) {
      appendPart(offset);
      for (const item of items) {
        this.#separate(line, { name, firstLine: item.line, chain });
        this.#append({ request: item, from: { name, text }, chain: [...chain, { path: name, line: item.line }] });
      }
      start = offset + length;
      this.#separate(line, { name, firstLine: countLines(text.slice(0, start)) + 1, chain });
    }
    appendPart(text.length);
  }

  /** What is read of a file; `undefined` with a fault where it cannot be included. */
  #textOf(name: string, { request, from, chain }: Inclusion): string | undefined {
    const found = this.#included.get(name);
    const refuse = (message: string): undefined => {
      const [{ line }] = chain as readonly [IncludeStep];
      const within = from && {
        path: from.name,
        line: request.line,
        column: 1,
        text: lineOf(from.text, request.line),
        chain: chain.slice(0, -1),
      };
      this.#faults.push({ line, message: `"${name}" cannot be included: ${message}`, ...(within ? { within } : {}) });
      return undefined;
    };
    this.#files += 1;
    if (chain.some(({ path }) => path === name)) return refuse('it includes itself');
    if (chain.length > includeLimits.depth)
      return refuse(`files include each other more than ${includeLimits.depth} deep`);
    if (this.#files > includeLimits.files) return refuse(`a file may include ${includeLimits.files} files`);
    if (found?.text === undefined)
      return refuse(
        found?.fault ?? 'it is looked up where the project is known: run "gantry lint" in the clone, or push',
      );
    this.#bytes += Buffer.byteLength(found.text);
    if (this.#bytes > includeLimits.bytes)
      return refuse(`a file may have ${includeLimits.bytes} bytes with all that it includes`);
    return found.text.replace(/^\uFEFF/, '').replace(/^\.\.\.[^]*$/m, '');
  }

  #separate(line: number, source: IncludedSource): void {
    if (this.#whole !== '' && !this.#whole.endsWith('\n')) this.#add('\n', line, source);
    this.#add('---\n', line, source);
  }

  /** Whole lines of an included file. */
  #add(text: string, line: number, source: IncludedSource): void {
    const from = this.#nextLine();
    this.#whole += text;
    this.#lines.push({ from, to: this.#nextLine() - 1, line, source });
  }

  #nextLine(): number {
    return countLines(this.#whole) + 1;
  }
}

/** Where a line of an expanded text stands for whoever wrote the file, and in which included file it is. */
export function placeOfLine(
  lines: readonly IncludedLines[],
  line: number,
): { readonly line: number; readonly within?: Omit<IncludedPlace, 'column' | 'text'> | undefined } {
  const found = lines.findLast(({ from, to }) => from <= line && line <= to);
  if (!found) return { line };
  const { source } = found;
  if (!source) return { line: line + found.line };
  const within = { path: source.name, line: source.firstLine + line - found.from, chain: source.chain };
  return { line: found.line, within };
}

const maxShownLength = 500;

function lineOf(text: string, line: number): string {
  return (text.split('\n', line)[line - 1] ?? '').replace(/\r$/, '').slice(0, maxShownLength);
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
