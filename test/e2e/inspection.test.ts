import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { GantryProcess } from '../support/gantry-process.ts';

const file = `kind: pipeline
environment: {LEVEL: high}
steps:
  - name: build
    image: base/busybox
    environment:
      HOST: "\${REGION}.example.com"
      TOKEN: {from_secret: token}
    commands: ["echo \${GANTRY_BRANCH}"]
  - name: ship
    image: base/busybox
    commands: ["true"]
    when: {event: tag}
`;

describe('a pipeline that has ended', () => {
  let gantry: GantryProcess;
  const where = { owner: 'admin', project: 'shop' };
  const setRegion = (value: string) =>
    gantry.client('setVariable', { params: { ...where, name: 'REGION' }, body: { value } });

  beforeAll(async () => {
    gantry = await GantryProcess.start({ runtime: 'scripted' });
    await gantry.createProject('shop');
    await setRegion('eu-west');
    await gantry.client('setSecret', { params: { ...where, name: 'token' }, body: { value: 'canary-of-the-mine' } });
    await gantry.push('shop', { '.gantry.yml': file });
    await gantry.finished('shop', 1);
  });
  afterAll(() => gantry.dispose());

  it('is shown by the command line as its file read then, whatever the settings are now', async () => {
    await setRegion('us-east');
    const { stdout, stderr } = await gantry.command('pipeline', 'yaml', '1', '--project', 'admin/shop');
    expect(stdout).toBe(file.replace('${REGION}', 'eu-west').replace('${GANTRY_BRANCH}', 'main'));
    expect(stderr).toBe('');
    const written = await gantry.command('pipeline', 'yaml', '1', '--written', '--project', 'admin/shop');
    expect(written.stdout).toBe(file);
  });

  it('tells the environment of its steps without a secret, and how long they took', async () => {
    const { steps } = await gantry.client('getPipeline', { params: { ...where, number: 1 } });
    const build = steps.find(({ name }) => name === 'build')!;
    const given = await gantry.client('listStepVariables', { params: { ...where, number: 1, step: build.id } });
    expect(given.variables).toEqual(
      expect.arrayContaining([
        { name: 'HOST', value: 'eu-west.example.com', source: 'file', secret: null },
        { name: 'REGION', value: 'eu-west', source: 'project', secret: null },
        { name: 'TOKEN', value: null, source: 'secret', secret: 'token' },
      ]),
    );
    expect(JSON.stringify(given)).not.toContain('canary-of-the-mine');
    const times = await gantry.client('getPipelineTimes', { params: { ...where, number: 1 } });
    expect(times.steps.find(({ name }) => name === 'build')).toMatchObject({
      waitedMs: expect.any(Number),
      preparedMs: expect.any(Number),
      ranMs: expect.any(Number),
      samples: 0,
    });
  });

  it('is not touched by a preview of its file, which says what a tag would run', async () => {
    const { files } = await gantry.client('listPipelineFiles', { params: where, query: {} });
    const given = files.flatMap(({ path, text }) => (text === null ? [] : [{ path, text }]));
    const preview = await gantry.client('previewPipeline', {
      params: where,
      body: { files: given, event: 'tag', branch: 'v1', parameters: {} },
    });
    expect(preview).toMatchObject({ outcome: 'planned', findings: [] });
    expect(preview.workflows[0]?.steps.map(({ name, isSkipped }) => [name, isSkipped])).toEqual([
      ['clone', false],
      ['build', false],
      ['ship', false],
    ]);
    const { items } = await gantry.client('listPipelines', { params: where, query: {} });
    expect(items.map(({ number }) => number)).toEqual([1]);
  });

  it('has its file checked with what to write instead', async () => {
    const { findings } = await gantry.client('lintPipelineFile', {
      body: { text: 'kind: pipeline\nsteps: [{name: a, image: b, comands: [ls]}]\n' },
    });
    const unknown = findings.find(({ code }) => code === 'key.unknown');
    expect(unknown).toMatchObject({ line: 2, hint: expect.stringContaining('commands') });
  });
});
