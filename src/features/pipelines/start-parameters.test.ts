import { afterEach, describe, expect, it } from 'vitest';
import { PipelinesWorld } from '../../../test/support/pipelines-world.ts';
import { passed, ScriptedRunner } from '../../../test/support/scripted-runner.ts';
import type { OperationInput } from '../../api/operations.ts';
import { environmentOfStep } from '../../core/plan.ts';

let world: PipelinesWorld;
afterEach(() => world.close());

const file = String.raw`kind: pipeline
clone: {disable: true}
parameters:
  VERSION: {required: true, pattern: '\d+\.\d+', description: What is released}
  REGION: {options: [eu, us], default: eu}
steps:
  - name: release
    image: base/busybox
    commands: ["true"]
`;

async function withFile(text: string): Promise<void> {
  world = await PipelinesWorld.create(undefined);
  world.files.set(world.project.id, { '.gantry.yml': text });
  world.connect(new ScriptedRunner({ script: () => passed }));
}

async function start(parameters: Record<string, string>): Promise<number> {
  const input = { params: world.path, query: undefined, body: { parameters } } as OperationInput<'startPipeline'>;
  const { number } = await world.feature.operations!.startPipeline!(input, world.request());
  return number;
}

describe('parameters of a start by hand', () => {
  it('are told of the file of a branch', async () => {
    await withFile(file);
    const input = { params: world.path, query: {}, body: undefined } as OperationInput<'listPipelineParameters'>;
    expect(await world.feature.operations!.listPipelineParameters!(input, world.request())).toEqual({
      items: [
        {
          name: 'VERSION',
          type: 'string',
          default: '',
          isRequired: true,
          options: [],
          description: 'What is released',
          pattern: String.raw`\d+\.\d+`,
        },
        {
          name: 'REGION',
          type: 'choice',
          default: 'eu',
          isRequired: false,
          options: ['eu', 'us'],
          description: '',
          pattern: null,
        },
      ],
    });
  });

  it('reach the steps, with the defaults of those that were not given', async () => {
    await withFile(file);
    const number = await start({ VERSION: '1.2' });
    const pipeline = (await world.store.read.pipelines.findByNumber(world.project.id, number))!;
    await world.until(pipeline);
    const [workflow] = await world.store.read.pipelines.workflows(pipeline.id);
    expect(environmentOfStep(workflow!.plan, workflow!.plan.steps[0]!)).toMatchObject({ VERSION: '1.2', REGION: 'eu' });
  });

  it.each([
    ['that lack a required one', {}, 'the parameter VERSION is required, and has no value'],
    ['with a wrong value', { VERSION: 'v1' }, String.raw`the parameter VERSION must match \d+\.\d+, and "v1" does not`],
    [
      'with another option',
      { VERSION: '1.2', REGION: 'mars' },
      'the parameter REGION is one of eu, us, and not "mars"',
    ],
    [
      'of another name',
      { VERSION: '1.2', REGOIN: 'eu' },
      'the file has no parameter REGOIN, and takes VERSION, REGION',
    ],
  ])('%s are refused, and nothing is started', async (_, parameters, message) => {
    await withFile(file);
    await expect(start(parameters)).rejects.toMatchObject({
      code: 'PARAMETER_INVALID',
      message: `Cannot start a pipeline of ${world.path.owner}/${world.path.project}: ${message}`,
    });
    expect(await world.store.read.events.listByProject(world.project.id, 10)).toEqual([]);
  });

  it('are refused by a promotion and by a rerun in the same words', async () => {
    await withFile(file);
    const number = await start({ VERSION: '1.2' });
    await world.until((await world.store.read.pipelines.findByNumber(world.project.id, number))!);
    const params = { ...world.path, number };
    const wrong = { REGION: 'mars' };
    const refusal = {
      code: 'PARAMETER_INVALID',
      message: expect.stringContaining('the parameter REGION is one of eu, us, and not "mars"') as string,
    };
    const { promotePipeline, rerunPipeline } = world.feature.operations!;
    const promotion = { params, query: undefined, body: { target: 'production', event: 'promote', parameters: wrong } };
    await expect(
      promotePipeline!(promotion as OperationInput<'promotePipeline'>, world.request()),
    ).rejects.toMatchObject(refusal);
    const rerun = { params, query: undefined, body: { parameters: wrong } };
    await expect(rerunPipeline!(rerun as OperationInput<'rerunPipeline'>, world.request())).rejects.toMatchObject(
      refusal,
    );
  });

  it('are free where the file names none', async () => {
    await withFile(file.replace(/parameters:[\s\S]*?steps:/, 'steps:'));
    expect(await start({ ANYTHING: 'goes' })).toBe(1);
  });
});
