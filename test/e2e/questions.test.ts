import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const gantry = resolve('bin/gantry');

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gantry-questions-'));
});

afterEach(() => rm(folder, { recursive: true, force: true }));

/** Runs a command on a terminal of its own, presses the key when it asks, and answers what was shown and the exit code. */
async function asked(words: string, key: string): Promise<{ readonly shown: string; readonly code: unknown }> {
  const command = `stty cols 80; ${gantry} ${words}`;
  const terminal = spawn('script', ['-qec', command, '/dev/null'], {
    env: { PATH: process.env['PATH'], HOME: folder, LANG: 'C.UTF-8' },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  let shown = '';
  terminal.stdout.on('data', (chunk: Buffer) => {
    const wasAsked = shown.includes('Password');
    shown += chunk.toString();
    if (!wasAsked && shown.includes('Password')) terminal.stdin.write(key);
  });
  const [code] = (await once(terminal, 'close')) as [unknown];
  return { shown, code };
}

describe('a question on a terminal', () => {
  it.each([
    ['the end of the input', '\x04'],
    ['an interrupt', '\x03'],
  ])('that is answered by %s ends the command as declined', async (_what, key) => {
    const { shown, code } = await asked('login http://127.0.0.1:1 --name mei', key);
    expect(shown).toContain('Password');
    expect(shown).not.toContain('Warning');
    expect(code).toBe(3);
  });
});
