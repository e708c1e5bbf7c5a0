import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type RunResult, runCommand } from '../../test/support/cli-fixture.ts';

let folder = '';

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gantry-lint-'));
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

function lint(text: string, words: readonly string[] = [], path = '.gantry.yml'): Promise<RunResult> {
  writeFileSync(join(folder, path), text);
  return runCommand(['lint', ...words], { folder });
}

const file = `kind: pipeline
name: default
steps:
  - name: docs
    image: base/busybox
    commands: [ls]
    when: {paths: ['docs/**']}
  - name: release
    image: base/busybox
    commands: [ls]
    environment: {KEY: {from_secret: key}}
    when: {event: tag}
`;

describe('gantry lint', () => {
  it('shows the line with its place, how it reads after substitution, and what to write instead', async () => {
    const text = `kind: pipeline
steps:
  - name: s
    image: x
    failure: \${DRONE_BRANCH}
    commands:
      - 编译 && echo a: b
`;
    const { code, stdout } = await lint(text);
    expect(code).toBe(1);
    expect(stdout).toBe(
      [
        '.gantry.yml:5:14: error "failure" of step "s" is "main", and takes ignore or always  [value.unknown]',
        '  5 │     failure: ${DRONE_BRANCH}',
        '    │              ^',
        '    = reads:     failure: main',
        '.gantry.yml:7:9: error a command of step "s" reads as a map, since it contains ": ": put the whole line in quotes  [step.command-map]',
        '  7 │       - 编译 && echo a: b',
        '    │         ^',
        '    = hint: put the whole command in quotes: - \'echo "a: b"\'',
        '',
      ].join('\n'),
    );
  });

  it('asks whether a known key was meant', async () => {
    const text = `kind: pipeline
enviroment: {A: b}
clone: {depht: 1}
trigger: {branches: main}
steps:
- {name: s, image: x, comands: [ls], dependsOn: [clone], nonsense: 1}
`;
    const { stdout } = await lint(text, ['--json']);
    const [result] = (JSON.parse(stdout) as { items: { findings: { code: string; hint?: string }[] }[] }).items;
    expect(result!.findings.filter(({ code }) => code === 'key.unknown').map(({ hint }) => hint ?? null)).toEqual([
      'did you mean "environment"?',
      'did you mean "depth"?',
      'did you mean "branch"?',
      'did you mean "commands"?',
      'did you mean "depends_on"?',
      null,
    ]);
  });

  it('cuts a long line around the place that is meant', async () => {
    const { stdout } = await lint(
      `kind: pipeline\nsteps: [{name: s, image: ${'x'.repeat(300)}, commands: [ls], wrong: 1}]\n`,
    );
    const [, shown, caret] = stdout.split('\n');
    expect(shown!.length).toBeLessThan(130);
    expect(shown!.slice(caret!.indexOf('^')).startsWith('wrong: 1}]')).toBe(true);
  });

  it('says what would run at an event, each decision with its rule', async () => {
    const push = await lint(file, ['--event', 'push', '--branch', 'main', '--changed', 'src/a.ts']);
    expect(push.code).toBe(0);
    expect(push.stdout).toContain('– Step "docs" was skipped');
    expect(push.stdout).toMatch(/– Step "release" was skipped: it wants the event "tag".*\[step\.when\.event\]\n/);
    expect(push.stdout).toMatch(/\ndefault: clone\n$/);
    const tag = await lint(file, ['--event', 'tag', '--json']);
    expect(JSON.parse(tag.stdout)).toMatchObject({
      items: [{ path: '.gantry.yml', isValid: true }],
      result: 'planned',
      why: expect.arrayContaining([
        expect.objectContaining({ rule: 'step.matched', sentence: 'Step "release" is to run.' }),
      ]) as unknown,
    });
    // Which secrets the server has is not known here.
    expect(tag.stdout).not.toContain('step.secret-missing');
  });

  it('refuses an event that there is not, and a file that would not run at the event', async () => {
    expect((await lint(file, ['--event', 'pushes'])).code).toBe(2);
    const woodpecker =
      'when: {event: push}\nsteps:\n  s: {image: x, commands: ls, when: {evaluate: CI_COMMIT_BRANCH}}\n';
    const result = await lint(woodpecker, ['--event', 'push', '.woodpecker.yml'], '.woodpecker.yml');
    expect(result.code).toBe(1);
  });
});
