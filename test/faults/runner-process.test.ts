import { afterEach, describe, expect, it } from 'vitest';
import { GantryProcess } from '../support/gantry-process.ts';

let gantry: GantryProcess;
afterEach(() => gantry?.dispose());

/** A step that says so and then works for a while; one after it. */
const pipelineOf = (seconds: number): string => `kind: pipeline
name: default
steps:
  - name: long
    image: base/busybox
    commands: [work]
    environment: {STEP_OUTPUT: begun, STEP_SLEEP: ${seconds}s}
  - name: after
    image: base/busybox
    commands: [finish]
    depends_on: [long]
`;
const clone = { workflow: 'default', name: 'clone' };

async function begun(seconds: number): Promise<void> {
  gantry = await GantryProcess.start();
  await gantry.createProject('shop');
  await gantry.push('shop', { '.gantry.yml': pipelineOf(seconds) });
  await gantry.until('shop', 1, ({ steps }) => steps.find(({ name }) => name === 'long')?.status === 'running');
}

const statuses = (pipeline: Awaited<ReturnType<GantryProcess['finished']>>): Record<string, string> =>
  Object.fromEntries(
    pipeline.steps.filter(({ name }) => name !== clone.name).map(({ name, status }) => [name, status]),
  );

describe('a runner process', () => {
  it('goes on with its steps while the server is killed and started again, and nothing runs twice', async () => {
    await begun(4);
    const [pid] = await gantry.runnerPids();
    await gantry.signalServer('SIGKILL');
    await gantry.startServer();
    const pipeline = await gantry.finished('shop', 1);
    expect(pipeline.status).toBe('passed');
    expect(await gantry.runnerPids()).toEqual([pid]);
    expect(pipeline.steps.every(({ attempt }) => attempt === 1)).toBe(true);
    const long = pipeline.steps.find(({ name }) => name === 'long')!;
    const log = await gantry.log('shop', 1, long.id);
    expect(log.match(/begun/g)).toHaveLength(1);
  });

  it('that is killed loses its steps as infrastructure, and another one takes what comes next', async () => {
    await begun(300);
    const [pid] = await gantry.runnerPids();
    const killedAt = performance.now();
    process.kill(pid!, 'SIGKILL');
    const lost = await gantry.finished('shop', 1, 70_000);
    expect(performance.now() - killedAt).toBeLessThan(62_000);
    expect(lost.status).toBe('infrastructure');
    expect(statuses(lost)).toEqual({ long: 'infrastructure', after: 'skipped' });
    await gantry.push('shop', { '.gantry.yml': pipelineOf(0) });
    expect((await gantry.finished('shop', 2)).status).toBe('passed');
    expect(await gantry.runnerPids()).not.toContain(pid);
  });
});
