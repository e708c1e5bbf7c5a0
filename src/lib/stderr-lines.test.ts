import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { stderrLines } from './stderr-lines.ts';

describe('stderrLines', () => {
  it('writes each line whole', () => {
    const folder = mkdtempSync(join(tmpdir(), 'gantry-lines-'));
    const file = openSync(join(folder, 'log'), 'a');
    try {
      const write = stderrLines(file);
      write('one\n');
      write(`${'x'.repeat(100_000)}\n`);
      expect(readFileSync(join(folder, 'log'), 'utf8')).toBe(`one\n${'x'.repeat(100_000)}\n`);
    } finally {
      closeSync(file);
      rmSync(folder, { recursive: true });
    }
  });

  it('goes on when nothing can be written, and says afterwards how many lines are missing', () => {
    const folder = mkdtempSync(join(tmpdir(), 'gantry-lines-'));
    const full = openSync('/dev/full', 'w');
    try {
      // The same descriptor number, first with no room behind it and then with room: as a disk that is cleaned up.
      const write = stderrLines(full);
      write('lost\n');
      write('lost as well\n');
      closeSync(full);
      const again = openSync(join(folder, 'log'), 'a');
      expect(again).toBe(full);
      write('heard\n');
      expect(readFileSync(join(folder, 'log'), 'utf8').split('\n')).toEqual([
        '{"level":"warn","message":"Lines of this log were lost","lost":2}',
        'heard',
        '',
      ]);
      closeSync(again);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
