import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  type Answer,
  type FixtureServer,
  Refused,
  type RunOptions,
  runCommand,
  startFixture,
} from '../../test/support/cli-fixture.ts';
import type { PipelineDetail, PipelineView, StepView } from '../api/pipelines.ts';
import { commandReference } from './reference.ts';
import { textsEn } from './texts.en.ts';
import { textsZh } from './texts.zh.ts';

const project = '/api/v1/projects/shop/web';

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

function step(name: string, more: Partial<StepView> = {}): StepView {
  return {
    id: 100,
    workflow: 'default',
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
    startedAt: '2026-03-01T08:00:01.000Z',
    finishedAt: '2026-03-01T08:00:07.000Z',
    ...more,
  };
}

const workflow = {
  name: 'default',
  status: 'failed' as const,
  attempt: 1,
  dependsOn: [],
  matrix: {},
  waitsFor: null,
  startedAt: pipeline.startedAt,
  finishedAt: pipeline.finishedAt,
};

const detail: PipelineDetail = {
  ...pipeline,
  path: '.gantry.yml',
  message: pipeline.subject,
  parameters: {},
  approval: null,
  isUntrusted: false,
  pullRequest: null,
  workflows: [workflow],
  steps: [
    step('clone', { id: 100 }),
    step('unit tests', {
      id: 101,
      status: 'failed',
      exitCode: 2,
      failure: { line: 9, lines: [{ number: 9, text: 'expected 1200, received 1199.99 \u001b[31m' }] },
    }),
    step('image', {
      id: 102,
      status: 'skipped',
      exitCode: null,
      startedAt: null,
      finishedAt: null,
      reason: 'unit tests had failed',
    }),
  ],
};

const projectView = {
  owner: 'shop',
  name: 'web',
  slug: 'shop/web',
  description: '商店',
  visibility: 'internal',
  defaultBranch: 'main',
  isEmpty: false,
  isArchived: false,
  protectedRefs: [],
  stepTimeoutMs: 3_600_000,
  role: 'owner',
  cloneUrl: 'http://host/shop/web.git',
  createdAt: '2026-03-01T08:00:00.000Z',
  latestPipeline: pipeline,
};

const me = {
  name: 'mei',
  displayName: 'Mei',
  email: '',
  isSiteAdmin: true,
  isDisabled: false,
  createdAt: '2026-03-01T08:00:00.000Z',
  via: 'token',
  scopes: ['*'],
};

let server: FixtureServer | undefined;
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gantry-test-'));
});
afterEach(async () => {
  await server?.close();
  server = undefined;
  rmSync(folder, { recursive: true, force: true });
});

/** Runs a command against a server that answers so. */
async function gantry(answers: Readonly<Record<string, Answer>>, words: readonly string[], options: RunOptions = {}) {
  server = await startFixture(answers);
  return runCommand(words, {
    folder,
    ...options,
    environment: {
      GANTRY_URL: server.url,
      GANTRY_TOKEN: 'gty_test',
      XDG_CONFIG_HOME: folder,
      ...options.environment,
    },
  });
}

const lastRequest = () => server?.requests.at(-1);
const asJson = (text: string): unknown => JSON.parse(text);

describe('gantry whoami', () => {
  it('sends the token and says who one is', async () => {
    const { code, stdout } = await gantry({ 'GET /api/v1/me': () => me }, ['whoami']);
    expect([code, stdout]).toEqual([0, `mei at ${server?.url} (*)\n`]);
    expect(lastRequest()?.headers['authorization']).toBe('Bearer gty_test');
  });

  it('without a sign-in ends with 4 and names the next command', async () => {
    const { code, stdout, stderr } = await runCommand(['whoami'], { folder });
    expect([code, stdout]).toEqual([4, '']);
    expect(stderr).toContain('error: Cannot tell which Gantry is meant');
    expect(stderr).toContain('gantry login');
    expect(stderr).toContain('SIGN_IN_REQUIRED');
  });

  it('against nobody ends with 1 and says why', async () => {
    const { code, stderr } = await runCommand(['whoami'], {
      folder,
      environment: { GANTRY_URL: 'http://127.0.0.1:9', GANTRY_TOKEN: 'x' },
    });
    expect(code).toBe(1);
    expect(stderr).toMatch(/Cannot reach http:\/\/127\.0\.0\.1:9: .*\n {2}next .*\n {2}code {2}SERVER_UNREACHABLE/);
  });

  it.each([
    [['cron', 'create', 'nightly', '0 2 * * *', '--zome', 'UTC'], '没有选项“--zome”\n（是否想输入 --zone？）'],
    [['pipelin', 'list'], '没有命令“pipelin”\n（是否想输入 pipeline？）'],
    [['cron', 'create', 'nightly'], '缺少参数“expression”'],
    [['cron', 'list', '--project'], '选项“-p, --project <owner/name>”缺少值'],
    [['cron', 'list', 'a', 'b'], '参数过多：需要 0 个，给出了 2 个'],
  ])('tells in Chinese what is wrong with %j', async (words, sentence) => {
    const { stderr, code } = await gantry({}, words, { environment: { LANG: 'zh_CN.UTF-8' } });
    expect([code, stderr]).toEqual([2, expect.stringContaining(`错误： ${sentence}\n`)]);
    expect(stderr.replace(/gantry [a-z ]*--help/, '')).not.toMatch(/[a-z]+ [a-z]+ [a-z]+/);
  });

  it('names the help of the command that was meant', async () => {
    const { stderr } = await gantry({}, ['project', 'settings', 'get']);
    expect(stderr).toContain("unknown command 'get'");
    expect(stderr).toContain('(gantry project settings --help tells more)');
  });

  it('speaks Chinese where the locale does, and asks the server to', async () => {
    const { stderr, code } = await gantry(
      { 'GET /api/v1/me': () => new Refused(401, 'TOKEN_INVALID', '令牌无效') },
      ['whoami'],
      { environment: { LANG: 'zh_CN.UTF-8' } },
    );
    expect(code).toBe(4);
    expect(stderr).toContain('错误： 令牌无效');
    expect(stderr).toContain('代码  TOKEN_INVALID   请求 req_1');
    expect(lastRequest()?.headers['accept-language']).toBe('zh');
  });
});

describe('exit codes', () => {
  it.each([
    [404, 'PROJECT_NOT_FOUND', 6],
    [403, 'ACCESS_DENIED', 4],
    [401, 'SIGN_IN_REQUIRED', 4],
    [409, 'PROJECT_EXISTS', 1],
    [422, 'NAME_RESERVED', 1],
    [503, 'SERVER_BUSY', 1],
    [404, 'SOMETHING_NEWER', 6],
    [403, 'SOMETHING_NEWER', 4],
    [500, 'SOMETHING_NEWER', 1],
  ])('of %i %s is %i', async (status, code, exit) => {
    const result = await gantry({ 'GET /api/v1/me': () => new Refused(status, code, 'Cannot') }, ['whoami']);
    expect(result.code).toBe(exit);
  });

  it.each([
    [['pipelines'], 2],
    [['project', 'rename', 'a/b'], 2],
    [['pipeline', 'list', '--project', 'nonsense'], 2],
    [['pipeline', 'list', '--project', 'a/b', '--status', 'green'], 2],
    [['token', 'revoke', 'tok_1'], 2],
    [['--help'], 0],
    [['--version'], 0],
    [['help', 'exit-codes'], 0],
    [['help', 'nothing'], 2],
  ])('of gantry %j is %i', async (words, exit) => {
    const result = await gantry({}, words);
    expect(result.code).toBe(exit);
    // The answer goes to stdout, everything else to stderr.
    expect(result.stdout === '').toBe(exit !== 0);
  });
});

describe('gantry help', () => {
  it.each(['C', 'zh_CN.UTF-8'])(
    'lists the topics behind the commands and explains each, where LANG is %s',
    async (LANG) => {
      const list = await gantry({}, ['help'], { environment: { LANG } });
      const topics = [...list.stdout.matchAll(/^ {2}gantry help (\S+) +(\S.*)$/gm)];
      expect(topics.map(([, topic]) => topic)).toEqual(
        expect.arrayContaining(['exit-codes', 'environment', 'json', 'formatting', 'configuration']),
      );
      for (const [, topic = ''] of topics) {
        const { code, stdout } = await gantry({}, ['help', topic], { environment: { LANG } });
        expect(code).toBe(0);
        expect(/[\u4e00-\u9fff]/.test(stdout)).toBe(LANG !== 'C');
      }
    },
  );

  it('shows the help of a command, and names the topics to who asks for one that is not there', async () => {
    expect((await gantry({}, ['help', 'pipeline', 'watch'])).stdout).toContain('--timeout');
    expect((await gantry({}, ['help', 'exit', 'codes'])).stderr).toContain('the topics are exit-codes, environment');
  });

  it('is completed with topics and commands', async () => {
    expect((await gantry({}, ['__complete', 'help', 'e'])).stdout).toBe('exit-codes\nenvironment\nexec\n');
    expect((await gantry({}, ['__complete', 'help', 'pip'])).stdout).toBe('pipeline\n');
  });
});

describe('gantry login', () => {
  it('checks a token from stdin and keeps it where only its owner can read', async () => {
    const { code, stderr } = await gantry({ 'GET /api/v1/me': () => me }, ['login', '--token', '-'], {
      stdin: 'gty_mine\n',
    });
    expect([code, stderr]).toEqual([0, `Signed in to ${server?.url} as mei\n`]);
    const file = join(folder, 'gantry/hosts.json');
    expect(asJson(readFileSync(file, 'utf8'))).toEqual({
      hosts: { [server?.url ?? '']: { token: 'gty_mine', name: 'mei' } },
      current: server?.url,
    });
    expect(statSync(file).mode & 0o777).toBe(0o600);

    const again = await runCommand(['whoami'], { folder, environment: { XDG_CONFIG_HOME: folder } });
    expect(again.stdout).toContain('mei at');
    expect(lastRequest()?.headers['authorization']).toBe('Bearer gty_mine');
    const credential = await runCommand(['git-credential', 'get'], {
      folder,
      environment: { XDG_CONFIG_HOME: folder },
      stdin: `protocol=http\nhost=${server?.url.slice(7)}\n`,
    });
    expect(credential.stdout).toBe('username=mei\npassword=gty_mine\n');
    const out = await runCommand(['logout'], { folder, environment: { XDG_CONFIG_HOME: folder } });
    expect([out.code, readFileSync(file, 'utf8')]).toEqual([0, expect.not.stringContaining('gty_mine')]);
  });

  it('by name and password makes a token as a browser would, and keeps no password', async () => {
    const { code } = await gantry(
      {
        'POST /api/v1/session': (_, response) => {
          response.setHeader('Set-Cookie', 'gantry=ses; Path=/; HttpOnly');
          return me;
        },
        'POST /api/v1/me/tokens': () => ({ secret: 'gty_made' }),
        'DELETE /api/v1/session': () => undefined,
        'GET /api/v1/me': () => me,
      },
      ['login', '--name', 'mei'],
      { stdin: 'correct horse\n' },
    );
    expect(code).toBe(0);
    expect(server?.requests.map(({ line, headers }) => [line, headers.cookie ?? headers.authorization])).toEqual([
      ['POST /api/v1/session', undefined],
      ['POST /api/v1/me/tokens', 'gantry=ses'],
      ['DELETE /api/v1/session', 'gantry=ses'],
      ['GET /api/v1/me', 'Bearer gty_made'],
    ]);
    expect(readFileSync(join(folder, 'gantry/hosts.json'), 'utf8')).not.toContain('horse');
  });

  it('keeps nothing when the token is refused', async () => {
    const { code } = await gantry(
      { 'GET /api/v1/me': () => new Refused(401, 'TOKEN_INVALID', 'Cannot use the token') },
      ['login', '--token', 'gty_bad'],
    );
    expect(code).toBe(4);
    expect(() => statSync(join(folder, 'gantry/hosts.json'))).toThrow('ENOENT');
  });
});

describe('gantry token', () => {
  const token = {
    id: 'tok_1',
    name: 'ci',
    prefix: 'gty_ab',
    scopes: ['code:write'],
    projects: null,
    createdAt: '2026-03-01T08:00:00.000Z',
    expiresAt: null,
    lastUsedAt: null,
  };

  it('create prints the secret alone', async () => {
    const { code, stdout } = await gantry(
      { 'POST /api/v1/me/tokens': () => ({ ...token, secret: 'gty_new' }) },
      'token create ci --scope code:write --scope pipeline:read --project shop/web --expires-in-days 0'.split(' '),
    );
    expect([code, stdout]).toEqual([0, 'gty_new\n']);
    expect(lastRequest()?.body).toEqual({
      name: 'ci',
      scopes: ['code:write', 'pipeline:read'],
      projects: ['shop/web'],
      expiresInDays: null,
    });
  });

  it('create refuses a scope that does not exist, and names those that do', async () => {
    const { code, stderr } = await gantry({}, ['token', 'create', 'ci', '--scope', 'code:everything']);
    expect([code, server?.requests.length]).toEqual([2, 0]);
    expect(stderr).toContain('code:write');
  });

  it('list is a line per token in a pipe', async () => {
    const { stdout } = await gantry({ 'GET /api/v1/me/tokens': () => ({ items: [token], next: null }) }, [
      'token',
      'list',
    ]);
    expect(stdout).toBe('tok_1\tci\t\t\tcode:write\n');
  });

  it('revoke wants a yes', async () => {
    const refused = await gantry({}, ['token', 'revoke', 'tok_1', '--no-input']);
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining('--yes')]);
    await server?.close();
    const { code } = await gantry({ 'DELETE /api/v1/me/tokens/tok_1': () => undefined }, [
      'token',
      'revoke',
      'tok_1',
      '--yes',
    ]);
    expect([code, lastRequest()?.line]).toEqual([0, 'DELETE /api/v1/me/tokens/tok_1']);
  });
});

describe('gantry project', () => {
  it('list filters on the server and tells of the next page', async () => {
    const { stdout, stderr } = await gantry({ 'GET /api/v1/projects': () => ({ items: [projectView], next: 'abc' }) }, [
      'project',
      'list',
      '--query',
      'we',
      '--owner',
      'shop',
      '--limit',
      '1',
    ]);
    expect(stdout).toBe('shop/web\tinternal\t12 failed\t2026-03-01T08:00:00.000Z\t商店\n');
    expect(stderr).toBe('There are more: --after abc\n');
    expect(Object.fromEntries(lastRequest()?.query ?? [])).toEqual({ limit: '1', query: 'we', owner: 'shop' });
  });

  it('create is under one’s own name where no owner is given, and repeats safely', async () => {
    const { code, stdout } = await gantry({ 'GET /api/v1/me': () => me, 'POST /api/v1/projects': () => projectView }, [
      'project',
      'create',
      'web',
      '--visibility',
      'internal',
    ]);
    expect([code, stdout]).toEqual([0, 'http://host/shop/web.git\n']);
    expect(lastRequest()?.body).toMatchObject({
      owner: 'mei',
      name: 'web',
      visibility: 'internal',
      defaultBranch: 'main',
    });
    expect(lastRequest()?.headers['idempotency-key']).toMatch(/^[0-9a-f-]{36}$/);
  });

  it('view, archive and rename answer as JSON too', async () => {
    const answers = { [`GET ${project}`]: () => projectView, [`PATCH ${project}`]: () => projectView };
    const viewed = await gantry(answers, ['project', 'view', 'shop/web', '--json=slug,role']);
    expect(asJson(viewed.stdout)).toEqual({ slug: 'shop/web', role: 'owner' });
    await server?.close();
    await gantry(answers, ['project', 'archive', 'shop/web']);
    expect(lastRequest()?.body).toEqual({ isArchived: true });
    await server?.close();
    await gantry(answers, ['project', 'archive', 'shop/web', '--undo']);
    expect(lastRequest()?.body).toEqual({ isArchived: false });
    await server?.close();
    const renamed = await gantry(answers, ['project', 'rename', 'shop/web', 'store']);
    expect([renamed.code, lastRequest()?.body]).toEqual([0, { name: 'store' }]);
  });

  const clone = (remotes: Readonly<Record<string, string>>): void => {
    execFileSync('git', ['init', '-q', '-b', 'main', folder]);
    for (const [name, address] of Object.entries(remotes))
      execFileSync('git', ['-C', folder, 'remote', 'add', name, address]);
  };

  it('is that of the clone one stands in', async () => {
    clone({ origin: 'https://mei:secret@git.example.com/gantry/shop/web.git' });
    const { stdout } = await gantry({ [`GET ${project}`]: () => projectView }, ['project', 'view', '--json=slug']);
    expect(asJson(stdout)).toEqual({ slug: 'shop/web' });
  });

  it('is that of the remote which leads to the Gantry that is meant, whatever its name', async () => {
    server = await startFixture({ [`GET ${project}`]: () => projectView });
    clone({ origin: 'https://git.example.com/mei/elsewhere.git', gantry: `${server.url}/shop/web.git` });
    const { stdout } = await runCommand(['project', 'view', '--json=slug'], {
      folder,
      environment: { GANTRY_URL: server.url, GANTRY_TOKEN: 'gty_test', XDG_CONFIG_HOME: folder },
    });
    expect(asJson(stdout)).toEqual({ slug: 'shop/web' });
  });

  it('is asked for where two remotes lead to two projects', async () => {
    clone({ one: 'http://gantry.test/shop/web.git', two: 'http://gantry.test/shop/api.git' });
    const { code, stderr } = await runCommand(['pipeline', 'list'], {
      folder,
      environment: { GANTRY_URL: 'gantry.test', GANTRY_TOKEN: 'gty_test', XDG_CONFIG_HOME: folder },
    });
    expect([code, stderr]).toEqual([2, expect.stringContaining('--project')]);
  });

  it('outside a clone and without --project is asked for with 2', async () => {
    const { code, stderr } = await gantry({}, ['pipeline', 'list']);
    expect([code, stderr]).toEqual([2, expect.stringContaining('--project')]);
  });
});

describe('gantry pipeline', () => {
  const list = { [`GET ${project}/pipelines`]: () => ({ items: [pipeline], next: null }) };
  const inProject = ['--project', 'shop/web'];

  it('list is JSON with items and next', async () => {
    const { stdout } = await gantry(list, ['pipeline', 'list', ...inProject, '--json']);
    expect(asJson(stdout)).toEqual({ items: [pipeline], next: null });
  });

  it('list takes --json before an argument or another option without swallowing it', async () => {
    const { stdout } = await gantry(list, [
      'pipeline',
      'list',
      '--json',
      ...inProject,
      '--status',
      'failed',
      '--status',
      'running',
    ]);
    expect(asJson(stdout)).toMatchObject({ next: null });
    expect(lastRequest()?.query.getAll('status')).toEqual(['failed', 'running']);
  });

  it('list on a terminal is a table with the words of the reader', async () => {
    const { stdout } = await gantry(list, ['pipeline', 'list', ...inProject], {
      isTerminal: true,
      environment: { NO_COLOR: '1', LC_ALL: 'zh_CN.UTF-8' },
    });
    const [head, row] = stdout.split('\n');
    expect(head).toMatch(/^编号 {2}状态 +事件 +分支 +提交/);
    expect(row).toMatch(/^#12 +✗ 失败 +push +main +9f31c2e0 +\d+d 前 +fix\(cart\)/);
  });

  it('view shows the steps, where it failed, and the next commands', async () => {
    const { code, stdout } = await gantry({ [`GET ${project}/pipelines/12`]: () => detail }, [
      'pipeline',
      'view',
      '12',
      ...inProject,
    ]);
    expect(code).toBe(0);
    expect(stdout.split('\n')).toEqual([
      '#12  main  9f31c2e0  fix(cart): 按币种取整',
      ' ✓ clone       6.0s',
      ' ✗ unit tests  6.0s     exit 2',
      '     expected 1200, received 1199.99 \\x1b[31m',
      ' – image       skipped  unit tests had failed',
      '✗ failed in 3m 09s',
      "  log    gantry logs 12 'unit tests'",
      '  rerun  gantry pipeline rerun 12 --failed',
      `  web    ${server?.url}/shop/web/pipelines/12`,
      '',
    ]);
  });

  it('view offers no log of a step that did not start, and no part of a pipeline that has none', async () => {
    const steps = detail.steps.map((step) => ({ ...step, startedAt: null }));
    const refused = await gantry({ [`GET ${project}/pipelines/12`]: () => ({ ...detail, steps }) }, [
      'pipeline',
      'view',
      '12',
      ...inProject,
    ]);
    expect(refused.stdout).not.toContain('gantry logs');
    const unread = { ...detail, steps: [], workflows: [] };
    const { stdout } = await gantry({ [`GET ${project}/pipelines/12`]: () => unread }, [
      'pipeline',
      'view',
      '12',
      ...inProject,
    ]);
    expect(stdout).toContain('gantry pipeline rerun 12\n');
  });

  it('view offers no rerun of what nobody let run', async () => {
    const declined = { ...detail, status: 'cancelled', approval: 'declined' } as const;
    const { stdout } = await gantry({ [`GET ${project}/pipelines/12`]: () => declined }, [
      'pipeline',
      'view',
      '12',
      ...inProject,
    ]);
    expect(stdout).not.toContain('gantry pipeline rerun');
  });

  it('view tells what a build pushed, by digest', async () => {
    const pushed = [{ name: 'registry.example/shop/web:1.2', digest: `sha256:${'ab'.repeat(32)}` }];
    const steps = detail.steps.map((step) => (step.name === 'clone' ? { ...step, pushed } : step));
    const { stdout } = await gantry({ [`GET ${project}/pipelines/12`]: () => ({ ...detail, steps }) }, [
      'pipeline',
      'view',
      '12',
      ...inProject,
    ]);
    expect(stdout.split('\n')[2]).toBe(`     registry.example/shop/web:1.2@sha256:${'ab'.repeat(32)}`);
  });

  it('view as JSON has status, commit and steps', async () => {
    const { stdout } = await gantry({ [`GET ${project}/pipelines/12`]: () => detail }, [
      'pipeline',
      'view',
      '12',
      '--json',
      ...inProject,
    ]);
    expect(asJson(stdout)).toEqual(detail);
  });

  it('start sends its parameters and prints the number', async () => {
    const { code, stdout } = await gantry({ [`POST ${project}/pipelines`]: () => pipeline }, [
      'pipeline',
      'start',
      ...inProject,
      '--ref',
      'main',
      '-P',
      'A=b=c',
      '-P',
      'EMPTY=',
    ]);
    expect([code, stdout]).toEqual([0, '12\n']);
    expect(lastRequest()?.body).toEqual({ ref: 'main', parameters: { A: 'b=c', EMPTY: '' } });
    expect(lastRequest()?.headers['idempotency-key']).toBeTruthy();
  });

  it('cancel and rerun take the number; rerun without one takes the newest', async () => {
    const answers = {
      ...list,
      [`POST ${project}/pipelines/12/cancel`]: () => pipeline,
      [`POST ${project}/pipelines/12/rerun`]: () => pipeline,
    };
    expect((await gantry(answers, ['pipeline', 'cancel', '#12', ...inProject])).code).toBe(0);
    await server?.close();
    const { code } = await gantry(answers, ['pipeline', 'rerun', '--failed', ...inProject]);
    expect([code, lastRequest()?.line, lastRequest()?.body]).toEqual([
      0,
      `POST ${project}/pipelines/12/rerun`,
      { only: 'failed' },
    ]);
  });

  it('promote and rollback take the number and the target', async () => {
    const answers = { ...list, [`POST ${project}/pipelines/12/promote`]: () => ({ ...pipeline, number: 13 }) };
    const promoted = await gantry(answers, ['pipeline', 'promote', '12', 'production', '-P', 'A=b=c', ...inProject]);
    expect([promoted.code, promoted.stdout]).toEqual([0, '13\n']);
    expect(lastRequest()?.body).toEqual({ target: 'production', event: 'promote', parameters: { A: 'b=c' } });
    expect(lastRequest()?.headers['idempotency-key']).toBeTruthy();
    await server?.close();
    expect((await gantry(answers, ['pipeline', 'rollback', '#12', 'staging', ...inProject])).code).toBe(0);
    expect(lastRequest()?.body).toEqual({ target: 'staging', event: 'rollback', parameters: {} });
    await server?.close();
    const targets = `GET ${project}/pipelines/12/promotion-targets`;
    const named = { ...answers, [targets]: () => ({ items: [{ name: 'staging' }, { name: 'live', role: 'admin' }] }) };
    const without = await gantry(named, ['pipeline', 'promote', '12', ...inProject]);
    expect([without.code, without.stderr]).toEqual([
      2,
      expect.stringContaining('the pipeline file names staging, live'),
    ]);
    await server?.close();
    const unnamed = await gantry({ ...answers, [targets]: () => ({ items: [] }) }, [
      'pipeline',
      'promote',
      '12',
      ...inProject,
    ]);
    expect([unnamed.code, unnamed.stderr]).toEqual([2, expect.stringContaining('the pipeline file names none')]);
  });

  it('why prints every decision as a sentence', async () => {
    const entry = {
      subject: { kind: 'step', workflow: 'default', step: 'image' },
      rule: 'step.when.branch',
      verdict: 'skipped',
      values: {},
      sentence: 'Step "image" was skipped.',
    };
    const answers = { [`GET ${project}/pipelines/12/why`]: () => ({ items: [entry] }) };
    const { stdout } = await gantry(answers, ['pipeline', 'why', '12', ...inProject]);
    expect(stdout).toBe('– Step "image" was skipped.  [step.when.branch]\n');
    await server?.close();

    const event = {
      kind: 'push',
      ref: 'refs/heads/docs',
      before: '',
      after: '',
      personName: 'mei',
      createdAt: '',
      pipeline: null,
      why: [entry],
    };
    const nothingRan = await gantry({ [`GET ${project}/events`]: () => ({ items: [event] }) }, [
      'pipeline',
      'why',
      ...inProject,
    ]);
    expect(nothingRan.stderr).toBe('push of refs/heads/docs: no pipeline\n');
    expect(nothingRan.stdout).toContain('was skipped');
  });

  it('yaml prints the file as it read, and names each text where there are several', async () => {
    const reading = { workflows: [], text: 'image: node:24\n', changedLines: [1] };
    const file = {
      path: '.gantry.yml',
      written: 'image: node:${V}\n',
      converted: null,
      isLeftOut: false,
      readings: [reading],
      readingsLeftOut: 0,
    };
    const answer = { commit: 'a', isAsPlanned: true, hidesVariables: false, problem: null, files: [file] };
    const route = `GET ${project}/pipelines/12/yaml`;
    const one = await gantry({ [route]: () => answer }, ['pipeline', 'yaml', '12', ...inProject]);
    expect([one.stdout, one.stderr]).toEqual(['image: node:24\n', '']);
    await server?.close();
    const written = await gantry({ [route]: () => answer }, ['pipeline', 'yaml', '12', '--written', ...inProject]);
    expect(written.stdout).toBe('image: node:${V}\n');
    await server?.close();
    const readings = [
      { ...reading, workflows: ['V=24'] },
      { ...reading, workflows: ['V=22'], text: 'image: node:22\n' },
    ];
    const several = await gantry(
      { [route]: () => ({ ...answer, isAsPlanned: false, files: [{ ...file, readings, readingsLeftOut: 3 }] }) },
      ['pipeline', 'yaml', '12', ...inProject],
    );
    expect(several.stdout).toBe('# .gantry.yml (V=24)\nimage: node:24\n# .gantry.yml (V=22)\nimage: node:22\n');
    expect(several.stderr).toMatch(/settings that the project has today[^]*3 more sets/);
  });

  describe('watch', () => {
    const running: PipelineDetail = {
      ...detail,
      status: 'running',
      finishedAt: null,
      steps: [step('clone'), step('unit tests', { id: 101, status: 'running', exitCode: null, finishedAt: null })],
    };
    const frame = (event: string, data: object) => `event: ${event}\nid: 1\ndata: ${JSON.stringify(data)}\n\n`;

    function worldOf(states: readonly PipelineDetail[]): Record<string, Answer> {
      let asked = 0;
      return {
        [`GET ${project}/pipelines/12`]: () => states[Math.min(asked++, states.length - 1)],
        'GET /api/v1/stream': (_, response) => {
          response.writeHead(200, { 'Content-Type': 'text/event-stream' });
          response.write(frame('ready', { sequence: 1, refused: [] }));
          for (const _state of states.slice(1)) response.write(frame('happening', { sequence: 2 }));
          return response;
        },
      };
    }

    it('shows each step once as it ends, and ends with 5 when the pipeline failed', async () => {
      const { code, stderr, stdout } = await gantry(worldOf([running, running, detail]), [
        'pipeline',
        'watch',
        '12',
        ...inProject,
      ]);
      expect([code, stdout]).toEqual([5, '']);
      expect(stderr.split('\n').filter((line) => /clone/.test(line))).toHaveLength(1);
      expect(stderr).toMatch(/ ● unit tests[^]* ✗ unit tests[^]* – image[^]*✗ failed in 3m 09s/);
      expect(server?.requests.find(({ line }) => line === 'GET /api/v1/stream')?.query.get('topics')).toBe(
        'pipeline:shop/web/12',
      );
    });

    it('says once that it waits for an approval, and how to give it', async () => {
      const blocked: PipelineDetail = { ...running, status: 'blocked', approval: 'waiting', steps: [] };
      const { stderr } = await gantry(worldOf([blocked, blocked, detail]), ['pipeline', 'watch', '12', ...inProject]);
      expect(stderr.match(/It waits for an approval: gantry pipeline approve 12/g)).toHaveLength(1);
    });

    it('ends with 0 when it passed, as lines of JSON', async () => {
      const passed: PipelineDetail = { ...detail, status: 'passed' };
      const { code, stdout } = await gantry(worldOf([running, passed]), [
        'pipeline',
        'watch',
        '12',
        '--json=status',
        ...inProject,
      ]);
      expect([code, stdout]).toEqual([0, '{"status":"running"}\n{"status":"passed"}\n']);
    });

    it('goes on asking when there is no stream', async () => {
      const { code } = await gantry({ [`GET ${project}/pipelines/12`]: () => detail }, [
        'pipeline',
        'watch',
        '12',
        ...inProject,
      ]);
      expect(code).toBe(5);
    });

    it('gives up with 3 when its time is over', async () => {
      const { code, stderr } = await gantry(worldOf([running]), [
        'pipeline',
        'watch',
        '12',
        '--timeout',
        '50ms',
        ...inProject,
      ]);
      expect([code, stderr]).toEqual([3, expect.stringContaining('has not ended within 50ms')]);
    });

    it('leaves the pipeline alone after one Ctrl-C, with 130', async () => {
      const { code, stderr } = await gantry(worldOf([running]), ['pipeline', 'watch', '12', ...inProject], {
        onNote: (text, send) => {
          if (text.includes('unit tests')) send('SIGINT');
        },
      });
      expect([code, stderr]).toEqual([130, expect.stringContaining('Detaching')]);
      expect(server?.requests.some(({ line }) => line.endsWith('/cancel'))).toBe(false);
    });

    it('asks to cancel it after two', async () => {
      const { code, stderr } = await gantry(
        { ...worldOf([running]), [`POST ${project}/pipelines/12/cancel`]: () => pipeline },
        ['pipeline', 'watch', '12', ...inProject],
        {
          onNote: (text, send) => {
            if (text.includes('unit tests') || text.includes('Detaching')) queueMicrotask(() => send('SIGINT'));
          },
        },
      );
      expect([code, stderr]).toEqual([130, expect.stringContaining('Asked to cancel pipeline 12')]);
    });
  });
});

describe('gantry logs', () => {
  const inProject = ['--project', 'shop/web'];
  const log = (id: number) => `GET ${project}/pipelines/12/steps/${id}/log`;
  const answers: Record<string, Answer> = {
    [`GET ${project}/pipelines/12`]: () => detail,
    [`GET ${project}/pipelines/12/attempts`]: () => ({
      items: [step('unit tests', { id: 90, attempt: 1 }), step('unit tests', { id: 101, attempt: 2 })],
    }),
    [log(100)]: (_, response) => response.end('cloned\n'),
    [log(101)]: (_, response) => response.end(Buffer.from('坏了\u0000\u001b[31m\n')),
    [log(90)]: (_, response) => response.end('first try\n'),
  };

  it('prints the bytes of a step as they are', async () => {
    const { code, stdout, stderr } = await gantry(answers, ['logs', '12', 'unit tests', ...inProject]);
    expect([code, stdout, stderr]).toEqual([0, '坏了\u0000\u001b[31m\n', '']);
  });

  it('prints all steps that started, their names beside', async () => {
    const { stdout, stderr } = await gantry(answers, ['logs', '12', ...inProject]);
    expect(stdout).toBe('cloned\n坏了\u0000\u001b[31m\n');
    expect(stderr).toBe('── default/clone\n── default/unit tests\n');
  });

  it('takes the workflow, the attempt, and only what failed', async () => {
    expect((await gantry(answers, ['logs', '12', 'default/clone', ...inProject])).stdout).toBe('cloned\n');
    await server?.close();
    expect((await gantry(answers, ['logs', '12', 'unit tests', '--attempt', '1', ...inProject])).stdout).toBe(
      'first try\n',
    );
    await server?.close();
    expect((await gantry(answers, ['logs', '12', '--failed', '-f', ...inProject])).stderr).toBe(
      '── default/unit tests\n',
    );
    expect(lastRequest()?.query.get('follow')).toBe('1');
  });

  it('puts when each line came in front of it, also while it follows', async () => {
    const stamped: Record<string, Answer> = {
      ...answers,
      [log(100)]: ({ query }, response) =>
        response.end(query.get('timestamps') === '1' ? '2026-11-26T18:00:00.005Z cloned\n' : 'cloned\n'),
    };
    for (const flags of [['--timestamps'], ['-t', '-f']]) {
      const { stdout } = await gantry(stamped, ['logs', '12', 'clone', ...flags, ...inProject]);
      expect(stdout).toBe('2026-11-26T18:00:00.005Z cloned\n');
      expect(lastRequest()?.query.get('follow')).toBe(flags.includes('-f') ? '1' : null);
      await server?.close();
    }
  });

  it('names the steps there are when there is none of this name', async () => {
    const { code, stderr } = await gantry(answers, ['logs', '12', 'lint', ...inProject]);
    expect([code, stderr]).toEqual([6, expect.stringContaining('it has clone, unit tests, image')]);
  });

  it('asks which workflow is meant when two have the step', async () => {
    const two = { ...detail, steps: [step('test'), step('test', { workflow: 'arm' })] };
    const { code, stderr } = await gantry({ [`GET ${project}/pipelines/12`]: () => two }, [
      'logs',
      '12',
      'test',
      ...inProject,
    ]);
    expect([code, stderr]).toEqual([2, expect.stringContaining('default/test, arm/test')]);
  });
});

describe('gantry secret', () => {
  const secret = {
    name: 'key',
    events: ['push', 'pull_request'],
    pullRequests: 'project',
    branches: ['main'],
    images: [],
    isForPluginsOnly: true,
    createdAt: '',
    updatedAt: '2026-03-01T08:00:00.000Z',
    updatedBy: 'mei',
  };
  const inProject = ['--project', 'shop/web'];

  it('set reads the value from stdin, without the end of line that echo adds', async () => {
    const answers = { [`PUT ${project}/secrets/key`]: () => ({ ...secret, warning: null }) };
    const { code, stdout, stderr } = await gantry(answers, ['secret', 'set', 'key', '--event', 'push', ...inProject], {
      stdin: 's3cret\n',
    });
    expect([code, stdout, stderr]).toEqual([0, '', 'Secret key of shop/web set\n']);
    expect(lastRequest()?.body).toEqual({ value: 's3cret', events: ['push'] });
  });

  it('set keeps the ends of line of a file, and warns of a value too short to be masked', async () => {
    writeFileSync(join(folder, 'key.pem'), 'line 1\nline 2\n');
    const answers = { [`PUT ${project}/secrets/key`]: () => ({ ...secret, warning: 'It is too short to be masked.' }) };
    const { stderr } = await gantry(answers, ['secret', 'set', 'key', '--from', 'key.pem', ...inProject]);
    expect(lastRequest()?.body).toEqual({ value: 'line 1\nline 2\n' });
    expect(stderr).toContain('too short');
  });

  it('set says which pull requests may have it, and warns of those of forks', async () => {
    const answers = { [`PUT ${project}/secrets/key`]: () => ({ ...secret, pullRequests: 'forks', warning: null }) };
    const set = ['secret', 'set', 'key', '--keep-value', ...inProject, '--pull-requests'];
    const { stderr } = await gantry(answers, [...set, 'forks']);
    expect(lastRequest()?.body).toEqual({ pullRequests: 'forks' });
    expect(stderr).toContain('Whoever approves a pull request of a fork with secrets hands out key');
    expect((await gantry(answers, [...set, 'project'])).stderr).toBe('Secret key of shop/web set\n');
    expect((await gantry(answers, [...set, 'everybody'])).code).toBe(2);
  });

  it('set changes limits alone, of an organisation too', async () => {
    const answers = { 'PUT /api/v1/organisations/team/secrets/key': () => ({ ...secret, warning: null }) };
    const words = 'secret set key --org team --keep-value --branch main --branch v* --image any --no-plugins-only';
    const { code, stderr } = await gantry(answers, words.split(' '));
    expect([code, stderr]).toEqual([0, 'Secret key of team set\n']);
    expect(lastRequest()?.body).toEqual({ branches: ['main', 'v*'], images: [], isForPluginsOnly: false });
  });

  it('refuses an organisation and a project at once', async () => {
    const { code } = await gantry({}, ['secret', 'list', '--org', 'team', ...inProject]);
    expect([code, server?.requests.length]).toEqual([2, 0]);
  });

  it('set refuses an empty value', async () => {
    const { code } = await gantry({}, ['secret', 'set', 'key', ...inProject], { stdin: '' });
    expect([code, server?.requests.length]).toEqual([2, 0]);
  });

  it('list and unset', async () => {
    const listed = await gantry({ [`GET ${project}/secrets`]: () => ({ items: [secret], next: null }) }, [
      'secret',
      'list',
      ...inProject,
    ]);
    expect(listed.stdout).toBe('key\tpush\tof the project\tmain\tany (plugins only)\t2026-03-01T08:00:00.000Z\tmei\n');
    await server?.close();
    const { code } = await gantry({ [`DELETE ${project}/secrets/key`]: () => undefined }, [
      'secret',
      'unset',
      'key',
      '--yes',
      ...inProject,
    ]);
    expect(code).toBe(0);
  });
});

describe('gantry variable', () => {
  it('set sends each variable, list shows them, unset removes one', async () => {
    const view = { name: 'REGION', value: 'cn=1', updatedAt: '2026-03-01T08:00:00.000Z', updatedBy: 'mei' };
    const answers = {
      [`PUT ${project}/variables/REGION`]: () => view,
      [`GET ${project}/variables`]: () => ({ items: [view], next: null }),
      [`DELETE ${project}/variables/REGION`]: () => undefined,
    };
    const inProject = ['--project', 'shop/web'];
    const set = await gantry(answers, ['variable', 'set', 'REGION=cn=1', ...inProject]);
    expect([set.code, set.stderr]).toEqual([0, 'Variable REGION of shop/web set\n']);
    expect(lastRequest()?.body).toEqual({ value: 'cn=1' });
    await server?.close();
    const listed = await gantry(answers, ['variable', 'list', ...inProject]);
    expect(listed.stdout).toBe('REGION\tcn=1\t2026-03-01T08:00:00.000Z\tmei\n');
    await server?.close();
    expect((await gantry(answers, ['variable', 'unset', 'REGION', ...inProject])).code).toBe(0);
  });
});

describe('gantry registry', () => {
  it('set reads the password from stdin and sends it with the name', async () => {
    const view = { registry: 'registry.test:5000', username: 'robot', updatedAt: '', updatedBy: 'mei' };
    const { code, stderr } = await gantry(
      { 'PUT /api/v1/organisations/team/registries/registry.test:5000': () => view },
      ['registry', 'set', 'registry.test:5000', '--username', 'robot', '--org', 'team'],
      { stdin: 'pull-me\n' },
    );
    expect([code, stderr]).toEqual([0, 'Login of registry.test:5000 kept for team\n']);
    expect(lastRequest()?.body).toEqual({ username: 'robot', password: 'pull-me' });
  });
});

describe('gantry project settings', () => {
  const settings = {
    path: null,
    disabledEvents: ['tag'],
    supersedingEvents: [],
    evaluatesDronePaths: true,
    toleratesFilteredSteps: false,
    ignoresCaches: false,
    runsBuildersAsContainers: false,
    stepTimeoutMs: 3_600_000,
    timeoutMs: null,
    promotionRules: [{ target: 'prod{uction,-eu}', role: 'admin' }],
    pullRequestApproval: 'outsiders',
    ignoresForks: false,
    usesTargetFile: false,
    requiresSignature: false,
    unavailable: 'wait',
    trusts: ['security'],
    forbidsSandbox: false,
  };
  const inProject = ['--project', 'shop/web'];

  it('view shows each under the key by which it is set', async () => {
    const { stdout } = await gantry({ [`GET ${project}/pipeline-settings`]: () => settings }, [
      'project',
      'settings',
      'view',
      ...inProject,
    ]);
    expect(stdout.split('\n')).toEqual([
      'path\t(the usual places)',
      'disabled-events\ttag',
      'auto-cancel\t–',
      'drone-paths\ton',
      'tolerate-filtered-steps\toff',
      'ignore-caches\toff',
      'builders-as-containers\toff',
      'pull-request-approval\toutsiders',
      'ignore-forks\toff',
      'target-file\toff',
      'require-signature\toff',
      'unavailable\twait',
      'trusted\tsecurity',
      'forbid-sandbox\toff',
      'step-timeout\t1h 00m',
      'timeout\t–',
      'promotion\tprod{uction,-eu}:admin',
      '',
    ]);
  });

  it('set sends what is named and nothing else', async () => {
    const { code } = await gantry({ [`PATCH ${project}/pipeline-settings`]: () => settings }, [
      'project',
      'settings',
      'set',
      'path=ci/',
      'auto-cancel=push,tag',
      'disabled-events=',
      'drone-paths=off',
      'timeout=',
      'step-timeout=30m',
      'promotion=prod*:admin staging:maintain',
      ...inProject,
    ]);
    expect(code).toBe(0);
    expect(lastRequest()?.body).toEqual({
      path: 'ci/',
      supersedingEvents: ['push', 'tag'],
      disabledEvents: [],
      evaluatesDronePaths: false,
      timeoutMs: null,
      stepTimeoutMs: 1_800_000,
      promotionRules: [
        { target: 'prod*', role: 'admin' },
        { target: 'staging', role: 'maintain' },
      ],
    });
  });

  it.each(['colour=red', 'path', 'drone-paths=maybe', 'auto-cancel=promote', 'promotion=prod'])(
    'set refuses %s before anything is sent',
    async (text) => {
      const { code } = await gantry({}, ['project', 'settings', 'set', text, ...inProject]);
      expect([code, server?.requests.length]).toEqual([2, 0]);
    },
  );
});

describe('gantry lint', () => {
  const good = 'kind: pipeline\nname: default\nsteps:\n  - name: a\n    image: base/busybox\n    commands: [true]\n';

  it('finds the file where one stands, and is content with a good one', async () => {
    writeFileSync(join(folder, '.gantry.yml'), good.replace('[true]', '["true"]'));
    const { code, stdout, stderr } = await runCommand(['lint'], { folder });
    expect([code, stdout]).toEqual([0, '']);
    expect(stderr).toContain('.gantry.yml: good, 1 workflow with 2 steps');
  });

  it('points at the line of each mistake and ends with 1', async () => {
    writeFileSync(join(folder, '.gantry.yml'), good.replace('image:', 'imgae:'));
    const { code, stdout } = await runCommand(['lint', '.gantry.yml'], { folder });
    expect(code).toBe(1);
    expect(stdout).toMatch(/^\.gantry\.yml:5:5: error .*imgae.*\[key\.unknown\]$/m);
    const json = await runCommand(['lint', '.gantry.yml', '--json'], { folder });
    expect(asJson(json.stdout)).toMatchObject({ items: [{ path: '.gantry.yml', isValid: false }] });
  });

  it('says when there is nothing to check', async () => {
    const { code, stderr } = await runCommand(['lint'], { folder });
    expect([code, stderr]).toEqual([1, expect.stringContaining('PIPELINE_FILE_MISSING')]);
    expect((await runCommand(['lint', 'no.yml'], { folder })).code).toBe(6);
  });

  it('reads every workflow of a .woodpecker folder, in its own dialect', async () => {
    mkdirSync(join(folder, '.woodpecker'));
    writeFileSync(join(folder, '.drone.yml'), 'kind: nonsense\n');
    const workflow = 'when: {event: push}\nsteps: {unit: {image: base/busybox, commands: echo}}\n';
    writeFileSync(join(folder, '.woodpecker/test.yml'), workflow);
    writeFileSync(join(folder, '.woodpecker/check.yaml'), `${workflow}foo: 1\n`);
    const { code, stdout } = await runCommand(['lint'], { folder });
    expect(code).toBe(0);
    expect(stdout).toContain('.woodpecker/check.yaml:3:1:');
    expect(stdout).not.toContain('nonsense');
  });
});

describe('gantry config', () => {
  it('tells where each value comes from, and masks secrets', async () => {
    const { stdout } = await runCommand(['config', '--json', '--data', '/srv/gantry'], {
      folder,
      environment: {
        GANTRY_PORT: '8080',
        DATABASE_URL: 'postgres://secret',
        GANTRY_TOKEN: 'gty_secret',
        GANTRY_URL: 'host:1',
      },
    });
    expect(stdout).not.toContain('secret');
    const { items } = asJson(stdout) as { items: readonly { readonly name: string }[] };
    expect(items).toEqual(
      expect.arrayContaining([
        { name: 'url', variable: 'GANTRY_URL', value: 'http://host:1', source: 'GANTRY_URL' },
        { name: 'port', variable: 'GANTRY_PORT', value: '8080', source: 'environment' },
        { name: 'dataFolder', variable: 'GANTRY_DATA', value: '/srv/gantry', source: 'flag' },
        expect.objectContaining({ name: 'host', source: 'default' }),
      ]),
    );
  });

  it('with a value that cannot be used ends with 2', async () => {
    const { code, stderr } = await runCommand(['config'], { folder, environment: { GANTRY_PORT: 'many' } });
    expect([code, stderr]).toEqual([2, expect.stringContaining('GANTRY_PORT')]);
  });
});

describe('gantry completion', () => {
  it.each(['bash', 'zsh', 'fish'])('prints a script for %s that asks the program', async (shell) => {
    const { code, stdout } = await runCommand(['completion', shell], { folder });
    expect([code, stdout]).toEqual([0, expect.stringContaining('gantry __complete')]);
  });

  it('completes commands, options and projects', async () => {
    const complete = async (...words: string[]) =>
      (await runCommand(['__complete', ...words], { folder })).stdout.split('\n').filter(Boolean);
    expect(await complete('pip')).toEqual(['pipeline']);
    expect(await complete('pipeline', 're')).toEqual(['rerun']);
    expect(await complete('pipeline', 'list', '--st')).toEqual(['--status']);
    expect(await complete('')).not.toContain('git-credential');
    expect(await complete('logs', '--project', '')).toEqual([]);
    const { stdout } = await gantry({ 'GET /api/v1/projects': () => ({ items: [projectView], next: null }) }, [
      '__complete',
      'logs',
      '--project',
      'sh',
    ]);
    expect(stdout).toBe('shop/web\n');
  });
});

describe('texts of the command line', () => {
  it('exist in Chinese for every English one, and differ', () => {
    const keys = (value: object, path = ''): string[] =>
      Object.entries(value).flatMap(([key, inner]) =>
        typeof inner === 'object' && inner !== null && !Array.isArray(inner)
          ? keys(inner as object, `${path}${key}.`)
          : [`${path}${key}`],
      );
    expect(keys(textsZh)).toEqual(keys(textsEn));
    const same = Object.entries(textsEn.commands).filter(
      ([key, text]) => textsZh.commands[key as keyof typeof textsZh.commands] === text,
    );
    expect(same).toEqual([]);
  });
});

describe('commandReference', () => {
  it('has a section for every command that people use', async () => {
    const page = await commandReference();
    for (const title of ['gantry serve', 'gantry pipeline rerun', 'gantry secret set', 'gantry logs'])
      expect(page).toContain(`\n## ${title}\n`);
    expect(page).toContain('gantry pipeline rerun [number]');
    expect(page).not.toContain('__complete');
  });
});

describe('bin/gantry', () => {
  it('starts on the Node of the lock file, from any folder and through a link', () => {
    const program = join(import.meta.dirname, '../../bin/gantry');
    execFileSync('ln', ['-s', program, join(folder, 'gantry')]);
    const { status, stdout } = spawnSync(join(folder, 'gantry'), ['version', '--json'], { cwd: '/', encoding: 'utf8' });
    expect(status).toBe(0);
    expect(asJson(stdout)).toMatchObject({
      version: expect.stringMatching(/^\d/),
      node: expect.stringMatching(/^2[4-9]\./),
    });
  });
});
