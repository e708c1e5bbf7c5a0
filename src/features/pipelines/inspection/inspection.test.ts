import { afterEach, describe, expect, it } from 'vitest';
import { PipelinesWorld } from '../../../../test/support/pipelines-world.ts';
import { passed, ScriptedRunner } from '../../../../test/support/scripted-runner.ts';
import type { OperationInput } from '../../../api/operations.ts';
import type { RequestContext } from '../../feature.ts';

let world: PipelinesWorld;
afterEach(() => world.close());

const file = `kind: pipeline
name: build
clone: {disable: true}
trigger: {branch: [main, "feat/*"]}
environment: {LEVEL: high}
steps:
  - name: compile
    image: base/busybox
    environment:
      REGISTRY: "\${REGION}.example.com"
      TOKEN: {from_secret: token}
    commands: ["echo \${GANTRY_BRANCH}"]
  - name: ship
    image: base/busybox
    commands: ["true"]
    when: {branch: release}
    depends_on: [compile]
`;

const at = <Id extends 'getPipelineYaml' | 'getPipelineTimes'>(number: number): OperationInput<Id> =>
  ({ params: { ...world.path, number }, query: undefined, body: undefined }) as OperationInput<Id>;

async function ran(): Promise<number> {
  world = await PipelinesWorld.create(undefined);
  world.files.set(world.project.id, { '.gantry.yml': file });
  world.secrets.set('token', 'a-canary-value');
  await setVariable('REGION', 'eu-west');
  world.connect(new ScriptedRunner({ script: () => passed }));
  const pipeline = await world.pushed();
  await world.until(pipeline);
  return pipeline.number;
}

const setVariable = (name: string, value: string): Promise<void> =>
  world.store.write(({ variables }) =>
    variables.set(
      { kind: 'project', id: world.project.id },
      { name, value, updatedAt: world.clock.now(), updatedBy: 'mei' },
    ),
  );

/** Somebody who may read the project and nothing more. */
const reader = (): RequestContext =>
  world.request({ may: (action) => Promise.resolve(action !== 'variable:read' && action !== 'secret:read') });

describe('the file of a pipeline as it reads', () => {
  it('is that of its planning, also after the variables of the project have changed', async () => {
    const number = await ran();
    await setVariable('REGION', 'us-east');
    const answer = await world.feature.operations!.getPipelineYaml!(at(number), world.request());
    expect(answer).toMatchObject({ isAsPlanned: true, hidesVariables: false, problem: null });
    const [read] = answer.files;
    expect(read?.written).toBe(file);
    expect(read?.readings[0]?.text).toContain('REGISTRY: "eu-west.example.com"');
    expect(read?.readings[0]?.text).toContain('echo main');
    expect(read?.readings[0]?.changedLines).toEqual([10, 12]);
    expect(JSON.stringify(answer)).not.toContain('a-canary-value');
  });

  it('keeps values of project variables from who may not read them', async () => {
    const number = await ran();
    const answer = await world.feature.operations!.getPipelineYaml!(at(number), reader());
    expect(answer.hidesVariables).toBe(true);
    expect(answer.files[0]?.readings[0]?.text).toContain('REGISTRY: "***.example.com"');
    expect(JSON.stringify(answer)).not.toContain('eu-west');
  });

  it('is refused where the commit has none', async () => {
    const number = await ran();
    world.files.set(world.project.id, {});
    await expect(world.feature.operations!.getPipelineYaml!(at(number), world.request())).rejects.toMatchObject({
      code: 'PIPELINE_FILE_MISSING',
    });
  });
});

describe('the variables of a step', () => {
  async function variables(request: RequestContext) {
    const number = await ran();
    const pipeline = await world.store.read.pipelines.findByNumber(world.project.id, number);
    const step = await world.step(pipeline!, 'compile');
    return world.feature.operations!.listStepVariables!(
      { params: { ...world.path, number, step: step.id }, query: undefined, body: undefined },
      request,
    );
  }

  it('tell where each comes from, and of secrets the name alone', async () => {
    const answer = await variables({ ...({} as RequestContext), may: () => Promise.resolve(true) });
    const of = (name: string) => answer.variables.find((variable) => variable.name === name);
    expect(of('REGISTRY')).toEqual({ name: 'REGISTRY', value: 'eu-west.example.com', source: 'file', secret: null });
    expect(of('LEVEL')).toMatchObject({ value: 'high', source: 'file' });
    expect(of('REGION')).toMatchObject({ value: 'eu-west', source: 'project' });
    expect(of('TOKEN')).toEqual({ name: 'TOKEN', value: null, source: 'secret', secret: 'token' });
    expect(of('GANTRY_BRANCH')).toMatchObject({ value: 'main', source: 'event' });
    expect(of('GANTRY_STEP_STARTED')).toMatchObject({ source: 'start' });
    expect(of('DRONE_STAGE_STATUS')).toMatchObject({ value: 'success', source: 'start' });
    expect(answer.conditions).toContainEqual({ key: 'branch', values: ['main'] });
    expect(JSON.stringify(answer)).not.toContain('a-canary-value');
  });

  it('keep values of project variables, in whatever they stand, from who may not read them', async () => {
    const answer = await variables({ ...({} as RequestContext), may: () => Promise.resolve(false) });
    expect(answer.hidesVariables).toBe(true);
    expect(answer.variables.filter(({ value, source }) => value === null && source !== 'secret')).toMatchObject([
      { name: 'REGION' },
      { name: 'REGISTRY' },
    ]);
    expect(JSON.stringify(answer)).not.toContain('eu-west');
  });
});

describe('the times of a pipeline', () => {
  it('tell waiting, preparing and running apart, beside the median of those that passed before', async () => {
    const first = await ran();
    const again = await world.pushed();
    await world.until(again);
    const answer = await world.feature.operations!.getPipelineTimes!(at(again.number), world.request());
    expect(answer).toMatchObject({ branch: 'main', comparedWith: 20, workflows: [{ name: 'build' }] });
    const [compile, ship] = answer.steps;
    expect(compile).toMatchObject({ name: 'compile', samples: 1 });
    expect([compile?.waitedMs, compile?.preparedMs, compile?.ranMs, compile?.medianMs]).toEqual(
      Array.from({ length: 4 }, () => expect.any(Number)),
    );
    expect(ship).toMatchObject({ name: 'ship', startedAt: null, ranMs: null, medianMs: null, samples: 0 });
    const before = await world.feature.operations!.getPipelineTimes!(at(first), world.request());
    expect(before.steps[0]).toMatchObject({ medianMs: null, samples: 0 });
  });
});

describe('a preview', () => {
  const preview = (body: object, request = world.request()) =>
    world.feature.operations!.previewPipeline!(
      { params: world.path, query: undefined, body: { event: 'push', parameters: {}, ...body } as never },
      request,
    );
  const text = (path = '.gantry.yml') => [{ path, text: file }];

  it('tells what would run at an event, each decision and the values that it saw, and starts nothing', async () => {
    await ran();
    const main = await preview({ files: text() });
    expect(main).toMatchObject({ outcome: 'planned', error: null, findings: [] });
    expect(main.workflows[0]?.steps.map(({ name, isSkipped }) => [name, isSkipped])).toEqual([
      ['compile', false],
      ['ship', true],
    ]);
    expect(main.workflows[0]?.steps[1]?.reason).toMatch(/release/);
    expect(main.conditions).toContainEqual({ key: 'event', values: ['push'] });
    const release = await preview({ files: text(), branch: 'release' });
    expect(release.outcome).toBe('nothing');
    expect(release.decisions.map(({ rule, values }) => [rule, values])).toContainEqual([
      'trigger.branch',
      { pattern: 'main, feat/*', value: 'release' },
    ]);
    expect(await world.store.read.pipelines.nextNumber(world.project.id)).toBe(2);
  });

  it('finds what is wrong with a file at its line', async () => {
    await ran();
    const wrong = await preview({ files: [{ path: '.gantry.yml', text: file.replace('image: ', 'imge: ') }] });
    expect(wrong.outcome).toBe('failed');
    expect(wrong.findings.map(({ path, line, severity }) => [path, line, severity])).toContainEqual([
      '.gantry.yml',
      8,
      'error',
    ]);
  });

  it('looks at the paths that are said to have changed', async () => {
    await ran();
    const files = [{ path: '.gantry.yml', text: file.replace('trigger: {', 'trigger: {paths: ["docs/**"], ') }];
    expect((await preview({ files, changedPaths: ['src/a.ts'] })).outcome).toBe('nothing');
    expect((await preview({ files, changedPaths: ['docs/a.md'] })).outcome).toBe('planned');
  });

  it('tells nobody but those who look after secrets which there are', async () => {
    await ran();
    const files = [{ path: '.gantry.yml', text: file.replace('from_secret: token', 'from_secret: other') }];
    expect((await preview({ files })).decisions.map(({ rule }) => rule)).toContain('step.secret-missing');
    const hidden = await preview({ files }, reader());
    expect(hidden.decisions.map(({ rule }) => rule)).not.toContain('step.secret-missing');
    expect(JSON.stringify(hidden)).not.toContain('eu-west');
  });

  it('is of the files that the default branch has, unless another is named', async () => {
    await ran();
    const list = (ref?: string) =>
      world.feature.operations!.listPipelineFiles!(
        { params: world.path, query: { ref }, body: undefined },
        world.request(),
      );
    expect(await list()).toMatchObject({ ref: 'main', files: [{ path: '.gantry.yml', text: file, isChosen: true }] });
    await expect(list('nowhere')).rejects.toMatchObject({ code: 'REF_NOT_FOUND' });
  });
});
