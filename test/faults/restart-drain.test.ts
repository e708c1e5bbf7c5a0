import { afterEach, describe, expect, it } from 'vitest';
import { GantryProcess } from '../support/gantry-process.ts';

const file = `kind: pipeline
name: default
steps:
  - {name: first, image: base/busybox, commands: [echo first]}
  - {name: second, image: base/busybox, commands: [echo second]}
  - {name: beside, image: base/busybox, commands: [echo beside], depends_on: [first]}
`;

/**
 * An upgrade: the next server is of another build or has other settings, so it starts a runner of its own and the old
 * one is to finish what it has, steps that have not begun included.
 */
describe('a server that comes back with other settings', () => {
  let gantry: GantryProcess | undefined;
  afterEach(() => gantry?.dispose());

  it.each([1, 2])('has its old runner finish what it had begun, killed when step %i had ended', async (outcome) => {
    gantry = await GantryProcess.start({ settings: { GANTRY_SLOTS: '2' } });
    await gantry.createProject('shop');
    await gantry.signalServer('SIGKILL');
    await gantry.startServer(`outcome.afterCommit=kill@${outcome}`);
    const [before] = await gantry.runnerPids();
    await gantry.push('shop', { '.gantry.yml': file });
    await gantry.serverEnded();
    expect(gantry.lastExit.signal).toBe('SIGKILL');

    await gantry.startServer('', { GANTRY_SLOTS: '3' });
    const pipeline = await gantry.finished('shop', 1, 20_000);
    expect(pipeline.status).toBe('passed');
    expect(pipeline.workflows.map(({ attempt }) => attempt)).toEqual([1]);
    for (const step of pipeline.steps.filter(({ name }) => name !== 'clone'))
      expect(await gantry.log('shop', 1, step.id)).toBe(`+ echo ${step.name}\n`);
    // Then it leaves, and what is pushed now goes to the new one.
    const deadline = performance.now() + 10_000;
    while ((await gantry.runnerPids()).includes(before!) && performance.now() < deadline) await gantry.pause();
    expect(await gantry.runnerPids()).not.toContain(before);
    await gantry.push('shop', { '.gantry.yml': file, count: '2' });
    expect((await gantry.finished('shop', 2, 20_000)).status).toBe('passed');
  });

  it('has it finish however often the server is replaced meanwhile', async () => {
    gantry = await GantryProcess.start({ settings: { GANTRY_SLOTS: '2' } });
    await gantry.createProject('shop');
    const slow = file.replace('commands: [echo first]', 'commands: [echo first], environment: {STEP_SLEEP: 4s}');
    await gantry.push('shop', { '.gantry.yml': slow });
    await gantry.until('shop', 1, ({ steps }) =>
      steps.some(({ name, status }) => name === 'first' && status === 'running'),
    );
    for (const slots of ['3', '4', '5']) {
      await gantry.signalServer('SIGKILL');
      await gantry.startServer('', { GANTRY_SLOTS: slots });
    }
    const pipeline = await gantry.finished('shop', 1, 20_000);
    expect(pipeline.status).toBe('passed');
    expect(pipeline.workflows.map(({ attempt }) => attempt)).toEqual([1]);
  });
});
