import { describe, expect, it } from 'vitest';
import { FoldedRows, headerHeight, rowHeight } from './folded-rows.ts';

describe('FoldedRows', () => {
  // Lines 0–2 before the first command, 3–9 the first, 10 the second without output, 11–14 the third.
  const commands = [3, 10, 11];
  const lines = 15;

  it('is the lines themselves while everything is open', () => {
    const rows = new FoldedRows(commands, lines, () => true);
    expect(rows.count).toBe(15);
    for (let line = 0; line < lines; line++) {
      expect(rows.rowOf(line)).toBe(line);
      expect(rows.lineAt(line)).toBe(line);
    }
  });

  it('shows the header alone of a folded command', () => {
    const rows = new FoldedRows(commands, lines, (command) => command === 2);
    expect(Array.from({ length: rows.count }, (_, row) => rows.lineAt(row))).toEqual([0, 1, 2, 3, 10, 11, 12, 13, 14]);
    expect(rows.rowOf(7)).toBe(3);
    expect(rows.rowOf(12)).toBe(6);
    expect(rows.commandOf(2)).toBe(-1);
    expect(rows.commandOf(10)).toBe(1);
    expect(rows.end(0)).toBe(10);
  });

  it('gives headers their height, and finds the row at any height', () => {
    const rows = new FoldedRows(commands, lines, (command) => command === 2);
    expect(rows.height).toBe(9 * rowHeight + 3 * (headerHeight - rowHeight));
    for (let row = 0; row < rows.count; row++) {
      expect(rows.rowAt(rows.topOf(row))).toBe(row);
      expect(rows.rowAt(rows.topOf(row) + rowHeight - 1)).toBe(row);
    }
    expect(rows.rowAt(1e9)).toBe(8);
  });

  it('is empty for an empty log', () => {
    const rows = new FoldedRows([], 0, () => true);
    expect([rows.count, rows.height, rows.rowAt(50)]).toEqual([0, 0, 0]);
  });
});
