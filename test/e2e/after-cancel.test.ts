import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { PipelineDetail } from '../../src/api/pipelines.ts';
import { GantryProcess } from '../support/gantry-process.ts';
import { findSandboxHindrance } from '../support/sandbox-world.ts';

const hindrance = findSandboxHindrance('bubblewrap');
const title = 'steps that run after a cancel, in real sandboxes';

/** What was begun is found by the step that clears it: same workspace, its own secret, and who cancelled. */
const file = `kind: pipeline
name: default
services:
  - {name: web, image: base/busybox, commands: ['exec httpd -f -p 8080 -h /'], ports: [8080]}
steps:
  - name: build
    image: base/busybox
    commands: ['echo half a cluster > begun', 'echo it has begun', 'sleep 600']
  - {name: never, image: base/busybox, commands: ['echo never']}
  - name: clear
    image: base/busybox
    environment: {KEY: {from_secret: key}}
    commands: ['cat begun', 'echo "by $GANTRY_CANCELLED_BY for $GANTRY_CANCEL_REASON with $\${#KEY}"']
    when: {status: [cancelled]}
`;

describe.skipIf(hindrance)(hindrance ? `${title} (not here: ${hindrance})` : title, () => {
  let gantry: GantryProcess;
  const params = { owner: 'admin', project: 'cluster' };
  beforeAll(async () => {
    gantry = await GantryProcess.start({ runtime: 'sandbox' });
    await gantry.createProject('cluster');
    await gantry.client('setSecret', { params: { ...params, name: 'key' }, body: { value: 'canary-to-clear' } });
  });
  afterAll(() => gantry.dispose());

  const stepOf = (pipeline: PipelineDetail, name: string) => pipeline.steps.find((step) => step.name === name)!;
  const logOf = (pipeline: PipelineDetail, name: string) =>
    gantry.log('cluster', pipeline.number, stepOf(pipeline, name).id);
  const begun = async (number: number): Promise<void> => {
    await expect
      .poll(
        async () => {
          const pipeline = await gantry.until('cluster', number, ({ steps }) =>
            steps.some(({ name, status }) => name === 'build' && status === 'running'),
          );
          return logOf(pipeline, 'build');
        },
        { timeout: 60_000 },
      )
      .toContain('it has begun');
  };

  it('find what the cancelled step left, and end in a pipeline that is cancelled', async () => {
    await gantry.push('cluster', { '.gantry.yml': file });
    await begun(1);
    await gantry.client('cancelPipeline', { params: { ...params, number: 1 } });
    const pipeline = await gantry.finished('cluster', 1);
    const statuses = Object.fromEntries(pipeline.steps.map(({ name, status }) => [name, status]));
    expect([pipeline.status, statuses]).toEqual([
      'cancelled',
      { clone: 'passed', web: expect.any(String), build: 'cancelled', never: 'cancelled', clear: 'passed' },
    ]);
    const log = await logOf(pipeline, 'clear');
    expect(log).toContain('half a cluster');
    expect(log).toContain('by admin for person with 15');
    expect(await logOf(pipeline, 'never')).toBe('');
  });

  it('are ended by a second cancel', async () => {
    await gantry.push('cluster', {
      '.gantry.yml': file.replace("commands: ['cat begun',", "commands: ['echo clearing', 'sleep 600',"),
    });
    await begun(2);
    await gantry.client('cancelPipeline', { params: { ...params, number: 2 } });
    const clearing = await gantry.until('cluster', 2, (pipeline) => stepOf(pipeline, 'clear').status === 'running');
    await expect.poll(() => logOf(clearing, 'clear'), { timeout: 60_000 }).toContain('clearing');
    await gantry.client('cancelPipeline', { params: { ...params, number: 2 } });
    const pipeline = await gantry.finished('cluster', 2);
    expect([pipeline.status, stepOf(pipeline, 'clear').status]).toEqual(['cancelled', 'cancelled']);
  });
});
