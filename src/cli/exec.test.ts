import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type RunOptions, type RunResult, runCommand, startFixture } from '../../test/support/cli-fixture.ts';

let folder = '';
let work = '';

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gantry-exec-test-'));
  work = join(folder, 'work');
  mkdirSync(work);
  git('init', '--quiet', '-b', 'main');
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

function git(...args: readonly string[]): string {
  return execFileSync('git', ['-C', work, '-c', 'user.name=Mei', '-c', 'user.email=mei@example.com', ...args], {
    encoding: 'utf8',
  }).trim();
}

function write(files: Readonly<Record<string, string>>): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(join(work, path, '..'), { recursive: true });
    writeFileSync(join(work, path), text);
  }
}

function commit(files: Readonly<Record<string, string>>, message = 'Mend the crane'): void {
  write(files);
  git('add', '--all');
  git('commit', '--quiet', '-m', message);
}

function exec(words: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  return runCommand(['exec', ...words], {
    folder: work,
    ...options,
    environment: {
      GANTRY_CACHE: join(folder, 'cache'),
      GANTRY_RUN: join(folder, 'run'),
      GANTRY_RUNTIME: 'scripted',
      ...options.environment,
    },
  });
}

function eventsOf({ stdout }: RunResult): readonly Record<string, unknown>[] {
  return stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

/** How each step ended, by `workflow/step`, in the order in which they ended. */
function endsOf(result: RunResult): Record<string, unknown> {
  return Object.fromEntries(
    eventsOf(result)
      .filter(({ type, status }) => type === 'step' && status !== 'running')
      .map(({ workflow, step, status }) => [`${String(workflow)}/${String(step)}`, status]),
  );
}

const file = `kind: pipeline
name: default
steps:
  - name: unit
    image: base/busybox
    commands: [echo one, echo two]
  - name: deploy
    image: base/busybox
    commands: ['echo to \${DRONE_DEPLOY_TO}']
    environment: {KEY: {from_secret: Deploy_Key}}
    when: {event: promote, target: production}
`;

describe('gantry exec', () => {
  it('runs what the event asks for; the log is the answer, what becomes of steps is told beside it', async () => {
    commit({ '.gantry.yml': file });
    const result = await exec([]);
    expect(result.stderr).toMatch(/^push {2}main {2}[0-9a-f]{8} {2}Mend the crane\n/);
    expect(result.stderr).toContain('– deploy  Step "deploy" was skipped: it wants the event "promote"');
    expect(result.stderr).toMatch(/✓ unit.*\n✓ passed in \d+/);
    expect(result.stdout.split('\n').slice(1)).toEqual(['unit   │ + echo one', 'unit   │ + echo two', '']);
    expect(result.code).toBe(0);
  });

  it('takes file, variables and default branch of the project from its server', async () => {
    const text =
      "kind: pipeline\ntrigger: {branch: trunk}\nsteps:\n  - {name: s, image: '${HUB}/x', commands: ['echo ${TEAM}']}\n";
    commit({ '.gantry.yml': file, 'ci/all.yml': text });
    const project = '/api/v1/projects/shop/web';
    const server = await startFixture({
      [`GET ${project}`]: () => ({ defaultBranch: 'trunk', visibility: 'private' }),
      [`GET ${project}/pipeline-settings`]: () => ({
        path: 'ci/all.yml',
        evaluatesDronePaths: false,
        toleratesFilteredSteps: false,
        ignoresCaches: false,
        stepTimeoutMs: 60_000,
        timeoutMs: 600_000,
      }),
      [`GET ${project}/variables`]: () => ({ items: [{ name: 'HUB', value: 'registry.example.org' }], next: null }),
      'GET /api/v1/organisations/shop/variables': () => ({ items: [{ name: 'TEAM', value: 'crane' }], next: null }),
    });
    try {
      const environment = { GANTRY_URL: server.url, GANTRY_TOKEN: 'gty_test' };
      const words = ['--project', 'shop/web', '--event', 'pull_request'];
      const { code, stdout, stderr } = await exec(words, { environment });
      expect([code, stderr]).toEqual([0, expect.stringContaining('pull_request  trunk')]);
      expect(stdout).toContain('s     │ + echo crane');
    } finally {
      await server.close();
    }
    const alone = await exec(['--project', 'shop/web', '--event', 'push']);
    expect(alone.stderr).toContain('Without the settings and variables of the project');
    expect(alone.stdout).toContain('+ echo one');
  });

  it('lists every missing secret before anything starts, and masks those that are given', async () => {
    commit({ '.gantry.yml': file });
    const refused = await exec(['--target', 'production']);
    expect(refused.code).toBe(6);
    expect(refused.stdout).toBe('');
    expect(refused.stderr).toContain('it asks for secrets that were not given: deploy_key (deploy)');

    write({ '.env': 'DEPLOY_KEY="geheim"\n' });
    const result = await exec(['--target', 'production', '--secret-file', '.env', '-P', 'WORD=geheim', '--json']);
    expect(endsOf(result)).toEqual({ 'default/clone': 'passed', 'default/unit': 'passed', 'default/deploy': 'passed' });
    expect(result.stdout).toContain('"line":"+ echo to production"');
  });

  it('says of secrets that Drone leaves unset which steps go without them', async () => {
    const text = 'kind: pipeline\nsteps:\n- {name: s, image: x, commands: [ls], environment: {A: {from_secret: a}}}\n';
    commit({ '.drone.yml': text });
    const { code, stderr } = await exec([]);
    expect(stderr).toMatch(/^Secrets that were not given, their variables stay unset: a \(s\)\n/);
    expect(code).toBe(0);
  });

  it('needs a terminal to ask for a secret', async () => {
    commit({ '.gantry.yml': file });
    const { code, stderr } = await exec(['--secret', 'deploy_key']);
    expect(code).toBe(2);
    expect(stderr).toContain('Use --secret-file FILE');
  });

  it('names the line of a secret file that cannot be read', async () => {
    commit({ '.gantry.yml': file });
    const { code, stderr } = await exec(['--secret-file', '-'], { stdin: 'A=1\nB\n' });
    expect(code).toBe(2);
    expect(stderr).toContain('Cannot read -: line 2 is not NAME=value');
  });

  it('ends with 5 when a step fails, with the place of the failure and how to try it again', async () => {
    commit({
      '.gantry.yml': `kind: pipeline
steps:
- {name: bad, image: x, commands: [make], environment: {STEP_EXIT_CODE: 3}}
- {name: after, image: x, commands: [ls]}
- {name: report, image: x, commands: [ls], when: {status: [failure]}}
`,
    });
    const { code, stderr } = await exec([]);
    expect(code).toBe(5);
    expect(stderr).toMatch(/✗ bad .*exit 3/);
    expect(stderr).toContain('– after ');
    expect(stderr).toContain('✓ report');
    expect(stderr).toMatch(/✗ failed in .*\n {2}again {2}gantry exec bad\n$/);
  });

  it('runs named steps with what they wait for, and alone with --only', async () => {
    const text = `kind: pipeline
steps:
- {name: a, image: x, commands: [ls]}
- {name: b, image: x, commands: [ls]}
- {name: c, image: x, commands: [ls]}
`;
    commit({ '.gantry.yml': text });
    const names = async (...words: readonly string[]): Promise<readonly string[]> =>
      Object.keys(endsOf(await exec([...words, '--json']))).map((name) => name.split('/')[1]!);
    expect(await names('b')).toEqual(['clone', 'a', 'b']);
    expect(await names('b', '--only')).toEqual(['clone', 'b']);
    const unknown = await exec(['d']);
    expect(unknown.code).toBe(6);
    expect(unknown.stderr).toContain('Cannot find d in the pipeline: at this event it has clone, a, b, c');
  });

  it('does not pass when what was named is left out by its conditions', async () => {
    commit({ '.gantry.yml': file });
    const { code, stderr } = await exec(['deploy']);
    expect(code).toBe(1);
    expect(stderr).toContain('Cannot run what was asked for: Step "deploy" was skipped: it wants the event "promote"');
  });

  it('tries any event, branch and target', async () => {
    commit({
      '.gantry.yml': ['push', 'tag', 'manual', 'rollback', 'cron', 'pull_request']
        .map(
          (event) =>
            `kind: pipeline\nname: ${event}\ntrigger: {event: ${event}}\nsteps:\n- {name: s, image: x, commands: [ls]}\n`,
        )
        .join('---\n'),
    });
    for (const event of ['push', 'tag', 'manual', 'rollback', 'cron', 'pull_request']) {
      const result = await exec(['--event', event, '--json']);
      const [head] = eventsOf(result);
      expect(head?.['workflows']).toEqual([{ name: event, steps: ['clone', 's'] }]);
      expect(result.code).toBe(0);
    }
    const tag = eventsOf(await exec(['--event', 'tag', '--branch', 'v2.1.0', '--json']))[0];
    expect(tag).toMatchObject({ branch: 'v2.1.0', ref: 'refs/tags/v2.1.0' });
    const other = eventsOf(await exec(['--ref', 'refs/heads/next', '--json']))[0];
    expect(other).toMatchObject({ event: 'push', branch: 'next' });
    const wrong = await exec(['--event', 'pushes']);
    expect(wrong.code).toBe(2);
  });

  it('takes what git finds as changed, or what it is told', async () => {
    const text = `kind: pipeline
steps:
- {name: docs, image: x, commands: [ls], when: {paths: ['docs/**']}}
- {name: code, image: x, commands: [ls], when: {paths: ['src/**']}}
`;
    commit({ '.gantry.yml': text, 'src/a.ts': '1' });
    commit({ 'src/a.ts': '2' });
    expect(endsOf(await exec(['--json']))).toMatchObject({ 'default/docs': 'skipped', 'default/code': 'passed' });
    // What is not committed counts, and on top of it what is not pushed.
    write({ 'docs/a.md': 'new' });
    expect(endsOf(await exec(['--json']))).toMatchObject({ 'default/docs': 'passed', 'default/code': 'skipped' });
    expect(endsOf(await exec(['--changed', 'x,src/b.ts', '--json']))).toMatchObject({
      'default/docs': 'skipped',
      'default/code': 'passed',
    });
  });

  it('says why when there is nothing to run', async () => {
    commit({
      '.gantry.yml': `kind: pipeline\ntrigger: {branch: release}\nsteps:\n- {name: s, image: x, commands: [ls]}\n`,
    });
    const { code, stderr, stdout } = await exec([]);
    expect(code).toBe(0);
    expect(stdout).toBe('');
    expect(stderr).toContain('Nothing to run');
    expect(stderr).toContain('its trigger wants the branch "release", and this is "main"');
  });

  it('refuses a file that does not compile, at its line', async () => {
    commit({ '.gantry.yml': 'kind: pipeline\nstages: []\nsteps: [{name: s, image: x, commands: [ls]}]\n' });
    const { code, stderr } = await exec([]);
    expect(code).toBe(5);
    expect(stderr).toContain(
      '.gantry.yml:2:1: error a pipeline has no key "stages"  [key.unknown]\n  2 │ stages: []\n',
    );
  });

  it('runs what lies in the working tree, untracked files too, and changes nothing of it', async () => {
    commit({ '.gitignore': '*.log\n', 'a.txt': '1' });
    write({ '.gantry.yml': file, 'a.txt': '2', 'b.log': 'ignored' });
    git('add', 'a.txt');
    write({ 'a.txt': '3' });
    const before = [git('status', '--short'), git('count-objects', '-v'), git('for-each-ref'), git('diff', '--cached')];
    const [head] = eventsOf(await exec(['--json']));
    expect(head).toMatchObject({ hasUncommitted: true, path: '.gantry.yml' });
    expect([
      git('status', '--short'),
      git('count-objects', '-v'),
      git('for-each-ref'),
      git('diff', '--cached'),
    ]).toEqual(before);

    const [repository] = readdirSync(join(folder, 'cache/exec/repositories'));
    const bare = join(folder, 'cache/exec/repositories', repository!);
    const inSnapshot = (...args: readonly string[]): string =>
      execFileSync('git', ['-C', bare, ...args], { encoding: 'utf8' }).trim();
    expect(inSnapshot('ls-tree', '-r', '--name-only', String(head?.['commit']))).toBe('.gantry.yml\n.gitignore\na.txt');
    expect(inSnapshot('show', `${String(head?.['commit'])}:a.txt`)).toBe('3');
    // It stands on its own: nothing is looked for in the working tree's repository.
    expect(existsSync(join(bare, 'objects/info/alternates'))).toBe(false);
    expect(inSnapshot('log', '--format=%s', String(head?.['commit']))).toBe('Uncommitted changes\nMend the crane');
    // The same content again is the same commit, so that its checkout is kept.
    expect(eventsOf(await exec(['--json']))[0]?.['commit']).toBe(head?.['commit']);
  });

  it('runs before the first commit, from a folder below, in a linked working tree and in a shallow clone', async () => {
    write({ '.gantry.yml': file, 'sub/x': '1' });
    expect((await exec([], { folder: join(work, 'sub') })).code).toBe(0);
    commit({});
    commit({ x: '2' });
    git('worktree', 'add', '--quiet', join(folder, 'linked'));
    expect((await exec([], { folder: join(folder, 'linked') })).code).toBe(0);
    execFileSync('git', ['clone', '--quiet', '--depth=1', `file://${work}`, join(folder, 'shallow')]);
    writeFileSync(join(folder, 'shallow/new'), '1');
    expect((await exec([], { folder: join(folder, 'shallow') })).code).toBe(0);
  });

  it('runs a commit instead of the working tree', async () => {
    commit({ '.gantry.yml': file });
    commit({ '.gantry.yml': 'broken' });
    const result = await exec(['--at', 'HEAD~1', '--json']);
    expect(eventsOf(result)[0]).toMatchObject({ commit: git('rev-parse', 'HEAD~1'), hasUncommitted: false });
    expect(result.code).toBe(0);
    expect((await exec(['--at', 'nowhere'])).stderr).toContain('Cannot run "nowhere": there is no such commit');
  });

  it('reads another pipeline file when it is told to', async () => {
    commit({ '.gantry.yml': 'broken' });
    write({ 'ci/try.yml': file });
    expect((await exec(['--file', 'ci/try.yml'])).code).toBe(0);
    expect((await exec(['--file', 'ci/none.yml'])).code).toBe(6);
  });

  it('is refused outside a working tree of git', async () => {
    const { code, stderr } = await exec([], { folder });
    expect(code).toBe(6);
    expect(stderr).toContain('is in no working tree of git');
  });

  it('runs graphs of workflows by the rules of their dialect', async () => {
    commit({
      '.woodpecker/a.yml': 'steps:\n  bad:\n    image: x\n    commands: [ls]\n    environment: {STEP_EXIT_CODE: "1"}\n',
      '.woodpecker/b.yml': 'depends_on: [a]\nsteps:\n  s: {image: x, commands: [ls]}\n',
      '.woodpecker/c.yml': 'depends_on: [a]\nruns_on: [failure]\nsteps:\n  s: {image: x, commands: [ls]}\n',
    });
    const result = await exec(['--json']);
    expect(endsOf(result)).toMatchObject({ 'a/bad': 'failed', 'b/s': 'skipped', 'c/s': 'passed' });
    expect(result.code).toBe(5);
  });

  it('takes the event of a pipeline of the server', async () => {
    commit({ '.gantry.yml': file });
    const server = await startFixture({
      'GET /api/v1/projects/shop/web/pipelines/12': () => ({
        number: 12,
        event: 'promote',
        branch: 'release',
        ref: 'refs/heads/release',
        target: 'production',
        parent: 9,
        parameters: { VERSION: '1.4' },
      }),
    });
    try {
      const environment = { GANTRY_URL: server.url, GANTRY_TOKEN: 'gty_x' };
      const words = ['--like', '12', '--project', 'shop/web', '--secret-file', '-'];
      const more = ['-P', 'MORE=1', '--input', 'OTHER=2'];
      const result = await exec([...words, ...more, '--json'], { environment, stdin: 'deploy_key=1' });
      expect(eventsOf(result)[0]).toMatchObject({
        event: 'promote',
        branch: 'release',
        target: 'production',
        parameters: { VERSION: '1.4', MORE: '1', OTHER: '2' },
      });
      expect(endsOf(result)).toMatchObject({ 'default/deploy': 'passed' });
      const twice = await exec([...words, '--event', 'push'], { environment, stdin: '' });
      expect(twice.code).toBe(2);
    } finally {
      await server.close();
    }
  });

  it('tells in Chinese what is odd in the file, on the screen and in its record', async () => {
    const text = 'kind: pipeline\nversion: 1\nsteps:\n- {name: s, image: x, commands: [ls]}\n';
    commit({ '.drone.yml': text });
    const environment = { LANG: 'zh_CN.UTF-8' };
    const told = '.drone.yml 第 2 行：已知的键，但在这里不起作用（"version" has no effect）。';
    expect((await exec([], { environment })).stderr).toContain(told);
    expect((await exec(['--json'], { environment })).stdout).toContain(JSON.stringify(told));
  });

  it('draws what runs on a terminal, and puts nothing of it into the log', async () => {
    commit({ '.gantry.yml': file });
    const { stdout, stderr } = await exec([], { isTerminal: true });
    expect(stdout).toContain('│\u001b[22m + echo one\n');
    expect(stderr).toContain('\r\u001b[2K');
    expect(stdout).not.toContain('\r');
  });

  it('cancels at Ctrl-C: what runs is stopped, and nothing else starts but what runs after a cancel', async () => {
    const text = `kind: pipeline
steps:
- {name: long, image: x, commands: [ls], environment: {STEP_SLEEP: 1h}}
- {name: next, image: x, commands: [ls], when: {status: [success, failure]}}
- {name: clear, image: x, commands: [ls], when: {status: [cancelled]}}
---
kind: pipeline
name: later
depends_on: [default]
steps:
- {name: s, image: x, commands: [ls]}
`;
    commit({ '.gantry.yml': text });
    let send: (signal: 'SIGINT') => void = () => undefined;
    let hasSent = false;
    const result = await exec(['--json'], {
      onStart: (sender) => {
        send = sender;
      },
      onAnswer: (line) => {
        if (hasSent || !line.includes('"step":"long"')) return;
        hasSent = true;
        setImmediate(() => send('SIGINT'));
      },
    });
    expect(result.code).toBe(130);
    expect(endsOf(result)).toMatchObject({
      'default/long': 'cancelled',
      'default/next': 'cancelled',
      'default/clear': 'passed',
      'later/s': 'cancelled',
    });
    expect(readFileSync(join(work, '.gantry.yml'), 'utf8')).toBe(text);
  });
});
