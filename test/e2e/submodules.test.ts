import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createClient } from '../../src/api/client.ts';
import { GantryProcess } from '../support/gantry-process.ts';
import { findSandboxHindrance } from '../support/sandbox-world.ts';

const run = promisify(execFile);
const hindrance = findSandboxHindrance('bubblewrap');
const title = 'submodules of a checkout';

const file = `
kind: pipeline
clone: {recursive: true, depth: 1, tags: true}
steps:
  - name: look
    image: base/busybox
    commands:
      - cat lib/lib.txt lib/deep/deep.txt hidden/hidden.txt
      - wc -l < .git/shallow
      - ls -R . > /dev/null
      - cat .git/config .git/modules/*/config
      - if env | grep -i canary; then exit 1; fi
`;

describe.skipIf(hindrance)(hindrance ? `${title} (not here: ${hindrance})` : title, () => {
  let gantry: GantryProcess;
  const elsewhere = (): string => gantry.url.replace('127.0.0.1', 'localhost');

  beforeAll(async () => {
    // The same server by another name is another host, as far as it can tell.
    gantry = await GantryProcess.start({
      runtime: 'sandbox',
      settings: { GANTRY_GIT_ALLOW: '127.0.0.0/8,::1' },
    });
  });
  afterAll(() => gantry.dispose());

  /** Puts a submodule at a path of the tree that is pushed next. */
  async function addSubmodule(project: string, path: string, commit: string): Promise<void> {
    const tree = join(gantry.folder, `tree-${project}`);
    await mkdir(join(tree, path), { recursive: true });
    await run('git', ['init', '-q', '-b', 'main'], { cwd: tree });
    await run('git', ['update-index', '--add', '--cacheinfo', `160000,${commit},${path}`], { cwd: tree });
  }

  it('come from other projects and, with the login for their host, from elsewhere; the login is nowhere', async () => {
    const { client } = gantry;
    for (const name of ['app', 'lib', 'deep', 'hidden']) await gantry.createProject(name);
    const [deep, hidden] = await Promise.all([
      gantry.push('deep', { 'deep.txt': 'deep\n' }),
      gantry.push('hidden', { 'hidden.txt': 'hidden\n' }),
    ]);
    await addSubmodule('lib', 'deep', deep);
    const lib = await gantry.push('lib', {
      '.gitmodules': '[submodule "deep"]\n\tpath = deep\n\turl = ../deep.git\n',
      'lib.txt': 'lib\n',
    });
    await gantry.push('app', { 'a.txt': 'first commit' });
    await addSubmodule('app', 'lib', lib);
    await addSubmodule('app', 'hidden', hidden);
    await gantry.push('app', {
      '.gantry.yml': file,
      '.gitmodules': `[submodule "lib"]\n\tpath = lib\n\turl = ../lib.git\n[submodule "hidden"]\n\tpath = hidden\n\turl = ${elsewhere()}/admin/hidden.git\n`,
    });
    const number = 1;
    const refused = await gantry.finished('app', number);
    expect(refused.status).toBe('failed');
    const cloneLog = async (): Promise<string> => {
      const { steps } = await gantry.until('app', number, (pipeline) => pipeline.steps.length > 0);
      return gantry.log('app', number, steps.find(({ name }) => name === 'clone')!.id);
    };
    const host = new URL(elsewhere()).host;
    expect(await cloneLog()).toContain(
      `Cannot check out the submodule "hidden" (${elsewhere()}/admin/hidden.git): ${host} asks for a login. Keep one in the settings`,
    );

    const login = { username: 'admin', password: gantry.token };
    const params = { owner: 'admin', project: 'app' };
    await client('setGitLogin', { params: { ...params, host }, body: login });
    expect(JSON.stringify(await client('listGitLogins', { params }))).not.toContain(gantry.token);
    await client('rerunPipeline', { params: { ...params, number }, body: {}, idempotencyKey: 'with-login' });
    const passed = await gantry.finished('app', number);
    const look = passed.steps.filter(({ name }) => name === 'look').at(-1)!;
    const log = await gantry.log('app', number, look.id);
    expect(passed.status, log).toBe('passed');
    expect(log).toContain('lib\ndeep\nhidden\n');
    expect(log).toContain('\n1\n');
    expect(log).toContain(`url = "${elsewhere()}/admin/hidden.git"`);
    expect(log).toContain(`url = "${gantry.url}/admin/deep.git"`);
    expect(log).not.toMatch(/\*{4}|admin:/);
  });

  it('are no way around a token that is limited to other projects: pushed by it, started or run again', async () => {
    for (const name of ['own', 'vault']) await gantry.createProject(name);
    const vault = await gantry.push('vault', { 'vault.txt': 'canary\n' });
    await gantry.push('own', { 'a.txt': 'first commit' }, 'main', ['ci.skip']);
    await addSubmodule('own', 'vault', vault);
    const files = {
      '.gantry.yml':
        'kind: pipeline\nclone: {recursive: true}\nsteps:\n- {name: look, image: base/busybox, commands: [cat vault/vault.txt]}\n',
      '.gitmodules': '[submodule "vault"]\n\tpath = vault\n\turl = ../vault.git\n',
    };
    await gantry.push('own', files, 'main', ['ci.skip']);
    const { secret } = await gantry.client('createToken', {
      body: { name: 'limited', scopes: ['code:write', 'pipeline:write'], projects: ['admin/own'], expiresInDays: 1 },
    });
    const address = gantry.url.replace('http://', `http://admin:${secret}@`);
    await run('git', ['push', '-q', `${address}/admin/own.git`, 'HEAD:refs/heads/topic'], {
      cwd: join(gantry.folder, 'tree-own'),
    });
    const byToken = createClient(gantry.url, () => ({ Authorization: `Bearer ${secret}` }));
    const params = { owner: 'admin', project: 'own' };
    await byToken('startPipeline', { params, body: { ref: 'main' } });
    for (const number of [1, 2]) {
      const { status, steps } = await gantry.finished('own', number);
      const log = await gantry.log('own', number, steps.find(({ name }) => name === 'clone')!.id);
      expect([status, log]).toEqual(['failed', expect.stringContaining('by a token that is limited to some projects')]);
    }
    await gantry.client('startPipeline', { params, body: { ref: 'main' } });
    expect((await gantry.finished('own', 3)).status).toBe('passed');

    const again = async (client: typeof byToken): Promise<string> => {
      await client('rerunPipeline', { params: { ...params, number: 3 }, body: { only: 'all' } });
      return (await gantry.finished('own', 3)).status;
    };
    expect(await again(byToken)).toBe('failed');
    // Whoever may read it runs it again: what a token was refused is not for good.
    expect(await again(gantry.client)).toBe('passed');
  });

  it('are not fetched any longer once the run is cancelled', async () => {
    const [opened, closed] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const silent = createServer((socket) => {
      socket.on('error', () => undefined).on('close', () => closed.resolve());
      socket.resume();
      opened.resolve();
    }).listen(0, '127.0.0.1');
    try {
      await once(silent, 'listening');
      const { port } = silent.address() as AddressInfo;
      await gantry.createProject('patient');
      await gantry.push('patient', { 'a.txt': 'first commit' }, 'main', ['ci.skip']);
      await addSubmodule('patient', 'far', 'a'.repeat(40));
      await gantry.push('patient', {
        '.gantry.yml': file,
        '.gitmodules': `[submodule "far"]\n\tpath = far\n\turl = http://127.0.0.1:${port}/far.git\n`,
      });
      await opened.promise;
      await gantry.client('cancelPipeline', { params: { owner: 'admin', project: 'patient', number: 1 } });
      expect((await gantry.finished('patient', 1)).status).toBe('cancelled');
      await closed.promise;
    } finally {
      silent.close();
    }
  });
});
