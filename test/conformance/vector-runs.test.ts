import { describe, expect, it } from 'vitest';
import { compilePipeline } from '../../src/engine/compile.ts';
import { compileInputOf } from '../support/compile-input.ts';
import {
  allRows,
  notRun,
  refusedFileOf,
  rowsNotRun,
  type VectorRow,
  vectorRuns,
  vectorSecret,
} from '../support/vector-runs.ts';

const textOf = ({ file, column, row }: VectorRow): string => `${file}, ${column}: ${JSON.stringify(row)}`;

describe('the rows of the vectors about pipelines', () => {
  const run = new Set(vectorRuns().flatMap(({ wanted }) => wanted.map(textOf)));

  it('all reach a step on the runtimes, or are listed with the reason why they cannot', () => {
    expect(allRows().filter((row) => run.has(textOf(row)) === (notRun(row) !== undefined))).toEqual([]);
    expect(run.size).toBeGreaterThan(0);
  });

  it('are the only ones that the list names', () => {
    const rows = allRows();
    const isThere = (file: string, column?: string, row?: string): boolean =>
      rows.some(
        (each) =>
          each.file === file &&
          (column === undefined || each.column === column) &&
          (row === undefined || each.row === row),
      );
    const unknown = rowsNotRun.flatMap(({ file, columns = [undefined], rows: texts = [undefined] }) =>
      columns.flatMap((column) =>
        texts.filter((text) => !isThere(file, column, text)).map((text) => [file, column, text]),
      ),
    );
    expect(unknown).toEqual([]);
    expect(rowsNotRun.filter(({ reason }) => reason.length < 10)).toEqual([]);
  });

  it.each(
    allRows()
      .filter((row) => notRun(row)?.isRefused)
      .map((row) => [textOf(row), row] as const),
  )('are refused at a line: %s', (_title, row) => {
    const [[path, text] = ['', '']] = Object.entries(refusedFileOf(row));
    const result = compilePipeline({ ...compileInputOf(path, text), secretNames: [vectorSecret.name] });
    expect(result).toMatchObject({ kind: 'failed', error: { line: expect.any(Number) } });
  });
});
