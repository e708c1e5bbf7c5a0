import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { PipelineDetail } from '../../src/api/pipelines.ts';
import { encryptValue } from '../../src/engine/encrypted-value.ts';
import { signatureOf, withSignature } from '../../src/engine/signature.ts';
import { GantryProcess } from '../support/gantry-process.ts';
import { findSandboxHindrance } from '../support/sandbox-world.ts';

const hindrance = findSandboxHindrance('bubblewrap');
const title = 'secrets, variables and settings, in real sandboxes';

const canary = 'canary-only-for-main-4711';
const reversedCanary = '1174-niam-rof-ylno-yranac';

/** Prints all that a step can see, in a form that no masker knows as well. */
const printing = `
kind: pipeline
name: default
steps:
  - name: look
    image: base/busybox
    environment: {KEY: {from_secret: deploy_key}, REGION: file}
    commands:
      - env | sort
      - 'echo "length $\${#KEY}"'
      - echo "$KEY" | rev | sed "s/^/reversed /"
      - 'tr "\\\\0" "\\\\n" < /proc/self/environ | grep -c KEY= || true'
`;

describe.skipIf(hindrance)(hindrance ? `${title} (not here: ${hindrance})` : title, () => {
  let gantry: GantryProcess;
  const params = { owner: 'admin', project: 'vault' };
  beforeAll(async () => {
    gantry = await GantryProcess.start({ runtime: 'sandbox' });
    await gantry.createProject('vault');
    await gantry.client('setSecret', {
      params: { ...params, name: 'deploy_key' },
      body: { value: canary, branches: ['main'] },
    });
    await gantry.client('setVariable', { params: { ...params, name: 'REGION' }, body: { value: 'project' } });
    await gantry.client('setVariable', { params: { ...params, name: 'STAGE' }, body: { value: 'dev' } });
  });
  afterAll(() => gantry.dispose());

  const logOf = (pipeline: PipelineDetail) =>
    gantry.log('vault', pipeline.number, pipeline.steps.find(({ name }) => name === 'look')!.id);
  const why = async ({ number }: PipelineDetail) =>
    (await gantry.client('explainPipeline', { params: { ...params, number } })).items.map(({ sentence }) => sentence);

  it('a secret limited to a branch is in no environment and no log of another branch, and why is told', async () => {
    await gantry.push('vault', { '.drone.yml': printing });
    const main = await gantry.finished('vault', 1);
    expect(main.status, JSON.stringify(main)).toBe('passed');
    const given = await logOf(main);
    expect(given).toContain('length 25');
    expect(given).toContain(`reversed ${reversedCanary}`);
    expect(given).not.toContain(canary);
    expect((await why(main)).join('\n')).not.toContain('deploy_key');

    await gantry.push('vault', {}, 'feature/x');
    const other = await gantry.finished('vault', 2);
    expect(other.status, JSON.stringify(other)).toBe('passed');
    const log = await logOf(other);
    expect(log).toContain('length 0');
    expect(log).not.toMatch(/^KEY=/m);
    expect(log).not.toContain(canary);
    expect(log).not.toContain(reversedCanary);
    expect(await why(other)).toContain('Step "look": secret "deploy_key" is not given to branch feature/x.');
    expect(JSON.stringify(other)).not.toContain(canary);
  });

  it('variables are in the environment of steps, below what the file says', async () => {
    const log = await logOf(await gantry.finished('vault', 1));
    expect(log).toMatch(/^REGION=file$/m);
    expect(log).toMatch(/^STAGE=dev$/m);
  });

  it('a value that stands encrypted in the file is opened for its step, masked, and stored nowhere in the clear', async () => {
    const value = 'canary-of-the-file-2603';
    await writeFile(join(gantry.folder, 'value'), value);
    const encrypt = ['secret', 'encrypt', 'file_key', '--from', 'value', '--project', 'admin/vault'];
    const { stdout, stderr } = await gantry.command(...encrypt);
    expect(stdout).toMatch(/^---\nkind: secret\nname: file_key\ndata: [A-Za-z0-9+/]+=*\n$/);
    expect(stderr).toContain('Encrypted for admin/vault');
    const file = `${printing.replace('deploy_key', 'file_key')}${stdout}`;
    await gantry.push('vault', { '.drone.yml': file }, 'encrypted');
    const pipeline = await gantry.finished('vault', 3);
    expect(pipeline.status, JSON.stringify(pipeline)).toBe('passed');
    const log = await logOf(pipeline);
    expect(log).toContain('length 23');
    expect(log).toContain('reversed 3062-elif-eht-fo-yranac');
    expect(log).toMatch(/^KEY=\*{6}$/m);

    // In another project the same file does not run, and the error names the line of the value.
    await gantry.createProject('elsewhere');
    await gantry.push('elsewhere', { '.drone.yml': file });
    const refused = await gantry.finished('elsewhere', 1);
    const line = file.split('\n').findIndex((text) => text.startsWith('data: ')) + 1;
    expect(refused).toMatchObject({ status: 'failed', error: { line } });
    expect(refused.error?.message).toContain('gantry secret import-key');
    for (const name of await readdir(gantry.dataFolder, { recursive: true, withFileTypes: true })) {
      if (!name.isFile()) continue;
      const path = join(name.parentPath, name.name);
      expect((await readFile(path)).includes(value), path).toBe(false);
    }
  });

  it('a file of Drone runs as it is once the key of its repository was brought: its value opens and its signature counts', async () => {
    const key = 'd7oneRepositorySecret0fThirtyTwo';
    const plain = `${printing.replace('deploy_key', 'drone_key')}---\nkind: secret\nname: drone_key\ndata: ${encryptValue('canary-from-drone', key)}\n`;
    const file = withSignature(plain, signatureOf(plain, key));
    const settings = { params: { owner: 'admin', project: 'elsewhere' } };
    await gantry.client('updatePipelineSettings', { ...settings, body: { requiresSignature: true } });
    await writeFile(join(gantry.folder, 'key'), `${key}\n`);
    const { stderr } = await gantry.command('secret', 'import-key', '--from', 'key', '--project', 'admin/elsewhere');
    expect(stderr).toContain('Key brought for admin/elsewhere');
    await gantry.push('elsewhere', { '.drone.yml': file });
    const pipeline = await gantry.finished('elsewhere', 2);
    expect(pipeline.status, JSON.stringify(pipeline)).toBe('passed');
    const log = await gantry.log('elsewhere', 2, pipeline.steps.find(({ name }) => name === 'look')!.id);
    expect(log).toContain('length 17');
    await gantry.command('secret', 'forget-key', '--project', 'admin/elsewhere');
    await gantry.push('elsewhere', { readme: 'again' });
    expect(await gantry.finished('elsewhere', 3)).toMatchObject({ status: 'failed' });
  });

  it('an event that is switched off starts nothing, and the file may be elsewhere', async () => {
    const settings = { path: 'ci/own.yml', disabledEvents: ['push' as const] };
    await gantry.client('updatePipelineSettings', { params, body: settings });
    await gantry.push('vault', { 'ci/own.yml': printing.replace('name: default', 'name: own') }, 'quiet');
    const newest = async () => (await gantry.client('listEvents', { params })).items[0];
    await expect.poll(newest, { timeout: 60_000 }).toMatchObject({
      ref: 'refs/heads/quiet',
      pipeline: null,
      why: [{ sentence: 'Nothing ran: the settings of the project have switched off the event "push".' }],
    });
    const started = await gantry.client('startPipeline', { params, body: { ref: 'quiet', parameters: {} } });
    const pipeline = await gantry.finished('vault', started.number);
    expect([pipeline.path, pipeline.workflows.map(({ name }) => name)]).toEqual(['ci/own.yml', ['own']]);
  });
});
