/**
 * Reads a Dockerfile as far as one must to say which images it builds on, and to replace their names in place: lines stay
 * where they are. What the builder itself complains about is left to it.
 */
export interface Dockerfile {
  readonly text: string;
  readonly instructions: readonly DockerInstruction[];
  /** Line of a `# syntax=` directive, which would have a builder fetch and run an image; absent without one. */
  readonly syntaxLine?: number;
}

export interface DockerInstruction {
  /** In upper case. */
  readonly name: string;
  /** As written, with its continuations. */
  readonly text: string;
  /** Place of `text` in the file. */
  readonly offset: number;
  /** Counts from 1. */
  readonly line: number;
}

/** An image that a Dockerfile names. */
export interface ImageUse {
  /** After replacing arguments. */
  readonly reference: string;
  readonly offset: number;
  readonly length: number;
  readonly line: number;
  /** Of `FROM --platform=`, after replacing arguments. */
  readonly platform?: string;
}

/** A flag of an instruction: `--mount=type=cache,target=/root`. */
interface Flag {
  readonly text: string;
  readonly offset: number;
}

const maxInstructions = 5_000;

/** Reads a Dockerfile. Never throws; more than 5,000 instructions are left out. */
export function readDockerfile(text: string): Dockerfile {
  const lines = text.split(/(?<=\n)/);
  const { escape, syntaxLine } = readDirectives(lines);
  const instructions: DockerInstruction[] = [];
  let offset = 0;
  for (let at = 0; at < lines.length && instructions.length < maxInstructions; ) {
    const first = lines[at]!;
    if (isBlankOrComment(first)) {
      offset += first.length;
      at += 1;
      continue;
    }
    const begin = at;
    let end = at + 1;
    let isOpen = isContinued(first, escape);
    while (isOpen && end < lines.length) {
      // Comments and empty lines within an instruction belong to it and continue it.
      isOpen = isBlankOrComment(lines[end]!) || isContinued(lines[end]!, escape);
      end += 1;
    }
    end = skipHeredocs(lines, begin, end);
    const whole = lines.slice(begin, end).join('');
    const name = /^\s*([A-Za-z]+)/.exec(whole)?.[1]?.toUpperCase() ?? '';
    instructions.push({ name, text: whole, offset, line: begin + 1 });
    offset += whole.length;
    at = end;
  }
  return { text, instructions, ...(syntaxLine === undefined ? {} : { syntaxLine }) };
}

/**
 * Every image that is named by FROM, `COPY --from=` and `RUN --mount=…from=`: stages of the file and `scratch` are left
 * out. `args` are those of the build; the platform is known to the builder only, so `$BUILDPLATFORM` stays as it is.
 */
export function imageUses(file: Dockerfile, args: Readonly<Record<string, string>>): readonly ImageUse[] {
  const uses: ImageUse[] = [];
  const stages = new Set<string>();
  const globals = new Map<string, string>();
  let stageCount = 0;
  for (const instruction of file.instructions) {
    const { name, offset, line } = instruction;
    if (name === 'ARG' && stageCount === 0) readArgument(instruction, globals, args);
    else if (name === 'FROM') {
      const found = readFrom(instruction, globals);
      if (found && !isStage(found.reference, stages))
        uses.push({
          reference: found.reference,
          offset: offset + found.offset,
          length: found.length,
          line,
          ...(found.platform === undefined ? {} : { platform: found.platform }),
        });
      stages.add(String(stageCount));
      stageCount += 1;
      if (found?.stage !== undefined) stages.add(found.stage.toLowerCase());
    } else if (name === 'COPY' || name === 'ADD' || name === 'RUN')
      for (const flag of flagsOf(instruction)) {
        const from = fromOfFlag(flag);
        if (from && !isStage(from.text, stages) && from.text !== '')
          uses.push({ reference: from.text, offset: offset + from.offset, length: from.text.length, line });
      }
  }
  return uses;
}

/** A RUN, and the image that its stage is built on. */
export interface RunInstruction {
  /** With its flags, as written. */
  readonly text: string;
  readonly line: number;
  /** Where in the file the first flag would stand: right behind the word. */
  readonly offset: number;
  /** After replacing arguments, through all stages; `scratch` too. */
  readonly base: string;
}

/** Every RUN instruction. */
export function runInstructions(file: Dockerfile, args: Readonly<Record<string, string>>): readonly RunInstruction[] {
  const runs: RunInstruction[] = [];
  const globals = new Map<string, string>();
  const bases = new Map<string, string>();
  let stages = 0;
  let base: string | undefined;
  for (const instruction of file.instructions) {
    const { name, offset, line, text } = instruction;
    if (name === 'ARG' && base === undefined) readArgument(instruction, globals, args);
    else if (name === 'FROM') {
      const found = readFrom(instruction, globals);
      base = bases.get(found?.reference.toLowerCase() ?? '') ?? found?.reference ?? '';
      bases.set(String(stages), base);
      stages += 1;
      if (found?.stage !== undefined) bases.set(found.stage.toLowerCase(), base);
    } else if (name === 'RUN' && base !== undefined)
      runs.push({ text, line, offset: offset + (/^\s*RUN/i.exec(text)?.[0].length ?? 0), base });
  }
  return runs;
}

/** The names that ARG declares for instructions of a stage; those before the first FROM are for FROM alone. */
export function declaredArguments({ instructions }: Dockerfile): ReadonlySet<string> {
  const first = instructions.findIndex(({ name }) => name === 'FROM');
  const inStages = instructions.filter(({ name }, index) => name === 'ARG' && index > first);
  return new Set(inStages.flatMap((instruction) => [...argumentsOf(instruction)].map((found) => found[1]!)));
}

/** The ids of cache mounts, and where in the file one stands or belongs. */
export interface CacheMount {
  /** Its own id, or else its target: what the builder takes for its id. */
  readonly id: string;
  /** Where `id=…` is to stand in the file, and how much is replaced by it. */
  readonly offset: number;
  readonly length: number;
  /** Whether `,id=` is to be written there, not the id alone. */
  readonly isNew: boolean;
}

/** The cache mounts of all RUN instructions. */
export function cacheMounts(file: Dockerfile): readonly CacheMount[] {
  return file.instructions
    .filter(({ name }) => name === 'RUN')
    .flatMap((instruction) =>
      flagsOf(instruction).flatMap((flag): readonly CacheMount[] => {
        const fields = mountFields(flag);
        if (!fields.some(({ key, value }) => key === 'type' && value === 'cache')) return [];
        const id = fields.find(({ key }) => key === 'id');
        if (id)
          return [{ id: id.value, offset: instruction.offset + id.offset, length: id.value.length, isNew: false }];
        const target = fields.find(({ key }) => key === 'target' || key === 'dst' || key === 'destination');
        const end = instruction.offset + flag.offset + flag.text.length;
        return target ? [{ id: target.value, offset: end, length: 0, isNew: true }] : [];
      }),
    );
}

/** The text with pieces of it replaced: none may overlap. */
export function replaced(
  text: string,
  changes: readonly { readonly offset: number; readonly length: number; readonly by: string }[],
): string {
  let result = '';
  let at = 0;
  for (const { offset, length, by } of changes.toSorted((a, b) => a.offset - b.offset)) {
    result += text.slice(at, offset) + by;
    at = offset + length;
  }
  return result + text.slice(at);
}

/** The line of the instruction that a builder calls by this text, such as `RUN make test`; absent when none is, or several. */
export function findInstructionLine({ instructions }: Dockerfile, called: string): number | undefined {
  const wanted = withoutSpaces(called);
  const found = instructions.filter(({ text }) => withoutSpaces(text) === wanted);
  return found.length === 1 ? found[0]!.line : undefined;
}

/** Builders join continued lines and shorten spaces. */
function withoutSpaces(text: string): string {
  return text
    .replaceAll(/^\s*#.*\n/gm, '')
    .replaceAll(/\\\r?\n/g, '')
    .replaceAll(/\s+/g, '');
}

/** Directives stand before everything else: `# escape=` and `# syntax=`. */
function readDirectives(lines: readonly string[]): { readonly escape: string; readonly syntaxLine?: number } {
  let escape = '\\';
  for (const [index, line] of lines.entries()) {
    const found = /^\s*#\s*([a-zA-Z]+)\s*=\s*(.*?)\s*$/.exec(line.replace(/^\uFEFF/, ''));
    if (!found) break;
    const name = found[1]!.toLowerCase();
    if (name === 'escape' && (found[2] === '`' || found[2] === '\\')) escape = found[2];
    if (name === 'syntax') return { escape, syntaxLine: index + 1 };
  }
  return { escape };
}

function isBlankOrComment(line: string): boolean {
  return /^\s*(?:#.*)?$/.test(line.replace(/\r?\n$/, ''));
}

function isContinued(line: string, escape: string): boolean {
  return line.replace(/\s+$/, '').endsWith(escape);
}

/** What stands between `<<EOF` and `EOF` is no instruction. */
function skipHeredocs(lines: readonly string[], begin: number, end: number): number {
  const head = lines.slice(begin, end).join('');
  if (!/^\s*(?:RUN|COPY|ADD)\b/i.test(head)) return end;
  let at = end;
  for (const found of head.matchAll(/(?<![<\w])<<(-?)(["']?)([A-Za-z_]\w*)\2/g)) {
    const close = found[3]!;
    const isEnd = (line: string): boolean => {
      const text = line.replace(/\r?\n$/, '');
      return (found[1] === '-' ? text.replace(/^\t+/, '') : text) === close;
    };
    const last = lines.findIndex((line, index) => index >= at && isEnd(line));
    // One that is never closed is none: a shift in arithmetic looks the same.
    if (last !== -1) at = last + 1;
  }
  return at;
}

/** Each name, and its default as written. */
function argumentsOf({ text }: Pick<DockerInstruction, 'text'>): IterableIterator<RegExpExecArray> {
  return text.replace(/^\s*ARG\s+/i, '').matchAll(/([A-Za-z_]\w*)(?:=("[^"]*"|'[^']*'|\S*))?/g);
}

function readArgument(
  { text }: DockerInstruction,
  globals: Map<string, string>,
  args: Readonly<Record<string, string>>,
): void {
  for (const found of argumentsOf({ text })) {
    const name = found[1]!;
    const value = Object.hasOwn(args, name) ? args[name]! : found[2] && expand(unquoted(found[2]), globals);
    if (value !== undefined) globals.set(name, value);
  }
}

function readFrom(
  { text }: DockerInstruction,
  globals: ReadonlyMap<string, string>,
):
  | {
      readonly reference: string;
      readonly offset: number;
      readonly length: number;
      readonly platform?: string;
      readonly stage?: string;
    }
  | undefined {
  // Between the words there may be continuations.
  const gap = '(?:\\s|\\\\\\s*\\n)+';
  const found = new RegExp(`^\\s*FROM${gap}((?:--\\S+${gap})*)(\\S+)(?:${gap}AS${gap}(\\S+))?`, 'di').exec(text);
  const place = found?.indices?.[2];
  if (!found || !place) return undefined;
  const platform = /--platform=(\S+)/i.exec(found[1] ?? '')?.[1];
  const written = unquoted(found[2]!);
  return {
    reference: expand(written, globals),
    offset: place[0],
    length: place[1] - place[0],
    ...(platform === undefined ? {} : { platform: expand(unquoted(platform), globals) }),
    ...(found[3] === undefined ? {} : { stage: found[3] }),
  };
}

function unquoted(text: string): string {
  return /^(["']).*\1$/.test(text) ? text.slice(1, -1) : text;
}

/** `$NAME`, `${NAME}`, `${NAME:-default}`, `${NAME:+other}`; a name that nobody knows stays as it is. */
function expand(text: string, values: ReadonlyMap<string, string>): string {
  return text.replaceAll(
    /\$(?:\{([A-Za-z_]\w*)(?:(:?[-+])([^{}]*))?\}|([A-Za-z_]\w*))/g,
    (whole, braced: string | undefined, operator: string | undefined, word: string | undefined, bare: string) => {
      const value = values.get(braced ?? bare);
      const isSet = value !== undefined && (value !== '' || operator?.startsWith(':') !== true);
      if (operator?.endsWith('-')) return isSet ? value : expand(word ?? '', values);
      if (operator?.endsWith('+')) return isSet ? expand(word ?? '', values) : '';
      return value ?? whole;
    },
  );
}

function isStage(reference: string, stages: ReadonlySet<string>): boolean {
  return reference === 'scratch' || stages.has(reference.toLowerCase());
}

/** The `--name=value` words that stand before what an instruction does. */
function flagsOf({ text }: DockerInstruction): readonly Flag[] {
  const flags: Flag[] = [];
  const word = /(?:\s|\\\s*\n|(?<=\n)\s*#.*\n)*(--[a-z][^\s]*)/dy;
  word.lastIndex = /^\s*[A-Za-z]+/.exec(text)?.[0].length ?? 0;
  for (let found = word.exec(text); found; found = word.exec(text))
    flags.push({ text: found[1]!, offset: found.indices![1]![0] });
  return flags;
}

function fromOfFlag(flag: Flag): { readonly text: string; readonly offset: number } | undefined {
  const plain = /^--from=(.*)$/.exec(flag.text);
  if (plain) return { text: plain[1]!, offset: flag.offset + '--from='.length };
  const from = mountFields(flag).find(({ key }) => key === 'from');
  return from && { text: from.value, offset: from.offset };
}

function mountFields(flag: Flag): readonly { readonly key: string; readonly value: string; readonly offset: number }[] {
  if (!flag.text.startsWith('--mount=')) return [];
  let at = '--mount='.length;
  return flag.text
    .slice(at)
    .split(',')
    .map((field) => {
      const equals = field.indexOf('=');
      const key = (equals < 0 ? field : field.slice(0, equals)).toLowerCase();
      const value = equals < 0 ? '' : field.slice(equals + 1);
      const offset = flag.offset + at + (equals < 0 ? field.length : equals + 1);
      at += field.length + 1;
      return { key, value, offset };
    });
}
