import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { testDatabases } from '../../test/support/databases.ts';
import { systemClock } from '../lib/clock.ts';
import { silentLogger } from '../lib/logger.ts';
import { lockDataFolder } from './data-folder-lock.ts';
import { openStore } from './open-store.ts';

const child = fileURLToPath(new URL('../../test/support/store-child.ts', import.meta.url));
const deps = { clock: systemClock, logger: silentLogger };
const databases = await testDatabases();

/** Runs the writing process until it dies and answers what it said until then. */
async function runChild(order: object): Promise<{ readonly lines: readonly string[]; readonly signal: string | null }> {
  const process_ = spawn(process.execPath, [child, JSON.stringify(order)], { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  process_.stdout.on('data', (bytes: Buffer) => {
    text += bytes.toString();
  });
  const signal = await new Promise<string | null>((resolve) => process_.once('close', (_, by) => resolve(by)));
  return { lines: text.split('\n').filter(Boolean), signal };
}

describe.each(databases)('a server killed on $name', ({ create, stop, isMissing }) => {
  if (isMissing) {
    it.skip('needs the database', () => {});
    return;
  }
  afterAll(stop);

  it.each([
    ['commit.before', 1],
    ['commit.before', 7],
    ['commit.after', 1],
    ['commit.after', 7],
  ] as const)('at %s of commit %i has lost nothing that was acknowledged', async (point, call) => {
    const where = await create();
    const { lines, signal } = await runChild({ where, failpoints: `${point}=kill@${call}` });
    expect(signal).toBe('SIGKILL');
    const store = await openStore(where, deps);
    for (const name of lines) expect(await store.read.settings.get(name)).toBe('x'.repeat(500));
    // Each round is one commit of four. The last commit was never acknowledged: before it nothing of it is there,
    // after it all of it.
    const rounds = lines.length / 4;
    expect(rounds).toBe(call - 1);
    const last = await Promise.all([0, 1, 2, 3].map((writer) => store.read.settings.get(`write-${rounds}-${writer}`)));
    expect(last.map((value) => value !== undefined)).toEqual(Array(4).fill(point === 'commit.after'));
    await store.close();
    if (where.kind === 'file') {
      const database = new DatabaseSync(where.path);
      expect(database.prepare('PRAGMA integrity_check').all()).toMatchObject([{ integrity_check: 'ok' }]);
      database.close();
    }
  });

  it('in the middle of a migration has the schema of before', async () => {
    const where = await create();
    const { signal } = await runChild({ where, migration: true });
    expect(signal).toBe('SIGKILL');
    // What it had made half is gone: the same can be made again, and was never recorded.
    expect((await runChild({ where, table: 'half_made' })).lines).toEqual(['made']);
    const store = await openStore(where, deps);
    await store.write(({ settings }) => settings.set('a', '1'));
    expect(await store.read.settings.get('a')).toBe('1');
    await store.close();
  });
});

describe('a data folder', () => {
  it('is free at once after its server was killed', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'gantry-test-'));
    try {
      const holder = spawn(process.execPath, [child, JSON.stringify({ lock: folder })], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      await new Promise((resolve) => holder.stdout.once('data', resolve));
      expect(() => lockDataFolder(folder)).toThrow('another Gantry server is running');
      const ended = new Promise((resolve) => holder.once('close', resolve));
      holder.kill('SIGKILL');
      await ended;
      lockDataFolder(folder).release();
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
