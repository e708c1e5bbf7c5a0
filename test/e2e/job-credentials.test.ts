import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { GantryProcess } from '../support/gantry-process.ts';
import { findSandboxHindrance } from '../support/sandbox-world.ts';

const run = promisify(execFile);
const hindrance = findSandboxHindrance('bubblewrap');
const title = 'what steps fetch their own project with';

/** Shows its login in a form that no masker knows, and runs until it is cancelled. */
const showing = `
kind: pipeline
steps:
  - name: look
    image: base/busybox
    commands:
      - cat ~/.netrc
      - sed "s/./& /g" ~/.netrc
      - while true; do sleep 1; done
`;

describe.skipIf(hindrance)(hindrance ? `${title} (not here: ${hindrance})` : title, () => {
  let gantry: GantryProcess;
  beforeAll(async () => {
    gantry = await GantryProcess.start({ runtime: 'sandbox' });
    for (const name of ['vault', 'other']) await gantry.createProject(name);
    await gantry.push('other', { README: 'words' });
  });
  afterAll(() => gantry.dispose());

  /** How git ends when it asks for a project with this login. */
  async function git(login: string, project: string, ...words: string[]): Promise<string> {
    const url = new URL(`${gantry.url}/admin/${project}.git`);
    url.username = 'gantry-job';
    url.password = login;
    const env = { PATH: process.env['PATH'], GIT_TERMINAL_PROMPT: '0', GIT_CONFIG_GLOBAL: '/dev/null' };
    try {
      return (await run('git', [...words, url.href], { env })).stdout;
    } catch (error) {
      return `refused: ${(error as { readonly stderr?: string }).stderr}`;
    }
  }

  it('opens that project for reading while the workflow runs, also after a restart of the server, and nothing else', async () => {
    await gantry.push('vault', { '.gantry.yml': showing });
    const shown = async (): Promise<string> => {
      const { steps } = await gantry.until('vault', 1, (pipeline) => pipeline.steps.length > 0);
      return gantry.log('vault', 1, steps.find(({ name }) => name === 'look')!.id);
    };
    await expect.poll(shown, { timeout: 30_000 }).toMatch(/p a s s w o r d.*\n/);
    const log = await shown();
    expect(log).toMatch(/machine 127\.0\.0\.1\nlogin gantry-job\npassword \*+\n/);
    const login = /g t y _ j o b[^\n]*/.exec(log)![0].replaceAll(' ', '');
    expect(log).not.toContain(login);

    expect(await git(login, 'vault', 'ls-remote')).toContain('refs/heads/main');
    expect(await git(login, 'other', 'ls-remote')).toMatch(/^refused/);
    const answers = await Promise.all(
      ['projects/admin/vault/pipelines', 'projects/admin/vault/secrets', 'me'].map((path) =>
        fetch(`${gantry.url}/api/v1/${path}`, { headers: { Authorization: `Bearer ${login}` } }),
      ),
    );
    expect(answers.map(({ status }) => status)).toEqual([404, 404, 401]);
    const push = await fetch(`${gantry.url}/admin/vault.git/info/refs?service=git-receive-pack`, {
      headers: { Authorization: `Basic ${Buffer.from(`gantry-job:${login}`).toString('base64')}` },
    });
    expect(push.status).toBeGreaterThanOrEqual(400);

    await gantry.signalServer('SIGKILL');
    await gantry.startServer();
    expect(await git(login, 'vault', 'ls-remote')).toContain('refs/heads/main');

    await gantry.client('cancelPipeline', { params: { owner: 'admin', project: 'vault', number: 1 } });
    await gantry.finished('vault', 1);
    expect(await git(login, 'vault', 'ls-remote')).toMatch(/^refused/);
  });
});
