import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { silentLogger } from '../../lib/logger.ts';
import { PushHooks } from './push-hook.ts';

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

function dataFolder(depth = 0): string {
  const top = mkdtempSync(join(tmpdir(), 'hook-test-'));
  folders.push(top);
  const folder = join(top, ...Array.from({ length: depth }, () => 'a-rather-long-name'));
  mkdirSync(folder, { recursive: true });
  return folder;
}

const socketOf = (hooks: PushHooks): string =>
  hooks.expect(() => Promise.resolve(undefined)).environment['GANTRY_HOOK_SOCKET']!;

async function answers(path: string): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = connect(path, () => resolve(true)).on('error', () => resolve(false));
  const isThere = await promise;
  socket.destroy();
  return isThere;
}

describe('the socket of push hooks', () => {
  it('stands in the data folder, and a server that was killed leaves nothing that the next one minds', async () => {
    const folder = dataFolder();
    const killed = new PushHooks(folder, silentLogger);
    await killed.start();
    expect(socketOf(killed)).toBe(join(folder, 'hooks', 'socket'));
    // Never stopped: as after a kill, its socket is still there.
    const next = new PushHooks(folder, silentLogger);
    await next.start();
    expect(await answers(socketOf(next))).toBe(true);
    await next.stop();
    await killed.stop();
  });

  it('stands in one temporary folder for a data folder that lies too deep, however often the server is killed', async () => {
    const folder = dataFolder(8);
    const killed = new PushHooks(folder, silentLogger);
    await killed.start();
    const next = new PushHooks(folder, silentLogger);
    await next.start();
    expect(socketOf(next)).toBe(socketOf(killed));
    expect(Buffer.byteLength(socketOf(next))).toBeLessThanOrEqual(107);
    expect(await answers(socketOf(next))).toBe(true);
    await killed.stop();
    await next.stop();
    expect(existsSync(socketOf(next))).toBe(false);
  });
});
