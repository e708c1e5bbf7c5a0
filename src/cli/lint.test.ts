import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  type Answer,
  type FixtureServer,
  Refused,
  type RunResult,
  runCommand,
  startFixture,
} from '../../test/support/cli-fixture.ts';

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
        '.gantry.yml:5:14: error "failure" of step "s" is "main", and takes ignore, fast or always  [value.unknown]',
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

describe('gantry lint of a file with include', () => {
  it('shows what is wrong at the line of the included file, and how one gets there', async () => {
    mkdirSync(join(folder, 'ci'));
    writeFileSync(join(folder, 'ci/a.yml'), 'include:\n- ci/b.yml\n');
    writeFileSync(join(folder, 'ci/b.yml'), 'kind: pipeline\nsteps:\n  - {name: unit, image: x, comands: [a]}\n');
    const text = 'kind: pipeline\nname: own\nsteps:\n- {name: s, image: x, commands: [ls]}\n---\ninclude: ci/a.yml\n';
    const { code, stdout } = await lint(text);
    expect(code).toBe(1);
    expect(stdout).toContain(
      [
        'ci/b.yml:3:28: error a step has no key "comands"  [key.unknown]',
        '  3 │   - {name: unit, image: x, comands: [a]}',
        '    │                            ^',
        '    = included by: .gantry.yml:6 → ci/a.yml:2',
        '    = hint: did you mean "commands"?',
      ].join('\n'),
    );
    const { stdout: json } = await lint(text, ['--json']);
    expect(JSON.parse(json)).toMatchObject({
      items: [
        {
          findings: [
            {
              line: 6,
              included: { path: 'ci/b.yml', line: 3, column: 28, chain: [{ line: 6 }, { path: 'ci/a.yml', line: 2 }] },
            },
          ],
        },
      ],
    });
  });
});

describe('gantry lint beside a server', () => {
  const project = '/api/v1/projects/shop/web';
  const settings = {
    path: 'ci/pipeline.yml',
    evaluatesDronePaths: false,
    toleratesFilteredSteps: false,
    ignoresCaches: false,
    stepTimeoutMs: 600_000,
    timeoutMs: null,
  };
  const answers: Readonly<Record<string, Answer>> = {
    [`GET ${project}`]: () => ({ defaultBranch: 'trunk', visibility: 'public' }),
    [`GET ${project}/pipeline-settings`]: () => settings,
    [`GET ${project}/variables`]: () => ({ items: [{ name: 'HUB', value: 'registry.example.org' }], next: null }),
    ['GET /api/v1/organisations/shop/variables']: () => ({
      items: ['HUB', 'TEAM'].map((name) => ({ name, value: 'shared' })),
      next: null,
    }),
  };
  let server: FixtureServer | undefined;
  afterEach(async () => {
    await server?.close();
    server = undefined;
  });

  async function lintBeside(
    offered: typeof answers,
    words: readonly string[] = [],
    language = 'C',
  ): Promise<RunResult> {
    server = await startFixture(offered);
    const environment = { GANTRY_URL: server.url, GANTRY_TOKEN: 'gty_test', XDG_CONFIG_HOME: folder, LANG: language };
    return runCommand(['lint', '--project', 'shop/web', ...words], { folder, environment });
  }

  const text = `kind: pipeline
trigger: {branch: trunk}
steps:
  - {name: s, image: '\${HUB}/tools', commands: ['echo \${TEAM} \${OTHER}']}
`;

  it('takes the path, the variables and the default branch of the project', async () => {
    mkdirSync(join(folder, 'ci'));
    writeFileSync(join(folder, 'ci/pipeline.yml'), text);
    const { code, stdout, stderr } = await lintBeside(answers, ['--event', 'manual']);
    expect([code, stderr]).toEqual([0, expect.not.stringContaining('Without')]);
    // Of three names one is known nowhere.
    expect(stdout.match(/substitution.unknown-name/g)).toHaveLength(1);
    expect(stdout).toContain('OTHER');
    expect(stdout).toContain('ci/pipeline.yml');
    expect(stdout).toMatch(/clone, s/);
  });

  it('says what it assumes where it may not ask, and goes on', async () => {
    writeFileSync(join(folder, '.gantry.yml'), text);
    const refused = { [`GET ${project}`]: () => new Refused(404, 'PROJECT_NOT_FOUND', 'Cannot find project shop/web') };
    const { code, stderr, stdout } = await lintBeside(refused);
    expect([code, stdout.match(/substitution.unknown-name/g)?.length]).toEqual([0, 3]);
    expect(stderr).toContain('Without the settings and variables of the project (Cannot find project shop/web)');
    await server?.close();
    const zh = await lintBeside(refused, [], 'zh_CN.UTF-8');
    expect(zh.stderr).toContain('未取得项目的设置和变量');
  });

  it('goes on without variables that one may not read', async () => {
    writeFileSync(join(folder, '.gantry.yml'), text);
    const denied = () => new Refused(403, 'ACCESS_DENIED', 'Cannot read variables: it needs the role "write"');
    const { code, stderr } = await lintBeside({
      ...answers,
      [`GET ${project}/pipeline-settings`]: () => ({ ...settings, path: null }),
      [`GET ${project}/variables`]: denied,
    });
    expect(code).toBe(0);
    expect(stderr).toContain('Without the variables of the project (Cannot read variables');
  });
});
