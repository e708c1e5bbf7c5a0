import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Answer, type FixtureServer, Refused, runCommand, startFixture } from '../../test/support/cli-fixture.ts';
import type { CronView } from '../api/crons.ts';
import type { PipelineDetail, PipelineView, StepView } from '../api/pipelines.ts';

const project = '/api/v1/projects/shop/web';
const inProject = ['--project', 'shop/web'];

const cron: CronView = {
  name: 'nightly',
  expression: '0 2 * * *',
  timeZone: 'Asia/Shanghai',
  branch: 'main',
  isEnabled: true,
  sentence: 'At 02:00 every day.',
  next: { at: '2999-03-01T18:00:00.000Z', local: 'Sat 2999-03-02 02:00 (UTC+8)' },
  last: null,
  createdAt: '2026-03-01T08:00:00.000Z',
  createdBy: 'mei',
};

const pipeline: PipelineView = {
  number: 12,
  status: 'failed',
  event: 'push',
  ref: 'refs/heads/main',
  branch: 'main',
  commit: '9f31c2e0000000000000000000000000000000aa',
  subject: 'fix(cart): 按币种取整',
  authorName: '李梅',
  personName: 'mei',
  target: null,
  parent: null,
  cron: null,
  error: null,
  createdAt: '2026-03-01T08:00:00.000Z',
  startedAt: '2026-03-01T08:00:01.000Z',
  finishedAt: '2026-03-01T08:03:10.000Z',
};

function step(workflow: string, name: string, seconds: number, more: Partial<StepView> = {}): StepView {
  const startedAt = '2026-03-01T08:00:00.000Z';
  return {
    id: 1,
    workflow,
    name,
    kind: 'step',
    image: 'base/node:24',
    status: 'passed',
    attempt: 1,
    exitCode: 0,
    reason: null,
    dependsOn: [],
    isIgnored: false,
    line: 1,
    failure: null,
    startedAt,
    finishedAt: new Date(Date.parse(startedAt) + seconds * 1_000).toISOString(),
    ...more,
  };
}

function detail(number: number, steps: readonly StepView[], more: Partial<PipelineDetail> = {}): PipelineDetail {
  return {
    ...pipeline,
    number,
    path: '.gantry.yml',
    message: '',
    parameters: {},
    approval: null,
    isUntrusted: false,
    pullRequest: null,
    workflows: [],
    steps: [...steps],
    ...more,
  };
}

let server: FixtureServer | undefined;
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gantry-cli-'));
});
afterEach(async () => {
  await server?.close();
  server = undefined;
  rmSync(folder, { recursive: true, force: true });
});

async function gantry(answers: Readonly<Record<string, Answer>>, words: readonly string[], language = 'C') {
  await server?.close();
  server = await startFixture(answers);
  const environment = { GANTRY_URL: server.url, GANTRY_TOKEN: 'gty_test', XDG_CONFIG_HOME: folder, LANG: language };
  return runCommand(words, { folder, environment });
}

describe('gantry cron', () => {
  it('list shows when each runs next, and what is switched off', async () => {
    const off = { ...cron, name: 'weekly', isEnabled: false, next: null };
    const answers = { [`GET ${project}/crons`]: () => ({ items: [cron, off] }) };
    const { code, stdout } = await gantry(answers, ['cron', 'list', ...inProject]);
    expect([code, stdout.split('\n')]).toEqual([
      0,
      [
        'nightly\tmain\t0 2 * * *\tAsia/Shanghai\t2999-03-01T18:00:00.000Z\tAt 02:00 every day.',
        'weekly\tmain\t0 2 * * *\tAsia/Shanghai\t\tAt 02:00 every day.',
        '',
      ],
    ]);
    expect((await gantry(answers, ['cron', 'list', '-q', ...inProject])).stdout).toBe('nightly\nweekly\n');
    const none = await gantry({ [`GET ${project}/crons`]: () => ({ items: [] }) }, ['cron', 'list', ...inProject]);
    expect(none.stderr).toContain("gantry cron create NAME '0 2 * * *'");
  });

  it('update changes what is given and nothing else', async () => {
    const answers = { [`PATCH ${project}/crons/nightly`]: () => ({ ...cron, expression: '30 3 * * *' }) };
    const words = ['cron', 'update', 'nightly', '30 3 * * *', '--branch', 'release', ...inProject];
    const { code, stderr } = await gantry(answers, words);
    expect([code, server?.requests.at(-1)?.body]).toEqual([0, { expression: '30 3 * * *', branch: 'release' }]);
    expect(stderr).toContain('Cron nightly of shop/web changed');
    expect(stderr).toContain('Sat 2999-03-02 02:00 (UTC+8)');
    const nothing = await gantry(answers, ['cron', 'update', 'nightly', ...inProject], 'zh_CN.UTF-8');
    expect([nothing.code, server?.requests]).toEqual([2, []]);
    expect(nothing.stderr).toContain('没有选项说明要改什么');
  });

  it('create sends zone and branch, and says when it will run', async () => {
    const answers = { [`POST ${project}/crons`]: () => cron };
    const words = ['cron', 'create', 'nightly', '0 2 * * *', '--zone', 'Asia/Shanghai', '--branch', 'main'];
    const { code, stderr } = await gantry(answers, [...words, '--disabled', ...inProject]);
    expect([code, server?.requests.at(-1)?.body]).toEqual([
      0,
      { name: 'nightly', expression: '0 2 * * *', timeZone: 'Asia/Shanghai', branch: 'main', isEnabled: false },
    ]);
    expect(stderr).toContain('At 02:00 every day. (Asia/Shanghai)\n  next  Sat 2999-03-02 02:00 (UTC+8)');
    expect(server?.requests.at(-1)?.headers['idempotency-key']).toBeTruthy();
    await gantry(answers, ['cron', 'create', 'nightly', '@daily', ...inProject]);
    expect(server?.requests.at(-1)?.body).toMatchObject({
      timeZone: Intl.DateTimeFormat().resolvedOptions().timeZone,
      isEnabled: true,
    });
  });

  it('create tells what is wrong with an expression, as the server says it', async () => {
    const refused = () => new Refused(400, 'CRON_INVALID', 'Cannot schedule "x": it has 1 fields');
    const { code, stderr } = await gantry({ [`POST ${project}/crons`]: refused }, [
      'cron',
      'create',
      'n',
      'x',
      ...inProject,
    ]);
    expect([code, stderr]).toEqual([1, expect.stringContaining('Cannot schedule "x"')]);
  });

  it('enable, disable, run and delete name the cron', async () => {
    const answers = {
      [`PATCH ${project}/crons/nightly`]: ({ body }: { body: unknown }) => ({ ...cron, ...(body as object) }),
      [`POST ${project}/crons/nightly/run`]: () => pipeline,
      [`DELETE ${project}/crons/nightly`]: () => undefined,
    };
    expect((await gantry(answers, ['cron', 'disable', 'nightly', ...inProject])).stderr).toContain('switched off');
    expect(server?.requests.at(-1)?.body).toEqual({ isEnabled: false });
    expect((await gantry(answers, ['cron', 'enable', 'nightly', ...inProject])).stderr).toContain('switched on');
    expect((await gantry(answers, ['cron', 'run', 'nightly', ...inProject])).stdout).toBe('12\n');
    expect((await gantry(answers, ['cron', 'delete', 'nightly', ...inProject])).code).toBe(2);
    expect(server?.requests).toEqual([]);
    expect((await gantry(answers, ['cron', 'delete', 'nightly', '--yes', ...inProject])).code).toBe(0);
  });
});

describe('gantry pipeline rerun', () => {
  const answers = {
    [`POST ${project}/pipelines/12/rerun`]: ({ body }: { body: unknown }) =>
      'parameters' in (body as object) ? { ...pipeline, number: 13 } : pipeline,
  };

  it('asks for one workflow', async () => {
    const { stderr } = await gantry(answers, ['pipeline', 'rerun', '12', '--workflow', 'test', ...inProject]);
    expect(server?.requests.at(-1)?.body).toEqual({ workflow: 'test' });
    expect(stderr).toContain('Pipeline 12 runs again');
  });

  it('with parameters tells the number of the new pipeline', async () => {
    const words = ['pipeline', 'rerun', '12', '-P', 'A=b=c', '--param', 'EMPTY=', ...inProject];
    const { stderr } = await gantry(answers, words);
    expect(server?.requests.at(-1)?.body).toEqual({ parameters: { A: 'b=c', EMPTY: '' } });
    expect(stderr).toContain('Pipeline 13 started: pipeline 12 once more');
    expect(stderr).toContain('gantry pipeline watch 13');
  });

  it('refuses two kinds at once, and asks nothing', async () => {
    const words = ['pipeline', 'rerun', '12', '--failed', '--workflow', 'test', ...inProject];
    const { code, stderr } = await gantry(answers, words);
    expect([code, server?.requests.length]).toEqual([2, 0]);
    expect(stderr).toContain('Cannot use --failed, --workflow and --parameter, --no-cache or --no-reuse together');
  });
});

describe('gantry pipeline diff', () => {
  const before = detail(12, [step('build', 'compile', 10), step('build', 'unit', 4), step('build', 'old', 1)], {
    parameters: { COLOUR: 'red', SAME: 'x' },
  });
  const after = detail(
    13,
    [
      step('build', 'compile', 31),
      step('build', 'unit', 4.4, { status: 'failed', exitCode: 2, image: 'base/node:22' }),
      step('build', 'new', 1),
    ],
    { commit: 'abcdef1200000000000000000000000000000000', parameters: { COLOUR: 'blue', SAME: 'x' }, status: 'passed' },
  );
  const answers = {
    [`GET ${project}/pipelines/12`]: () => before,
    [`GET ${project}/pipelines/13`]: () => after,
  };

  it('names what they were started with, and the steps that are not the same', async () => {
    const { code, stdout, stderr } = await gantry(answers, ['pipeline', 'diff', '12', '#13', ...inProject]);
    expect([code, stdout.split('\n')]).toEqual([
      0,
      [
        '#12 → #13',
        '  status            failed → passed',
        '  commit            9f31c2e0 → abcdef12',
        '  parameter COLOUR  red → blue',
        ' ~ build/compile  10s → 31s',
        ' ~ build/unit     passed → failed  exit code 0 → 2  image base/node:24 → base/node:22  4.0s → 4.4s',
        ' − build/old      passed  1.0s',
        ' + build/new      passed  1.0s',
        '',
      ],
    ]);
    expect(stderr).toBe('0 steps are the same\n');
  });

  it('gives the same as data, and says so when nothing differs', async () => {
    const { stdout } = await gantry(answers, ['pipeline', 'diff', '12', '13', '--json', ...inProject]);
    expect(JSON.parse(stdout)).toMatchObject({
      before: 12,
      after: 13,
      parameters: [{ name: 'COLOUR', before: 'red', after: 'blue' }],
      steps: [
        { name: 'compile', change: 'changed', differences: [], beforeMs: 10_000, afterMs: 31_000 },
        { name: 'unit', change: 'changed' },
        { name: 'old', change: 'removed' },
        { name: 'new', change: 'added' },
      ],
      sameSteps: 0,
    });
    const same = await gantry(answers, ['pipeline', 'diff', '12', '12', ...inProject], 'zh_CN.UTF-8');
    expect([same.stdout, same.stderr]).toEqual(['#12 → #12\n', '3 个步骤相同\n']);
  });
});

describe('gantry logs --output', () => {
  const shown = detail(12, [step('build', 'compile', 1, { id: 7 }), step('build', 'unit', 1, { id: 8 })]);
  const answers = {
    [`GET ${project}/pipelines/12`]: () => shown,
    [`GET ${project}/pipelines/12/steps/7/log`]: (_: unknown, response: { end: (text: string) => unknown }) =>
      response.end('compiled'),
    [`GET ${project}/pipelines/12/steps/8/log`]: (_: unknown, response: { end: (text: string) => unknown }) =>
      response.end('tested\n'),
  };

  it('writes the log of one step as it is, and those of all steps under their names', async () => {
    const { code, stdout } = await gantry(answers, ['logs', '12', 'unit', '--output', 'unit.txt', ...inProject]);
    expect([code, stdout, readFileSync(join(folder, 'unit.txt'), 'utf8')]).toEqual([0, '', 'tested\n']);
    await gantry(answers, ['logs', '12', '-o', 'all.txt', ...inProject]);
    expect(readFileSync(join(folder, 'all.txt'), 'utf8')).toBe('── build/compile\ncompiled\n── build/unit\ntested\n');
  });

  it('says why a file cannot be written', async () => {
    const { code, stderr } = await gantry(answers, ['logs', '12', '-o', 'no/such/file', ...inProject]);
    expect([code, stderr]).toEqual([2, expect.stringContaining('Cannot write no/such/file: ENOENT')]);
  });
});
