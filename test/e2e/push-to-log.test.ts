import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { GantryProcess } from '../support/gantry-process.ts';

const file = `kind: pipeline
name: default
steps:
  - name: build
    image: base/busybox
    commands: [echo built]
  - name: test
    image: base/busybox
    commands: [echo tested]
`;

describe('a whole Gantry', () => {
  let gantry: GantryProcess;
  beforeAll(async () => {
    gantry = await GantryProcess.start();
    await gantry.createProject('shop');
  });
  afterAll(() => gantry.dispose());

  it('runs a pipeline for a push, and keeps its log', async () => {
    const commit = await gantry.push('shop', { '.gantry.yml': file });
    const pipeline = await gantry.finished('shop', 1);
    expect(pipeline).toMatchObject({ status: 'passed', commit, event: 'push', branch: 'main', personName: 'admin' });
    expect(pipeline.steps.map(({ name, status }) => `${name} ${status}`)).toEqual([
      'clone passed',
      'build passed',
      'test passed',
    ]);
    expect(await gantry.log('shop', 1, pipeline.steps[1]!.id)).toContain('+ echo built');
  });

  it('refuses to start on a data folder that a server has', async () => {
    await expect(gantry.startServer()).rejects.toThrow('another Gantry server is running on it');
  });
});
