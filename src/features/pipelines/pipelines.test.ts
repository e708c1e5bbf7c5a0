import { afterEach, describe, expect, it } from 'vitest';
import { droneFile, PipelinesWorld } from '../../../test/support/pipelines-world.ts';
import { failed, ScriptedRunner } from '../../../test/support/scripted-runner.ts';

let world: PipelinesWorld;
afterEach(() => world.close());

describe('a push', () => {
  it('becomes a pipeline that runs its steps in order and passes', async () => {
    world = await PipelinesWorld.create(droneFile({ build: { compile: {}, test: {}, pack: {} } }));
    const runner = world.connect(new ScriptedRunner());
    const pipeline = await world.pushed();
    const end = await world.until(pipeline);
    expect(end.status).toBe('passed');
    expect(runner.started.map(({ step }) => step)).toEqual(['compile', 'test', 'pack']);
    expect(await world.steps(pipeline)).toEqual({ compile: 'passed', test: 'passed', pack: 'passed' });
    expect(await world.log(await world.step(pipeline, 'test'))).toBe('test says hello\n');
    expect(end.startedAt && end.finishedAt).toBeTruthy();
  });

  it('fails when a step fails, skips the rest with the reason, and runs dependants on failure', async () => {
    world = await PipelinesWorld.create(
      droneFile(
        { build: { compile: {}, test: {} }, deploy: { go: {} }, mail: { send: {} } },
        { deploy: { depends_on: ['build'] }, mail: { depends_on: ['build'], trigger: { status: ['failure'] } } },
      ),
    );
    world.connect(
      new ScriptedRunner({ script: (step) => (step === 'compile' ? failed : { kind: 'exited', exitCode: 0 }) }),
    );
    const pipeline = await world.pushed();
    expect((await world.until(pipeline)).status).toBe('failed');
    expect(await world.steps(pipeline)).toEqual({
      'build/compile': 'failed',
      'build/test': 'skipped',
      'deploy/go': 'skipped',
      'mail/send': 'passed',
    });
    expect((await world.step(pipeline, 'go')).reason).toMatchObject({
      rule: 'workflow.dependency-failed',
      values: { workflow: 'build', status: 'failed' },
    });
  });
});
