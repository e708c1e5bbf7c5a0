import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { GantryProcess } from '../support/gantry-process.ts';
import { findSandboxHindrance } from '../support/sandbox-world.ts';

const hindrance = findSandboxHindrance('bubblewrap');
const title = 'limits of a step';

/** Holds 100 MiB in memory. */
const hungry = 'head -c 104857600 /dev/zero | tail -c 104857600 > /dev/null';

describe.skipIf(hindrance)(hindrance ? `${title} (not here: ${hindrance})` : title, () => {
  let gantry: GantryProcess;
  beforeAll(async () => {
    gantry = await GantryProcess.start({ runtime: 'sandbox' });
    await gantry.createProject('limits');
  });
  afterAll(() => gantry.dispose());

  it('end it when it needs more memory than its file says, in each form of a file', async () => {
    const drone = (limit: string): string =>
      `kind: pipeline\nsteps:\n- {name: eat, image: base/busybox, commands: ['${hungry}']${limit}}\n`;
    const ended: unknown[] = [];
    for (const files of [
      { '.drone.yml': drone('') },
      { '.drone.yml': drone(', mem_limit: 32m') },
      { '.gantry.yml': drone(', resources: {limits: {memory: 32MiB}}') },
    ]) {
      await gantry.push('limits', files);
      const { status, steps } = await gantry.finished('limits', ended.length + 1);
      ended.push([status, steps.find(({ name }) => name === 'eat')?.reason?.includes('32') ?? false]);
    }
    expect(ended).toEqual([
      ['passed', false],
      ['failed', true],
      ['failed', true],
    ]);
  });
});
