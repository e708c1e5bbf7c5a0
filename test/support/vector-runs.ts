import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');

/** One row of a file of vectors, in one of its columns. */
export interface VectorRow {
  /** `settings-encoding.json`. */
  readonly file: string;
  /** The dialect, and where in a file the row stands: `drone-1 settings`. */
  readonly column: string;
  /** The row's own text. */
  readonly row: string;
}

/** A pipeline that carries rows of vectors as they are to steps that tell what reached them. */
export interface VectorRun {
  /** `drone-1-settings`. */
  readonly name: string;
  readonly files: Readonly<Record<string, string>>;
  /** Absent = the default branch. */
  readonly branch?: string;
  /** Given to a promotion of it: what a push cannot give. */
  readonly parameters?: Readonly<Record<string, string>>;
  /** What the step `say` must have in its environment; `undefined` = nothing of this name. */
  readonly wanted: readonly (VectorRow & { readonly variable: string; readonly value: string | undefined })[];
  /** Of a matrix: the sets of values, one workflow each; a number where the vector says only how many. */
  readonly axes?: readonly Readonly<Record<string, string>>[] | number;
}

/** Rows that reach no step, with the reason. */
export interface RowsNotRun {
  readonly file: string;
  /** Absent = all. */
  readonly columns?: readonly string[];
  /** Absent = all. */
  readonly rows?: readonly string[];
  /** The file that has such a row is refused at a line, and nothing runs. */
  readonly isRefused?: true;
  readonly reason: string;
}

export const rowsNotRun = JSON.parse(
  readFileSync(join(root, 'corpus/vectors-not-run.json'), 'utf8'),
) as readonly RowsNotRun[];

/** Whether the list names a row. */
export function notRun({ file, column, row }: VectorRow): RowsNotRun | undefined {
  return rowsNotRun.find(
    (entry) => entry.file === file && (entry.columns?.includes(column) ?? true) && (entry.rows?.includes(row) ?? true),
  );
}

/** Prints the environment of a step in one line that no masking knows. */
export const tellEnvironment = 'base64 -w0 /proc/self/environ | rev';

/** What `tellEnvironment` printed. */
export function environmentOf(log: string): Map<string, string> {
  const [told = ''] = /^[\w+/=]{100,}$/m.exec(log) ?? [];
  const text = Buffer.from(told.split('').toReversed().join(''), 'base64').toString();
  return new Map(
    text
      .split('\0')
      .filter(Boolean)
      .map((pair) => {
        const end = pair.indexOf('=');
        return [pair.slice(0, end), pair.slice(end + 1)];
      }),
  );
}

export const dialects = ['drone-0.8', 'drone-1', 'woodpecker'] as const;
type Dialect = (typeof dialects)[number];

function load<T>(file: string): T {
  return JSON.parse(readFileSync(join(root, 'vectors/pipelines', file), 'utf8')) as T;
}

interface Cell {
  readonly value?: string;
  readonly secret?: string;
  readonly error?: string;
}
interface EncodingRow {
  readonly yaml: string;
  readonly drone08: { readonly settings: Cell; readonly environment: Cell };
  readonly drone1: { readonly settings: Cell; readonly environment: Cell };
  readonly woodpecker: { readonly settings_and_environment: Cell };
}
interface SubstitutionRow {
  readonly in: string;
  readonly out?: string;
}
interface SubstitutionFile {
  readonly env: Readonly<Record<string, string>>;
  readonly vectors: readonly SubstitutionRow[];
  readonly quoted: readonly SubstitutionRow[];
}
interface MatrixRow {
  readonly yaml: string;
  readonly axes: readonly Readonly<Record<string, string>>[] | string | null;
}
interface GlobRow {
  readonly pattern: string;
  readonly value: string;
}

const encodings = load<{ readonly vectors: readonly EncodingRow[] }>('settings-encoding.json').vectors;
const substitutions = load<SubstitutionFile>('substitution.json');
const matrices = load<{ readonly vectors: readonly MatrixRow[] }>('matrix-drone08.json').vectors;
const globs = load<{ readonly vectors: readonly GlobRow[] }>('glob.json').vectors;

/** The secret of the vectors. */
export const vectorSecret = { name: 'tok', value: 'S3cr<t' };

/** Woodpecker has one column for both: there, steps with settings take no program that could tell what it was given. */
const encodingColumns = [
  ['drone-0.8', 'settings'],
  ['drone-0.8', 'environment'],
  ['drone-1', 'settings'],
  ['drone-1', 'environment'],
  ['woodpecker', 'environment'],
] as const;

/** Every row of every file of vectors about pipelines, once for each column. */
export function allRows(): VectorRow[] {
  return [
    ...encodingColumns.flatMap(([dialect, place]) =>
      encodings.map(({ yaml }) => ({ file: 'settings-encoding.json', column: `${dialect} ${place}`, row: yaml })),
    ),
    ...dialects.flatMap((column) =>
      [...substitutions.vectors, ...substitutions.quoted].map((row) => ({
        file: 'substitution.json',
        column,
        row: row.in,
      })),
    ),
    ...matrices.map(({ yaml }) => ({ file: 'matrix-drone08.json', column: 'drone-0.8', row: yaml })),
    ...dialects.flatMap((column) =>
      globs.map(({ pattern, value }) => ({ file: 'glob.json', column, row: `${pattern} ← ${value}` })),
    ),
  ];
}

/** Pipelines of all rows that can reach a step. */
export function vectorRuns(): VectorRun[] {
  return [
    ...encodingColumns.map(([dialect, place]) => encodingRun(dialect, place)),
    ...dialects.map(substitutionRun),
    ...matrixRuns(),
  ];
}

/** The rows of `v: …`, each under a key of its own in one step. */
function encodingRun(dialect: Dialect, place: 'settings' | 'environment'): VectorRun {
  const column = `${dialect} ${place}`;
  const rows = encodings
    .map((row, index) => ({ row, name: `v${index}` }))
    .filter(({ row: { yaml } }) => !notRun({ file: 'settings-encoding.json', column, row: yaml }));
  const lines = rows.map(({ row, name }) => row.yaml.replace(/^v/, name)).join('');
  return {
    name: column.replace(' ', '-'),
    files: fileOf(dialect, place === 'settings' ? { settings: lines } : { environment: lines }),
    wanted: rows.map(({ row, name }) => ({
      file: 'settings-encoding.json',
      column,
      row: row.yaml,
      variable: place === 'settings' ? `PLUGIN_${name.toUpperCase()}` : name,
      value: valueOf(row, dialect, place),
    })),
  };
}

/** Where Gantry deviates on purpose (pipelines.md 15). */
const ownValues: Readonly<Record<string, string>> = {
  'v: 18446744073709551615\n': '18446744073709551615',
  'v: 1.23456789012345678\n': '1.2345678901234567',
  'v: 100000000.5\n': '1.000000005e+08',
  'v: {a: ~}\n': '{"a":null}',
  'v: [{a: ~}]\n': '[{"a":null}]',
};

function valueOf(row: EncodingRow, dialect: Dialect, place: 'settings' | 'environment'): string | undefined {
  const valueIn = ({ value, secret }: Cell): string | undefined => (secret === undefined ? value : vectorSecret.value);
  // Drone drops variables that are empty.
  const inDrone1 = valueIn(row.drone1.environment) || undefined;
  if (dialect === 'drone-1') return place === 'environment' ? inDrone1 : valueIn(row.drone1.settings);
  // A number or a boolean is no error: it is read as Drone 1.x does.
  const isScalarError = place === 'environment' && row.drone08.environment.error !== undefined;
  if (dialect === 'drone-0.8' && isScalarError) return inDrone1;
  if (dialect === 'drone-0.8' && place === 'environment') return valueIn(row.drone08.environment);
  return (
    ownValues[row.yaml] ??
    valueIn(dialect === 'drone-0.8' ? row.drone08.settings : row.woodpecker.settings_and_environment)
  );
}

/** The texts, each as the whole of a variable. */
function substitutionRun(dialect: Dialect): VectorRun {
  const rows = [...substitutions.vectors, ...substitutions.quoted]
    .map((row, index) => ({ row, name: `v${index}` }))
    .filter(({ row }) => !notRun({ file: 'substitution.json', column: dialect, row: row.in }));
  const environment = rows.map(({ row, name }) => `${name}: |-\n  ${row.in}\n`).join('');
  const isPromoted = dialect === 'drone-1';
  return {
    name: `${dialect}-substitution`,
    files: fileOf(dialect, { environment, ...(isPromoted ? {} : { matrix: [substitutions.env] }) }),
    ...(isPromoted ? { branch: substitutions.env['DRONE_BRANCH']!, parameters: substitutions.env } : {}),
    wanted: rows.map(({ row, name }) => ({
      file: 'substitution.json',
      column: dialect,
      row: row.in,
      variable: name,
      value: row.out === '' && dialect === 'drone-1' ? undefined : row.out,
    })),
  };
}

function matrixRuns(): VectorRun[] {
  const file = 'matrix-drone08.json';
  const rows = matrices.filter(({ yaml }) => !notRun({ file, column: 'drone-0.8', row: yaml }));
  return rows.map(({ yaml, axes }, index) => ({
    name: `drone-0.8-matrix-${index + 1}`,
    files: { '.drone.yml': `${yaml}\npipeline:\n  say:\n    image: alpine\n    commands: ['${tellEnvironment}']\n` },
    wanted: [{ file, column: 'drone-0.8', row: yaml, variable: 'A_NAME_OF_NO_AXIS', value: undefined }],
    axes: typeof axes === 'string' ? Number.parseInt(axes, 10) : (axes ?? [{}]),
  }));
}

/** The file that has one row alone, which is refused. */
export function refusedFileOf({ file, column, row }: VectorRow): Record<string, string> {
  const [dialect, place] = column.split(' ') as [Dialect, string | undefined];
  if (file === 'matrix-drone08.json')
    return { '.drone.yml': `${row}\npipeline:\n  say:\n    image: alpine\n    commands: [env]\n` };
  if (file === 'settings-encoding.json')
    return fileOf(dialect, place === 'settings' ? { settings: row } : { environment: row });
  return fileOf(dialect, { environment: `v: |-\n  ${row}\n` });
}

interface Parts {
  readonly settings?: string;
  readonly environment?: string;
  readonly matrix?: readonly Readonly<Record<string, string>>[];
}

/** A file of the dialect whose step `say` has these settings or variables. */
function fileOf(dialect: Dialect, { settings, environment, matrix }: Parts): Record<string, string> {
  const says =
    settings === undefined ? `commands: ['${tellEnvironment}']` : `entrypoint: [sh, -c, '${tellEnvironment}']`;
  // Parameters of plugins are keys of their step in Drone 0.8.
  const keyed = dialect === 'drone-0.8' ? settings : settings && `settings:\n${indented(settings)}`;
  const body = [`image: alpine`, says, keyed, environment && `environment:\n${indented(environment)}`];
  const step = body
    .filter((part) => part !== undefined)
    .map((part) => part.trimEnd())
    .join('\n');
  const sets = matrix ? `matrix:\n  include: ${JSON.stringify(matrix)}\n` : '';
  switch (dialect) {
    case 'drone-0.8':
      return { '.drone.yml': `${sets}pipeline:\n  say:\n${indented(indented(step))}\n` };
    case 'drone-1':
      return { '.drone.yml': `kind: pipeline\nname: default\nsteps:\n- name: say\n${indented(step)}\n` };
    case 'woodpecker':
      return { '.woodpecker.yml': `${sets}when: {event: push}\nsteps:\n  say:\n${indented(indented(step))}\n` };
  }
}

function indented(text: string): string {
  return text.replaceAll(/^(?=.)/gm, '  ');
}
