import { execFile } from 'node:child_process';
import { symlink } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { GantryProcess } from '../support/gantry-process.ts';

const run = promisify(execFile);
const program = resolve('bin/gantry');

let gantry: GantryProcess;
let environment: NodeJS.ProcessEnv;

beforeAll(async () => {
  gantry = await GantryProcess.start();
  await gantry.createProject('shop');
  environment = { PATH: process.env['PATH'], HOME: gantry.folder, GIT_TERMINAL_PROMPT: '0', LANG: 'C.UTF-8' };
}, 120_000);

afterAll(() => gantry.dispose());

/** Signs in for git too, and answers what git is told to ask. */
async function helperAfterLogin(path: string | undefined): Promise<string> {
  const env = { ...environment, PATH: path };
  await run(program, ['login', gantry.url, '--token', gantry.token, '--git'], { env });
  const { stdout } = await run('git', ['config', '--global', '--get-all', `credential.${gantry.url}.helper`], { env });
  return stdout;
}

const references = (env: NodeJS.ProcessEnv): Promise<unknown> =>
  run('git', ['ls-remote', `${gantry.url}/admin/shop.git`], { env });

describe('gantry login --git', () => {
  it('gives git the sign-in, from a clone whose program is on no path', async () => {
    await expect(references(environment)).rejects.toThrow(/could not read Username/);
    expect(await helperAfterLogin(environment['PATH'])).toBe(`\n!'${program}' git-credential\n`);
    await references(environment);
  });

  it('names the program as the path does, where it is there', async () => {
    await symlink(program, join(gantry.folder, 'gantry'));
    const path = `${gantry.folder}:${environment['PATH']}`;
    expect(await helperAfterLogin(path)).toBe('\n!gantry git-credential\n');
    await references({ ...environment, PATH: path });
  });
});
