import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { LogPiece } from '../../src/core/events.ts';
import { FilesystemLogs } from '../../src/drivers/logs/filesystem/filesystem-logs.ts';
import { StepLogs } from '../../src/features/pipelines/step-logs.ts';

const folders: string[] = [];
afterEach(async () => {
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true });
});

const child = join(import.meta.dirname, '../support/log-writer-child.ts');
const count = 60;
const textOf = (sequence: number): string => `chunk ${sequence} ${'x'.repeat((sequence * 37) % 500)}\n`;
const prefixOf = (chunks: number): string => Array.from({ length: chunks }, (_, i) => textOf(i + 1)).join('');

/** Runs the writer until it ends or dies; answers the highest number that it had acknowledged. */
async function write(folder: string, failpoints: string, killAfterMs?: number) {
  const writer = spawn(process.execPath, [child, folder, failpoints, String(count)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  writer.stdout.on('data', (bytes: Buffer) => (output += bytes.toString()));
  const timer = killAfterMs === undefined ? undefined : setTimeout(() => writer.kill('SIGKILL'), killAfterMs);
  const [, signal] = (await once(writer, 'close')) as [number | null, string | null];
  clearTimeout(timer);
  const numbers = output
    .split('\n')
    .slice(0, -1)
    .filter((line) => /^\d+$/.test(line))
    .map(Number);
  return { acknowledged: Math.max(0, ...numbers), isKilled: signal === 'SIGKILL', hasEnded: output.endsWith('end\n') };
}

/** What was acknowledged is there; what is there is a prefix of what was written, whole chunks of it. */
async function expectPrefix(folder: string, acknowledged: number): Promise<void> {
  const logs = new FilesystemLogs(folder);
  const writer = await logs.open(1);
  const { sequence, sizeBytes } = writer.state;
  expect(sequence).toBeGreaterThanOrEqual(acknowledged);
  expect(String(await logs.read(1, 0, sizeBytes + 1_000))).toBe(prefixOf(sequence));
  await writer.close();
}

describe('a log whose chunks come twice and in disorder', () => {
  it('is whole in the end, without a gap and without a double', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'log-order-'));
    folders.push(folder);
    const storage = new FilesystemLogs(folder);
    const logs = new StepLogs(storage);
    const shown: LogPiece[] = [];
    logs.subscribe(1, (piece) => shown.push(piece));
    let seed = 7;
    const random = (below: number): number => (seed = (seed * 48_271) % 2_147_483_647) % below;
    const send = (sequence: number): Promise<number> =>
      logs.append({ stepId: 1, sequence, stream: 'stdout', atMs: 0 }, Buffer.from(textOf(sequence)));
    let stored = 0;
    while (stored < count) {
      const answers: Promise<number>[] = [];
      for (let i = 0; i < 10; i += 1) answers.push(send(Math.max(1, Math.min(count, stored + 4 - random(8)))));
      answers.push(send(stored + 1));
      stored = Math.max(stored, ...(await Promise.all(answers)));
    }
    expect(await logs.end(1, count + 5, false)).toBe(count);
    expect(await logs.end(1, count + 1, false)).toBe(count + 1);
    expect(await logs.end(1, count + 1, false)).toBe(count + 1);
    expect(String(await storage.read(1, 0, 1e6))).toBe(prefixOf(count));
    expect(shown.map(({ bytes }) => String(bytes)).join('')).toBe(prefixOf(count));
    expect(shown.filter(({ isEnd }) => isEnd)).toHaveLength(1);
    await logs.closeAll();
  });
});

describe('a log whose server is killed', () => {
  it.each(['log.afterWrite', 'log.afterSync'])(
    'keeps what was acknowledged, whole chunks, at every %s',
    async (name) => {
      let fired = 0;
      for (let call = 1; call <= 12; call += 1) {
        const folder = await mkdtemp(join(tmpdir(), 'log-kill-'));
        folders.push(folder);
        const first = await write(folder, `${name}=kill@${call}`);
        if (!first.isKilled) continue;
        fired += 1;
        await expectPrefix(folder, first.acknowledged);
        // The next server goes on from there: what is sent again makes neither a gap nor a double.
        const second = await write(folder, '');
        expect(second.hasEnded).toBe(true);
        const logs = new FilesystemLogs(folder);
        expect(String(await logs.read(1, 0, 1e6))).toBe(prefixOf(count));
        expect(await logs.find(1)).toMatchObject({ sequence: count, lines: count, isEnded: true });
      }
      expect(fired).toBeGreaterThanOrEqual(5);
    },
  );

  it('keeps what was acknowledged when it dies at any moment, again and again', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'log-kill-'));
    folders.push(folder);
    let killed = 0;
    let acknowledged = 0;
    for (let round = 0; round < 15; round += 1) {
      const run = await write(folder, 'log.afterSync=delay:40@2', 90 + ((round * 17) % 60));
      if (run.isKilled) killed += 1;
      acknowledged = Math.max(acknowledged, run.acknowledged);
      await expectPrefix(folder, acknowledged);
    }
    expect(killed).toBeGreaterThan(0);
    await write(folder, '');
    expect(String(await new FilesystemLogs(folder).read(1, 0, 1e6))).toBe(prefixOf(count));
  });
});
