import { afterEach, describe, expect, it } from 'vitest';
import { PipelinesWorld } from '../../../test/support/pipelines-world.ts';
import { ScriptedRunner } from '../../../test/support/scripted-runner.ts';

let world: PipelinesWorld;
afterEach(() => world.close());

describe('a service that never answers', () => {
  it('is told on the page of its pipeline while the steps run without it, and afterwards', async () => {
    world = await PipelinesWorld.create(undefined);
    const document = {
      kind: 'pipeline',
      clone: { disable: true },
      services: [{ name: 'db', image: 'postgres', ports: [5432] }],
      steps: [{ name: 'test', image: 'base/busybox', commands: ['true'] }],
    };
    world.files.set(world.project.id, { '.gantry.yml': JSON.stringify(document) });
    const runner = world.connect(new ScriptedRunner({ script: () => 'hold', waitsToRise: true }));
    const pipeline = await world.pushed();
    const told = async (): Promise<unknown> => {
      const input = { params: { ...world.path, number: pipeline.number }, query: undefined, body: undefined };
      return world.feature.operations!.getPipeline!(input, world.request());
    };
    const sentence = 'Workflow "default" went on without the service "db": nothing answered on port 5432 for 60 s.';
    await runner.until(() => runner.rising.includes('db'));
    runner.rise('db', { ports: '5432', limitMs: 60_000 });
    await runner.until(() => runner.running.includes('test'));
    await world.feature.settled();
    expect(await told()).toMatchObject({
      status: 'running',
      workflows: [{ waitsFor: sentence }],
      steps: [{ name: 'db', status: 'running', reason: expect.stringContaining('was not ready') as unknown }, {}],
    });
    runner.end('test');
    expect((await world.until(pipeline)).status).toBe('passed');
    expect(await told()).toMatchObject({
      workflows: [{ status: 'passed', waitsFor: sentence }],
      steps: [{ name: 'db', status: 'failed', isIgnored: true }, { status: 'passed' }],
    });
  });
});
