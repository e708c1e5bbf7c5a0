import { execFileSync, spawn } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findSandboxHindrance } from '../support/sandbox-world.ts';

const hindrance = findSandboxHindrance('bubblewrap');
const gantry = join(dirname(dirname(import.meta.dirname)), 'bin/gantry');

const file = (word: string): string => `kind: pipeline
name: default
steps:
  - name: build
    image: base/busybox
    commands:
      - cat note.txt
      - echo "made by ${word}" > made.txt
      - echo "token $TOKEN"
    environment: {TOKEN: {from_secret: token}}
  - name: check
    image: base/busybox
    commands: [cat made.txt, test ! -e secret.log]
  - name: bad
    image: base/busybox
    commands: ['echo "expected 1, received 2" >&2', exit 7]
`;

const long = (word: string): string => `kind: pipeline
name: default
steps:
  - name: long
    image: base/busybox
    commands: ["sh -c 'echo $0-is-up; sleep 1000; true' ${word}"]
`;

describe.skipIf(hindrance !== undefined)('gantry exec in real sandboxes', () => {
  let folder = '';
  let work = '';
  let environment: NodeJS.ProcessEnv = {};

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'gantry-e2e-exec-'));
    work = join(folder, 'work');
    mkdirSync(work);
    // Images are those that all tests share; repositories, checkouts and uppers are this test's own.
    const shared = process.env['GANTRY_CACHE'] ?? join(homedir(), '.cache/gantry');
    const cache = join(folder, 'cache');
    mkdirSync(cache);
    for (const name of ['images', 'composed']) {
      mkdirSync(join(shared, name), { recursive: true });
      symlinkSync(join(shared, name), join(cache, name));
    }
    environment = { PATH: process.env['PATH'], HOME: folder, GANTRY_CACHE: cache, GANTRY_RUN: join(folder, 'run') };
    execFileSync('git', ['init', '--quiet', '-b', 'main', work]);
  });

  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  function exec(
    words: readonly string[],
    onText: (all: string, interrupt: () => void) => void = () => undefined,
  ): Promise<{ readonly code: number | null; readonly stdout: string; readonly stderr: string }> {
    const child = spawn(gantry, ['exec', ...words], { cwd: work, env: environment, stdio: ['ignore', 'pipe', 'pipe'] });
    const text = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr'] as const)
      child[name].setEncoding('utf8').on('data', (piece: string) => {
        text[name] += piece;
        onText(text.stdout + text.stderr, () => child.kill('SIGINT'));
      });
    return new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code) => resolve({ code, ...text }));
    });
  }

  it('runs the working tree, masks secrets, and shows where it failed', { timeout: 120_000 }, async () => {
    writeFileSync(join(work, '.gantry.yml'), file('nobody'));
    writeFileSync(join(work, '.gitignore'), '*.log\n');
    writeFileSync(join(work, 'note.txt'), 'not committed\n');
    writeFileSync(join(work, 'secret.log'), 'ignored\n');
    writeFileSync(join(folder, 'env'), 'token=geheimnis\n');
    const { code, stdout, stderr } = await exec(['--secret-file', join(folder, 'env')]);
    expect(stdout).toContain('build │ not committed\n');
    expect(stdout).toContain('build │ token ******\n');
    expect(stdout).toContain('check │ made by nobody\n');
    expect(stdout + stderr).not.toContain('geheimnis');
    expect(stderr).toMatch(/✗ bad +\S+ +exit 7/);
    expect(stderr).toContain('    expected 1, received 2\n');
    expect(code).toBe(5);
    // The working tree is as it was.
    expect(existsSync(join(work, 'made.txt'))).toBe(false);
  });

  it('carries artifacts from one workflow to the next, and none away', { timeout: 120_000 }, async () => {
    writeFileSync(
      join(work, '.gantry.yml'),
      `kind: pipeline
name: build
steps:
  - name: make
    image: base/busybox
    commands: ['mkdir out && echo by-exec > out/a']
    artifacts: {name: out, paths: out}
---
kind: pipeline
name: use
clone: {disable: true}
use: {name: out, path: from}
steps:
  - name: show
    image: base/busybox
    commands: [cat from/out/a]
`,
    );
    const { code, stdout, stderr } = await exec([]);
    expect(stdout).toContain('by-exec\n');
    expect(stdout + stderr).toContain('artifact out: 2 entries');
    expect(code).toBe(0);
    expect(existsSync(join(work, 'out'))).toBe(false);
  });

  it('has caches and reuses steps from one run to the next, by what is in the working tree', {
    timeout: 120_000,
  }, async () => {
    writeFileSync(
      join(work, '.gantry.yml'),
      `kind: pipeline
name: build
steps:
  - name: install
    image: base/busybox
    depends_on: [clone]
    commands: [mkdir -p modules, 'test -f modules/a && echo had it || echo fetched > modules/a']
    cache: {key: 'npm-{{ checksum "lock" }}', restore: [npm-], paths: [modules]}
  - name: compile
    image: base/busybox
    depends_on: [clone]
    commands: [mkdir dist, cat src/a > dist/a]
    reuse: {inputs: [src], outputs: [dist]}
  - name: look
    image: base/busybox
    depends_on: [install, compile]
    commands: [cat modules/a dist/a]
`,
    );
    mkdirSync(join(work, 'src'));
    writeFileSync(join(work, 'src/a'), 'one\n');
    writeFileSync(join(work, 'lock'), '1\n');
    const first = await exec([]);
    expect([first.code, first.stdout]).toEqual([0, expect.stringMatching(/cache npm-[0-9a-f]{16}: saved/)]);
    expect(first.stdout).toContain('reuse: kept its result');

    writeFileSync(join(work, 'note'), 'nothing reads it\n');
    const second = await exec([]);
    expect(second.stdout).toMatch(/cache npm-\S+: restored \d+ KiB from an earlier run here/);
    expect(second.stdout).toContain('reuse: reused from an earlier run here, step compile of build');
    expect(second.stdout).toContain('look    │ fetched\nlook    │ one\n');
    expect(second.stderr).toMatch(/✓ compile .*was reused from an earlier run on this machine/);

    writeFileSync(join(work, 'src/a'), 'two\n');
    const third = await exec(['--no-cache']);
    expect(third.stdout).not.toMatch(/cache npm|reuse:/);
    expect(third.stdout).toContain('look    │ two\n');
    const fourth = await exec(['--no-reuse']);
    expect(fourth.stdout).toMatch(/cache npm-\S+: restored/);
    expect(fourth.stdout).not.toContain('reuse:');
    expect(fourth.code).toBe(0);
  });

  it('ends the step at Ctrl-C and leaves nothing behind', { timeout: 120_000 }, async () => {
    const word = `w${process.pid}x${Date.now()}`;
    writeFileSync(join(work, '.gantry.yml'), long(word));
    let hasSent = false;
    let running: readonly string[] = [];
    const { code, stderr } = await exec([], (all, interrupt) => {
      if (hasSent || !all.includes(`│ ${word}-is-up`)) return;
      hasSent = true;
      running = processesWith(word);
      interrupt();
    });
    expect(code).toBe(130);
    expect(stderr).toMatch(/■ long/);
    expect(running).not.toEqual([]);
    expect(processesWith(word)).toEqual([]);
    const generations = join(folder, 'cache/exec/runner/generations');
    expect(existsSync(generations) ? readdirSync(generations) : []).toEqual([]);
  });
});

/** Command lines of living processes that have the word in them. */
function processesWith(word: string): readonly string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        const line = readFileSync(join('/proc', pid, 'cmdline'), 'utf8').replaceAll('\0', ' ');
        return line.includes(word) ? [line] : [];
      } catch {
        // It has ended meanwhile.
        return [];
      }
    });
}
