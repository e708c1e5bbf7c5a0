import { execFile, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { commandScript } from './command-script.ts';

describe('commandScript', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'gantry-script-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  /** Runs it as a step would: a file given to the shell, an environment of its own. */
  async function run(
    commands: readonly string[],
    environment: Readonly<Record<string, string>> = {},
  ): Promise<{ exitCode: number; stdout: string; stderr: string }> {
    const file = join(folder, 'script');
    await writeFile(file, commandScript(commands, 'drone1'));
    return await new Promise((resolve) => {
      execFile(
        '/bin/sh',
        [file],
        { cwd: folder, env: { PATH: '/usr/bin:/bin', HOME: folder, ...environment }, maxBuffer: 64 * 1024 * 1024 },
        (error, stdout, stderr) => resolve({ exitCode: error ? Number(error.code) : 0, stdout, stderr }),
      );
    });
  }

  it('shows each command before it runs', async () => {
    expect(await run(['echo one', 'echo "$HOME" | wc -l'])).toEqual({
      exitCode: 0,
      stdout: '+ echo one\none\n+ echo "$HOME" | wc -l\n1\n',
      stderr: '',
    });
  });

  it('shows commands as they are written, whatever they hold', async () => {
    const command = `printf '%s' "a\\nb" '$(touch evil)' "\`echo c\`"`;
    const { stdout } = await run([command]);
    expect(stdout).toBe(`+ ${command}\na\\nb$(touch evil)c`);
    await expect(stat(join(folder, 'evil'))).rejects.toThrow();
  });

  it('lets cd and export reach the commands after', async () => {
    const { stdout } = await run(['mkdir sub && cd sub', 'export WORD=kept', 'echo "$WORD in $(basename "$PWD")"']);
    expect(stdout).toContain('\nkept in sub\n');
  });

  it('ends at the first command that fails, with its exit code', async () => {
    const { exitCode, stdout } = await run(['echo before', 'sh -c "exit 7"', 'echo after']);
    expect(exitCode).toBe(7);
    expect(stdout).not.toContain('after');
  });

  it('ends early with 78 where a command says so', async () => {
    expect((await run(['exit 78', 'echo after'])).exitCode).toBe(78);
  });

  it('keeps the meaning of compound commands', async () => {
    const { exitCode, stdout } = await run(['if false; then echo no; else echo yes; fi', 'false || echo mended']);
    expect(exitCode).toBe(0);
    expect(stdout).toContain('\nyes\n');
    expect(stdout).toContain('\nmended\n');
  });

  it('runs a command of several lines, here-documents included', async () => {
    const { stdout } = await run(['cat <<EOF\nfirst $((1 + 1))\nEOF\necho last']);
    expect(stdout).toContain('\nfirst 2\nlast\n');
  });

  it('leaves standard input to the commands', async () => {
    const file = join(folder, 'script');
    await writeFile(file, commandScript(['cat', 'echo after'], 'gantry'));
    const child = spawn('/bin/sh', [file], { stdio: ['pipe', 'pipe', 'inherit'], env: { PATH: '/usr/bin:/bin' } });
    child.stdin.end('from outside\n');
    let output = '';
    for await (const chunk of child.stdout) output += String(chunk);
    expect(output).toBe('+ cat\nfrom outside\n+ echo after\nafter\n');
  });

  it('writes .netrc for its owner alone, and hides what it was made of', async () => {
    const { stdout } = await run(['env'], {
      DRONE_NETRC_MACHINE: 'git.example.com',
      DRONE_NETRC_USERNAME: 'mei',
      DRONE_NETRC_PASSWORD: 'pass%sword',
      DRONE_SCRIPT: 'x',
    });
    expect(stdout).not.toMatch(/NETRC|DRONE_SCRIPT/);
    const netrc = join(folder, '.netrc');
    expect(await readFile(netrc, 'utf8')).toBe('machine git.example.com\nlogin mei\npassword pass%sword\n');
    expect((await stat(netrc)).mode & 0o777).toBe(0o600);
  });

  it('writes no .netrc where there is nothing to sign in with', async () => {
    await run(['true']);
    await expect(stat(join(folder, '.netrc'))).rejects.toThrow();
  });

  it('may be longer than any argument or variable', async () => {
    const { exitCode, stdout } = await run(
      Array.from({ length: 3_000 }, (_, index) => `: ${index} ${'x'.repeat(100)}`),
    );
    expect(exitCode).toBe(0);
    expect(stdout.split('\n')).toHaveLength(3_001);
  });
});
