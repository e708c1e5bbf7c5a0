import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { compilePipeline } from '../../src/engine/compile.ts';
import { dialectRules } from '../../src/engine/dialect-rules.ts';
import { DocumentReader } from '../../src/engine/document-reader.ts';
import { type EncodedSetting, encodeSetting } from '../../src/engine/encode-setting.ts';
import { findGlobFault, type GlobMode, matchGlob } from '../../src/engine/glob.ts';
import { LintReport } from '../../src/engine/lint-report.ts';
import { readMatrix } from '../../src/engine/read-matrix.ts';
import { secretValue } from '../../src/engine/secret-value.ts';
import { SubstitutionError, substitute } from '../../src/engine/substitute.ts';
import { readYaml } from '../../src/engine/yaml/read-yaml.ts';
import type { YamlNode } from '../../src/engine/yaml/yaml-node.ts';
import { compileInputOf } from '../support/compile-input.ts';

function loadVectors<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(`../vectors/pipelines/${name}`, import.meta.url), 'utf8')) as T;
}

interface SubstitutionRow {
  readonly in: string;
  readonly out?: string;
  readonly error?: string;
  readonly drone08?: { readonly error: string };
}

describe('substitution vectors', () => {
  const file = loadVectors<{
    env: Record<string, string>;
    vectors: SubstitutionRow[];
    quoted: SubstitutionRow[];
  }>('substitution.json');
  const rows = [
    ...file.vectors.map((row) => ({ row, quotesNewlines: false })),
    ...file.quoted.map((row) => ({ row, quotesNewlines: true })),
  ];
  for (const isStrictDrone08 of [false, true]) {
    describe(isStrictDrone08 ? 'strict Drone 0.8' : 'Drone 1.x', () => {
      it.each(rows.map((entry) => [entry.row.in, entry] as const))('%s', (_title, { row, quotesNewlines }) => {
        const error = (isStrictDrone08 ? row.drone08?.error : undefined) ?? row.error;
        const run = (): string =>
          substitute(row.in, new Map(Object.entries(file.env)), { quotesNewlines, isStrictDrone08 }).text;
        if (error === undefined) expect(run()).toBe(row.out);
        else expect(run).toThrow(SubstitutionError);
      });
    });
  }
});

type GlobColumn = 'drone08_filepathMatch' | 'drone1' | 'woodpecker';
type GlobRow = { readonly pattern: string; readonly value: string } & Readonly<Record<GlobColumn, boolean>> &
  Readonly<Partial<Record<'drone08_error' | 'drone1_error' | 'woodpecker_error', string>>>;

describe('glob vectors', () => {
  const { vectors } = loadVectors<{ vectors: GlobRow[] }>('glob.json');
  const columns: readonly [GlobMode, GlobColumn, 'drone08_error' | 'drone1_error' | 'woodpecker_error'][] = [
    ['drone08', 'drone08_filepathMatch', 'drone08_error'],
    ['drone1', 'drone1', 'drone1_error'],
    ['woodpecker', 'woodpecker', 'woodpecker_error'],
  ];
  for (const [mode, column, errorColumn] of columns) {
    it.each(vectors.map((row) => [row.pattern, row.value, row] as const))(
      `${mode}: %j against %j`,
      (pattern, value, row) => {
        expect(matchGlob(pattern, value, mode)).toBe(row[column]);
        if (row[errorColumn] !== undefined) expect(findGlobFault(pattern, mode)).toBeDefined();
      },
    );
  }
});

type EncodedCell =
  | { readonly value: string }
  | { readonly unset: true }
  | { readonly secret: string }
  | { readonly error: string };

interface EncodingRow {
  readonly yaml: string;
  readonly drone08: { readonly settings: EncodedCell; readonly environment: EncodedCell };
  readonly drone1: { readonly settings: EncodedCell; readonly environment: EncodedCell };
  readonly woodpecker: { readonly settings_and_environment: EncodedCell };
}

describe('settings vectors, Drone 1.x', () => {
  const { vectors } = loadVectors<{ vectors: EncodingRow[] }>('settings-encoding.json');
  const rows = vectors.map((row) => [row.yaml, row.drone1] as const);

  it.each(rows)('as a setting: %j', (yaml, cells) => {
    expect(cellOf(encodeSetting(settingOf(yaml), dialectRules.drone1))).toEqual(
      'error' in cells.settings ? { error: expect.any(String) } : cells.settings,
    );
  });

  // The compiler drops empty values afterwards, those of maps included.
  it.each(rows)('as a variable: %j', (yaml, { environment: cell }) => {
    const indented = yaml.replaceAll(/^(?=.)/gm, '    ');
    const text = `kind: pipeline\nsteps:\n- name: s\n  image: x\n  environment:\n${indented}`;
    const result = compilePipeline(compileInputOf('.drone.yml', text));
    const step = result.kind === 'planned' ? result.plan.workflows[0]?.steps[1] : undefined;
    if ('error' in cell) {
      expect(result.kind).toBe('failed');
    } else if ('secret' in cell) {
      expect(step?.secrets).toMatchObject([{ variable: 'v', secret: cell.secret }]);
    } else {
      expect(result.kind).toBe('planned');
      expect(step?.environment['v']).toBe('value' in cell && cell.value !== '' ? cell.value : undefined);
    }
  });
});

/** Rows in which we deviate on purpose: 64-bit floats and whole integers everywhere, `null` in JSON (pipelines.md 15). */
const ownResults: Readonly<Record<string, EncodedCell>> = {
  'v: 18446744073709551615\n': { value: '18446744073709551615' },
  'v: 1.23456789012345678\n': { value: '1.2345678901234567' },
  'v: 100000000.5\n': { value: '1.000000005e+08' },
  'v: {a: ~}\n': { value: '{"a":null}' },
  'v: [{a: ~}]\n': { value: '[{"a":null}]' },
};

describe('settings vectors, Drone 0.8 and Woodpecker', () => {
  const { vectors } = loadVectors<{ vectors: EncodingRow[] }>('settings-encoding.json');
  const secrets = new Map([['tok', 'S3cr<t']]);
  const wanted = (yaml: string, cell: EncodedCell): unknown =>
    ownResults[yaml] ?? ('error' in cell ? { error: expect.any(String) } : cell);

  it.each(vectors.map((row) => [row.yaml, row.drone08.settings] as const))(
    'as a parameter of a plugin in Drone 0.8: %j',
    (yaml, cell) => {
      expect(cellOf(encodeSetting(settingOf(yaml), dialectRules.drone08))).toEqual(wanted(yaml, cell));
    },
  );

  it.each(vectors.map((row) => [row.yaml, row.woodpecker.settings_and_environment] as const))(
    'in Woodpecker: %j',
    (yaml, cell) => {
      expect(cellOf(encodeSetting(settingOf(yaml), dialectRules.woodpecker), secrets)).toEqual(wanted(yaml, cell));
    },
  );
});

interface MatrixRow {
  readonly yaml: string;
  readonly axes: readonly Record<string, string>[] | string | null;
  readonly error?: string;
}

describe('matrix vectors', () => {
  const { vectors } = loadVectors<{ vectors: MatrixRow[] }>('matrix-drone08.json');

  it.each(vectors.map((row) => [row.yaml, row] as const))('%j', (yaml, { axes, error }) => {
    const root = readYaml(yaml);
    const entry = root?.kind === 'map' ? root.entries[0] : undefined;
    const report = new LintReport('drone08');
    const sets = readMatrix(new DocumentReader(dialectRules.drone08, report, () => ({ line: 1, column: 1 })), entry);
    expect(report.hasError).toBe(error !== undefined);
    if (axes === null) expect(sets).toEqual([]);
    else if (typeof axes === 'string') {
      const [, count, names] = /^(\d+) ax[ei]s(?:, (\d+) names)?$/.exec(axes) ?? [];
      expect(sets).toHaveLength(Number(count));
      if (names !== undefined) expect(Object.keys(sets[0] ?? {})).toHaveLength(Number(names));
    } else expect(new Set(sets.map(textOf))).toEqual(new Set(axes.map(textOf)));
  });

  function textOf(axes: Readonly<Record<string, string>>): string {
    return JSON.stringify(Object.entries(axes).toSorted(([a], [b]) => (a < b ? -1 : 1)));
  }
});

/** Its secrets have values in the vectors of Woodpecker. */
function cellOf(encoded: EncodedSetting, secrets: ReadonlyMap<string, string> = new Map()): EncodedCell {
  switch (encoded.kind) {
    case 'value':
      return { value: encoded.text };
    case 'unset':
      return { unset: true };
    case 'secret': {
      const value = secrets.get(encoded.name);
      return value === undefined ? { secret: encoded.name } : { value };
    }
    case 'composed': {
      const value = secretValue({ variable: 'v', secret: '', isRequired: true, parts: encoded.parts }, secrets);
      return value === undefined ? { unset: true } : { value };
    }
    case 'error':
      return { error: encoded.message };
  }
}

function settingOf(yaml: string): YamlNode {
  const root = readYaml(yaml);
  const node = root?.kind === 'map' ? root.entries[0]?.value : undefined;
  if (!node) throw new Error('The document has no key');
  return node;
}
