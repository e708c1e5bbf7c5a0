import { execFile } from 'node:child_process';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Client, createClient } from '../../src/api/client.ts';
import { GantryProcess } from '../support/gantry-process.ts';
import { Someone } from '../support/someone.ts';

const run = promisify(execFile);
const canary = 'canary-of-the-project-4711';

/** Prints the secret, in a form that no masker knows too, and what it knows of the pull request. */
const printing = `
kind: pipeline
name: default
steps:
  - name: look
    image: alpine
    environment:
      KEY: {from_secret: deploy_key}
      STEP_ACTS: '[{"do":"print-variable","name":"KEY"},{"do":"print-variable","name":"DRONE_PULL_REQUEST"},{"do":"print-variable","name":"DRONE_SOURCE_BRANCH"},{"do":"print-variable","name":"DRONE_TARGET_BRANCH"},{"do":"print-variable","name":"DRONE_COMMIT_REF"},{"do":"print-variable","name":"DRONE_BUILD_ACTION"}]'
`;

const params = { owner: 'admin', project: 'shop' };

describe('pull requests, with git and a whole server', () => {
  let gantry: GantryProcess;
  let ann: Someone;
  let wei: Someone;
  let bo: Someone;

  beforeAll(async () => {
    gantry = await GantryProcess.start({ runtime: 'scripted' });
    await gantry.createProject('shop');
    await gantry.client('updateProject', { params, body: { visibility: 'internal' } });
    await gantry.client('setSecret', {
      params: { ...params, name: 'deploy_key' },
      body: { value: canary, events: ['push', 'pull_request'], pullRequests: 'forks' },
    });
    await gantry.push('shop', { '.drone.yml': printing, readme: 'one' });
    [ann, wei, bo] = [
      await Someone.make(gantry, 'ann'),
      await Someone.make(gantry, 'wei'),
      await Someone.make(gantry, 'bo'),
    ];
    await gantry.client('setMember', { params: { ...params, name: 'wei' }, body: { role: 'maintain' } });
    await gantry.client('setMember', { params: { ...params, name: 'bo' }, body: { role: 'maintain' } });
    await ann.client('createProject', { body: { owner: 'ann', name: 'shop', visibility: 'internal' } });
    await gantry.finished('shop', 1);
  });
  afterAll(() => gantry.dispose());

  const newest = async () => (await gantry.client('listPipelines', { params, query: {} })).items[0]!;
  /** The newest pipeline of a commit, once there is one that is as it should be. */
  const pipelineOf = async (commit: string, status: string): Promise<number> => {
    await expect
      .poll(
        async () => {
          const { items } = await gantry.client('listPipelines', { params, query: { event: 'pull_request' } });
          return items.find((item) => item.commit === commit)?.status;
        },
        { timeout: 60_000 },
      )
      .toBe(status);
    const { items } = await gantry.client('listPipelines', { params, query: { event: 'pull_request' } });
    return items.find((item) => item.commit === commit)!.number;
  };
  const approvalOf = (number: number, client = gantry.client) =>
    client('getApproval', { params: { ...params, number } });
  const decide = async (client: Client, number: number, decision: 'approve' | 'decline', withSecrets = false) => {
    const { head, configuration } = await approvalOf(number);
    return client('decideApproval', {
      params: { ...params, number },
      body: { decision, withSecrets, head, configuration },
    });
  };
  const logOf = async (number: number) => {
    const pipeline = await gantry.finished('shop', number);
    return gantry.log('shop', number, pipeline.steps.find(({ name }) => name === 'look')!.id);
  };
  const why = async (number: number) =>
    (await gantry.client('explainPipeline', { params: { ...params, number } })).items.map(({ sentence }) => sentence);

  it('a pull request of a person who may write runs at once, with its variables and the secrets for pull requests', async () => {
    const commit = await wei.push('admin/shop', 'admin/shop', 'feature/a', { readme: 'two' });
    const opened = await wei.client('openPullRequest', { params, body: { sourceBranch: 'feature/a' } });
    expect(opened).toMatchObject({ number: 1, title: 'Change readme', isFork: false, head: commit, state: 'open' });
    const number = await pipelineOf(commit, 'passed');
    const log = await logOf(number);
    for (const line of ['1', 'feature/a', 'main', 'refs/pull/1/head', 'opened'])
      expect(log.split('\n')).toContain(line);
    expect(log).toContain('******');
    expect(log).not.toContain(canary);
    expect(await why(number)).toContain('Pull request #1 was opened: admin/shop, branch "feature/a", for "main".');
    const refs = await run('git', [
      'ls-remote',
      `${gantry.url.replace('http://', `http://admin:${gantry.token}@`)}/admin/shop.git`,
    ]);
    expect(refs.stdout).toContain(`${commit}\trefs/pull/1/head`);
  });

  it('an open pull request follows its branch, and nobody pushes to where its head is kept', async () => {
    const commit = await wei.push('admin/shop', 'admin/shop', 'feature/a', { readme: 'three' });
    const log = await logOf(await pipelineOf(commit, 'passed'));
    expect(log.split('\n')).toContain('synchronized');
    await expect(wei.push('admin/shop', 'admin/shop', '../pull/1/head', { readme: 'x' })).rejects.toThrow();
    const tree = join(gantry.folder, 'tree-wei-admin-shop');
    const address = `${gantry.url.replace('http://', `http://admin:${gantry.token}@`)}/admin/shop.git`;
    await expect(run('git', ['push', address, 'HEAD:refs/pull/1/head'], { cwd: tree })).rejects.toThrow(
      /heads of pull requests are kept by Gantry/,
    );
  });

  let forked = 0;
  it('a fork of a stranger waits, and is given nothing: its sentence says what for', async () => {
    const commit = await ann.push('admin/shop', 'ann/shop', 'fix', {
      '.drone.yml': `${printing}\n# mine\n`,
      readme: 'ann',
    });
    await ann.client('openPullRequest', { params, body: { source: 'ann/shop', sourceBranch: 'fix' } });
    forked = await pipelineOf(commit, 'blocked');
    expect(await why(forked)).toEqual(
      expect.arrayContaining([
        'Nothing runs until a maintainer approves it: its author may not write to the project.',
        'Step "look": secret "deploy_key" is not given to work that the project does not trust, unless it is approved with secrets.',
      ]),
    );
    const waiting = await gantry.client('listApprovals', { params });
    expect(waiting.items).toMatchObject([{ pipeline: forked, reason: 'outsider', head: commit, isUntrusted: true }]);
    const asked = await approvalOf(forked);
    expect(asked.diff).toContain('+# mine');
    expect(asked.workflows[0]?.steps[0]).toMatchObject({ name: 'look', secrets: ['deploy_key'] });
  });

  it('whoever may not decide does not, and a decision about another commit is none', async () => {
    await expect(decide(ann.client, forked, 'approve')).rejects.toMatchObject({ problem: { code: 'ACCESS_DENIED' } });
    const { configuration } = await approvalOf(forked);
    const body = { decision: 'approve' as const, withSecrets: false, head: 'a'.repeat(40), configuration };
    await expect(wei.client('decideApproval', { params: { ...params, number: forked }, body })).rejects.toMatchObject({
      problem: { code: 'APPROVAL_OUTDATED' },
    });
    expect((await gantry.until('shop', forked, () => true)).status).toBe('blocked');
  });

  it('a cancel and a rerun do not let it run', async () => {
    const commit = await ann.push('admin/shop', 'ann/shop', 'fix', { readme: 'ann, again' });
    const number = await pipelineOf(commit, 'blocked');
    expect((await gantry.finished('shop', forked)).status).toBe('cancelled');
    expect(await why(forked)).toContain(`Nobody approved it before #${number} came, of the same pull request.`);
    await gantry.client('cancelPipeline', { params: { ...params, number } });
    await gantry.finished('shop', number);
    for (const body of [{ only: 'all' as const }, { parameters: { A: 'b' } }])
      await expect(gantry.client('rerunPipeline', { params: { ...params, number }, body })).rejects.toMatchObject({
        problem: { code: 'APPROVAL_MISSING' },
      });
    await expect(
      gantry.client('promotePipeline', {
        params: { ...params, number },
        body: { event: 'promote', target: 'p', parameters: {} },
      }),
    ).rejects.toMatchObject({ problem: { code: 'PIPELINE_UNTRUSTED' } });
    await expect(
      gantry.client('startPipeline', { params, body: { ref: 'refs/pull/2/head', parameters: {} } }),
    ).rejects.toMatchObject({ problem: { code: 'REF_NOT_FOUND' } });
    expect((await newest()).number).toBe(number);
  });

  it('of two who decide at once one has decided; approved, it runs without secrets, again too', async () => {
    const commit = await ann.push('admin/shop', 'ann/shop', 'fix', { readme: 'ann, third' });
    const number = await pipelineOf(commit, 'blocked');
    const both = await Promise.allSettled([
      decide(wei.client, number, 'approve'),
      decide(bo.client, number, 'approve'),
    ]);
    expect(both.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    expect((await gantry.finished('shop', number)).status).toBe('passed');
    const log = await logOf(number);
    expect(log).not.toContain('******');
    expect(log.split('\n')).toContain('fix');
    await gantry.client('rerunPipeline', { params: { ...params, number }, body: { only: 'all' } });
    expect((await gantry.finished('shop', number)).status).toBe('passed');
    // The same commit under the same configuration needs no second word: reopened, it runs at once.
    await ann.client('updatePullRequest', { params: { ...params, number: 2 }, body: { state: 'closed' } });
    await ann.client('updatePullRequest', { params: { ...params, number: 2 }, body: { state: 'open' } });
    await expect.poll(async () => (await newest()).number, { timeout: 60_000 }).toBeGreaterThan(number);
    const again = (await newest()).number;
    expect((await gantry.finished('shop', again)).status).toBe('passed');
    expect((await why(again)).join('\n')).toMatch(/Approved by (wei|bo) before/);
  });

  it('another target asks anew, and what was approved for the first does not run again', async () => {
    const { number } = await newest();
    await gantry.push('shop', {}, 'release');
    await ann.client('updatePullRequest', { params: { ...params, number: 2 }, body: { targetBranch: 'release' } });
    await expect
      .poll(async () => newest(), { timeout: 60_000 })
      .toMatchObject({ event: 'pull_request', status: 'blocked' });
    await expect(
      gantry.client('rerunPipeline', { params: { ...params, number }, body: { only: 'all' } }),
    ).rejects.toMatchObject({ problem: { code: 'APPROVAL_MISSING' } });
    const asked = (await newest()).number;
    await decide(wei.client, asked, 'decline');
    expect((await gantry.finished('shop', asked)).status).toBe('cancelled');
    await expect(decide(bo.client, asked, 'approve')).rejects.toMatchObject({ problem: { code: 'APPROVAL_DECIDED' } });
    await expect(
      gantry.client('rerunPipeline', { params: { ...params, number: asked }, body: { only: 'failed' } }),
    ).rejects.toMatchObject({ problem: { code: 'APPROVAL_MISSING' } });
  });

  it('with secrets, they are given for that commit alone', async () => {
    const commit = await ann.push('admin/shop', 'ann/shop', 'fix', { readme: 'ann, fourth' });
    const number = await pipelineOf(commit, 'blocked');
    await decide(wei.client, number, 'approve', true);
    expect(await logOf(number)).toContain('******');
    const next = await ann.push('admin/shop', 'ann/shop', 'fix', { readme: 'ann, fifth' });
    await pipelineOf(next, 'blocked');
    // History that is written anew is another commit, and asks anew.
    const rewritten = await ann.push('admin/shop', 'ann/shop', 'fix', { readme: 'ann, anew' }, [], commit);
    await pipelineOf(rewritten, 'blocked');
  });

  it('no schedule, webhook or branch of the project reaches the commit of a fork', async () => {
    const { number } = await newest();
    for (const branch of ['refs/pull/2/head', '../pull/2/head', 'pull/2/head'])
      await expect(
        gantry.client('createCron', { params, body: { name: 'nightly', expression: '0 3 * * *', branch } }),
      ).rejects.toMatchObject({ problem: { code: expect.stringMatching(/^(REF_NOT_FOUND|REQUEST_INVALID)$/) } });
    const head = (await gantry.client('getPullRequest', { params: { ...params, number: 2 } })).head;
    for (const ref of ['refs/pull/2/head', 'pull/2/head', head])
      await expect(gantry.client('startPipeline', { params, body: { ref, parameters: {} } })).rejects.toMatchObject({
        problem: { code: 'REF_NOT_FOUND' },
      });
    expect((await newest()).number).toBe(number);
  });

  it('a secret that is not for forks is kept back, also where somebody approved with secrets', async () => {
    await gantry.client('setSecret', { params: { ...params, name: 'deploy_key' }, body: { pullRequests: 'project' } });
    const commit = await ann.push('admin/shop', 'ann/shop', 'fix', { readme: 'ann, not for forks' });
    const number = await pipelineOf(commit, 'blocked');
    await decide(wei.client, number, 'approve', true);
    expect(await logOf(number)).not.toContain('******');
    const own = await wei.push('admin/shop', 'admin/shop', 'feature/a', { readme: 'for its own' });
    expect(await logOf(await pipelineOf(own, 'passed'))).toContain('******');
    await gantry.client('setSecret', { params: { ...params, name: 'deploy_key' }, body: { pullRequests: 'forks' } });
  });

  it('a server that dies between the decision and the run lets it run when it is back', async () => {
    const commit = await ann.push('admin/shop', 'ann/shop', 'fix', { readme: 'ann, sixth' });
    const number = await pipelineOf(commit, 'blocked');
    await gantry.signalServer('SIGTERM');
    await gantry.startServer('approval.afterCommit=kill');
    const dying = decide(
      createClient(gantry.url, () => ({ Authorization: `Bearer ${gantry.token}` })),
      number,
      'approve',
    );
    await dying.catch(() => undefined);
    await gantry.serverEnded();
    await gantry.startServer();
    expect((await gantry.finished('shop', number)).status).toBe('passed');
    const audit = await gantry.client('listAudit', { query: { action: 'pipeline:approve' } });
    expect(audit.items[0]).toMatchObject({ actor: 'admin', action: 'pipeline:approve', details: { head: commit } });
  });

  it('a server that dies once it has a head follows its branch when it is back, once', async () => {
    await gantry.signalServer('SIGTERM');
    await gantry.startServer('pullRequest.afterHead=kill');
    const commit = await ann.push('admin/shop', 'ann/shop', 'fix', { readme: 'ann, seventh' });
    await gantry.serverEnded();
    await gantry.startServer();
    await pipelineOf(commit, 'blocked');
    const { items } = await gantry.client('listPipelines', { params, query: { event: 'pull_request' } });
    expect(items.filter((item) => item.commit === commit)).toHaveLength(1);
  });

  it('the file of the target branch runs where the project wants that, and forks may be ignored altogether', async () => {
    await gantry.client('updatePipelineSettings', {
      params,
      body: { usesTargetFile: true, pullRequestApproval: 'never' },
    });
    const commit = await ann.push('admin/shop', 'ann/shop', 'other', {
      '.drone.yml': 'kind: pipeline\nname: mine\nsteps: []\n',
    });
    await ann.client('openPullRequest', { params, body: { source: 'ann/shop', sourceBranch: 'other' } });
    const number = await pipelineOf(commit, 'passed');
    const log = await logOf(number);
    expect(log.split('\n')).toContain('other');
    expect(log).not.toContain('******');
    expect((await why(number)).join('\n')).toContain('The pipeline file is that of the target branch "main"');
    const yaml = await gantry.client('getPipelineYaml', { params: { ...params, number } });
    expect(JSON.stringify(yaml)).toContain('print-variable');

    await gantry.client('updatePipelineSettings', { params, body: { usesTargetFile: false, ignoresForks: true } });
    await ann.push('admin/shop', 'ann/shop', 'other', { readme: 'ignored' });
    const newestEvent = async () => (await gantry.client('listEvents', { params })).items[0];
    await expect.poll(newestEvent, { timeout: 60_000 }).toMatchObject({
      pipeline: null,
      why: [{ rule: 'event.fork-ignored' }],
    });
  });

  it('a project that wants signatures runs what is signed, and holds the rest until somebody approves it', async () => {
    await gantry.client('updatePipelineSettings', { params, body: { requiresSignature: true } });
    const plain =
      'kind: pipeline\nname: signed\nsteps: [{name: look, image: alpine, environment: {STEP_OUTPUT: hi}}]\n';
    await writeFile(join(gantry.folder, 'signed.yml'), plain);
    await gantry.command('sign', 'signed.yml', '--project', 'admin/shop');
    const signed = await readFile(join(gantry.folder, 'signed.yml'), 'utf8');
    expect(signed).toMatch(/kind: signature\nhmac: [0-9a-f]{64}\n/);
    const pushed = async (text: string) => {
      const commit = await gantry.push('shop', { '.drone.yml': text }, 'signed');
      const find = async () =>
        (await gantry.client('listPipelines', { params, query: { event: 'push' } })).items.find(
          (one) => one.commit === commit,
        );
      await expect.poll(find, { timeout: 60_000 }).toBeDefined();
      return (await find())!.number;
    };
    const good = await pushed(signed);
    expect((await gantry.finished('shop', good)).status).toBe('passed');
    expect(await why(good)).toContain('.drone.yml carries the signature of the project.');
    const bad = await pushed(signed.replace('STEP_OUTPUT: hi', 'STEP_OUTPUT: bye'));
    expect((await gantry.until('shop', bad, () => true)).status).toBe('blocked');
    expect(await why(bad)).toEqual(
      expect.arrayContaining([
        'The signature in .drone.yml is not that of its text, and the project wants one.',
        'Nothing runs until a maintainer approves it: its pipeline file does not carry the signature of the project.',
      ]),
    );
    const { stderr } = await gantry.command('pipeline', 'approve', String(bad), '--yes', '--project', 'admin/shop');
    expect(stderr).toContain(`Pipeline ${bad} is approved`);
    expect((await gantry.finished('shop', bad)).status).toBe('passed');
  });

  it('nothing that was stored or logged has the secret', async () => {
    const found: string[] = [];
    for (const name of await readdir(gantry.dataFolder, { recursive: true, withFileTypes: true })) {
      if (!name.isFile()) continue;
      const path = join(name.parentPath, name.name);
      if ((await readFile(path)).includes(canary)) found.push(path);
    }
    expect(found).toEqual([]);
  });
});
