import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startTicksOf } from '../../../lib/process-identity.ts';
import { type BuildRecord, BuildRecords } from './build-records.ts';

const engine = 'unix:///run/engine.sock';
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'build-records-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const files = (): readonly string[] => readdirSync(folder);
/** Writes the record of a build of another process. */
function recordOf(id: string, change: Partial<BuildRecord>): void {
  const { owner } = JSON.parse(readFileSync(join(folder, 'aa.json'), 'utf8')) as BuildRecord;
  writeFileSync(join(folder, `${id}.json`), JSON.stringify({ id, engine, owner, tags: ['t'], pushes: [], ...change }));
}

describe('BuildRecords', () => {
  it('has on the disk what a build is about to make, until nothing of it is left', () => {
    const records = new BuildRecords(folder, engine);
    const record = records.open('aa');
    record.noteTag('gantry.local/build:aa');
    record.notePush('r.example/app:1', 'sha256:old');
    expect(JSON.parse(readFileSync(join(folder, 'aa.json'), 'utf8'))).toMatchObject({
      id: 'aa',
      engine,
      owner: { pid: process.pid },
      tags: ['gantry.local/build:aa'],
      pushes: [{ name: 'r.example/app:1', before: 'sha256:old' }],
    });
    expect(records.abandoned()).toEqual([]);
    record.noteNoPush('r.example/app:1');
    record.end(true);
    expect(files()).toEqual([]);
  });

  it('takes for abandoned what is over with something left', () => {
    const records = new BuildRecords(folder, engine);
    const record = records.open('aa');
    record.noteTag('t');
    record.end(false);
    expect(records.abandoned()).toMatchObject([{ id: 'aa', tags: ['t'] }]);
    records.forget('aa');
    expect(files()).toEqual([]);
  });

  it('takes builds of processes that are gone for abandoned, and those of living ones not', async () => {
    const records = new BuildRecords(folder, engine);
    records.open('aa');
    const other = spawn('sleep', ['600']);
    try {
      const { owner } = JSON.parse(readFileSync(join(folder, 'aa.json'), 'utf8')) as BuildRecord;
      const living = { ...owner, pid: other.pid!, startTicks: startTicksOf(other.pid!)! };
      recordOf('bb', { owner: living });
      recordOf('cc', { owner: { ...living, startTicks: 1 } });
      recordOf('dd', { owner: { ...living, bootId: 'another' } });
      recordOf('ee', { owner: { ...living, startTicks: 1 }, engine: 'unix:///another' });
      writeFileSync(join(folder, 'ff.json'), '{');
      const found = records.abandoned().map(({ id }) => id);
      expect(found.toSorted()).toEqual(['cc', 'dd']);
      expect(files()).not.toContain('ff.json');
      expect(files()).toContain('ee.json');
    } finally {
      const ended = new Promise((resolve) => other.once('exit', resolve));
      other.kill('SIGKILL');
      await ended;
    }
    expect(records.abandoned().map(({ id }) => id)).toContain('bb');
  });

  it('finds nothing where there is no folder', () => {
    expect(new BuildRecords(join(folder, 'absent'), engine).abandoned()).toEqual([]);
  });
});
