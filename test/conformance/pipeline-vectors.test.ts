import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { findGlobFault, type GlobMode, matchGlob } from '../../src/engine/glob.ts';
import { SubstitutionError, substitute } from '../../src/engine/substitute.ts';

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
        const run = (): string => substitute(row.in, file.env, { quotesNewlines, isStrictDrone08 }).text;
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
