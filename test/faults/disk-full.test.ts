import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { ApiError } from '../../src/api/client.ts';
import { GantryProcess } from '../support/gantry-process.ts';
import { dataIsWhole, everyPushHasOnePipeline, everythingDecided } from '../support/nothing-lost.ts';
import { findSmallDiskHindrance, SmallDisk } from '../support/small-disk.ts';

const quick = `kind: pipeline
name: default
steps:
  - {name: quick, image: base/busybox, commands: [echo quick]}
`;
/** Writes a line every 50 ms for four seconds, and a good deal more than is free. */
const talking = `kind: pipeline
name: default
steps:
  - name: talk
    image: base/busybox
    commands: [talk]
    environment:
      STEP_ACTS: '${JSON.stringify(
        Array.from({ length: 80 }, (_, i) => [
          { do: 'write', text: `line ${i + 1} ${'x'.repeat(1_500)}\n` },
          { do: 'sleep', ms: 50 },
        ]).flat(),
      )}'
`;
const params = { owner: 'admin', project: 'shop' };

const hindrance = findSmallDiskHindrance();
const title = 'a server whose disk is full';

describe.skipIf(hindrance)(hindrance ? `${title} (not here: ${hindrance})` : title, () => {
  let gantry: GantryProcess | undefined;
  let disk: SmallDisk | undefined;
  afterEach(async () => {
    await gantry?.dispose();
    disk?.remove();
  });

  async function start(): Promise<{ readonly gantry: GantryProcess; readonly disk: SmallDisk }> {
    disk = new SmallDisk(48);
    gantry = await GantryProcess.start({ settings: { GANTRY_DATA: join(disk.folder, 'data') } });
    await gantry.createProject('shop');
    await gantry.push('shop', { '.gantry.yml': quick });
    expect((await gantry.finished('shop', 1)).status).toBe('passed');
    return { gantry, disk };
  }

  it('says so, answers what it has, and goes on when there is room again', async () => {
    const made = await start();
    const acknowledged: string[] = [];
    made.disk.fill();
    const refusals: ApiError['problem'][] = [];
    const tryWrite = async (work: () => Promise<unknown>): Promise<void> => {
      await work().catch((error: unknown) => {
        if (!(error instanceof ApiError)) throw error;
        refusals.push(error.problem);
      });
    };
    for (let i = 0; i < 30; i += 1) {
      // The journal has room within what it took before: it is filled as it grows.
      made.disk.fill();
      await tryWrite(() => made.gantry.client('startPipeline', { params, body: {} }));
      await tryWrite(() => made.gantry.client('createToken', { body: { name: `token ${i}`, scopes: ['code:read'] } }));
      await tryWrite(() =>
        made.gantry.client('setSecret', {
          params: { ...params, name: 'token' },
          body: { value: `x${'y'.repeat(9_000)}` },
        }),
      );
    }
    expect(refusals.length).toBeGreaterThan(0);
    expect(new Set(refusals.map(({ status, code }) => `${status} ${code}`))).toEqual(new Set(['503 DATABASE_FAILED']));
    expect(refusals[0]!.detail).toContain('disk is full');
    await expect(
      made.gantry.push('shop', { '.gantry.yml': quick, large: Math.random().toString(36).repeat(20_000) }),
    ).rejects.toThrow();
    // Reads go on.
    expect((await made.gantry.client('getPipeline', { params: { ...params, number: 1 } })).status).toBe('passed');
    expect((await made.gantry.client('listCommits', { params })).items).toHaveLength(1);
    expect(made.gantry.isServing).toBe(true);

    made.disk.relieve();
    acknowledged.push(await made.gantry.push('shop', { '.gantry.yml': quick, count: '2' }));
    await everyPushHasOnePipeline(made.gantry, 'shop', acknowledged, 60_000);
    await everythingDecided(made.gantry);
    await everyPushHasOnePipeline(made.gantry, 'shop', acknowledged, 60_000);
    await made.gantry.signalServer('SIGTERM');
    await dataIsWhole(made.gantry);
  });

  it('keeps the log of a step that goes on meanwhile, whole', async () => {
    const made = await start();
    await made.gantry.push('shop', { '.gantry.yml': talking });
    const running = await made.gantry.until('shop', 2, ({ steps }) =>
      steps.some(({ name, status }) => name === 'talk' && status === 'running'),
    );
    const { id } = running.steps.find(({ name }) => name === 'talk')!;
    const lines = async (): Promise<string[]> => (await made.gantry.log('shop', 2, id)).trimEnd().split('\n');
    while ((await lines()).length < 5) await made.gantry.pause();
    made.disk.fill();
    const until = async (ms: number): Promise<number> => {
      for (const beganMs = performance.now(); performance.now() - beganMs < ms; await made.gantry.pause())
        made.disk.fill();
      return (await lines()).length;
    };
    // It talks on, and nothing of it is stored.
    const stuck = await until(700);
    expect(await until(700)).toBe(stuck);
    expect(made.gantry.isServing).toBe(true);
    made.disk.relieve();
    const pipeline = await made.gantry.finished('shop', 2, 60_000);
    expect(pipeline, JSON.stringify(pipeline.steps)).toMatchObject({ status: 'passed' });
    const whole = (await lines()).filter((line) => line.startsWith('line'));
    expect(whole.map((line) => line.split(' ')[1])).toEqual(Array.from({ length: 80 }, (_, i) => String(i + 1)));
    await made.gantry.signalServer('SIGTERM');
    await dataIsWhole(made.gantry);
  });
});
