import { randomInt } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { ApiError } from '../../src/api/client.ts';
import { GantryProcess } from '../support/gantry-process.ts';
import { processesWith } from '../support/host-traces.ts';
import { findSandboxHindrance } from '../support/sandbox-world.ts';

const rounds = 50;
const seed = Number(process.env['SEED'] ?? 20_261_126);

/** Numbers in [0, 1) that the seed alone decides (mulberry32). */
function randomOf(start: number): () => number {
  let state = start;
  return () => {
    state = (state + 0x6d_2b_79_f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Two workflows one after the other, with steps beside each other and one that will not be told. */
const fileOf = (mark: string): string => `kind: pipeline
name: first
steps:
  - {name: quick, image: base/busybox, commands: [sleep 0.02], environment: {STEP_SLEEP: 20ms}}
  - {name: marked, image: base/busybox, commands: ['(setsid sleep ${mark} &)', sleep 0.1], depends_on: [quick], environment: {STEP_SLEEP: 100ms}}
  - {name: beside, image: base/busybox, commands: [sleep 0.05], depends_on: [quick], environment: {STEP_SLEEP: 50ms}}
---
kind: pipeline
name: second
depends_on: [first]
steps:
  - {name: last, image: base/busybox, commands: [sleep 0.05], environment: {STEP_SLEEP: 50ms}}
`;

const sandboxHindrance = findSandboxHindrance('bubblewrap');

describe.each(['scripted', 'sandbox'] as const)('a pipeline that is cancelled (%s)', (runtime) => {
  const hindrance = runtime === 'sandbox' ? sandboxHindrance : undefined;
  let gantry: GantryProcess | undefined;
  afterEach(() => gantry?.dispose());

  it.skipIf(hindrance)(`ends at any of ${rounds} moments, and nothing starts after (SEED=${seed})`, async () => {
    const random = randomOf(seed);
    const made = await GantryProcess.start({ runtime });
    gantry = made;
    await made.createProject('shop');
    const mark = String(randomInt(30_000_000, 39_999_999));
    const ofProject = { owner: 'admin', project: 'shop' };
    await made.push('shop', { '.gantry.yml': fileOf(mark) });
    expect((await made.finished('shop', 1)).status).toBe('passed');
    // The second one finds everything warm, as those after it do.
    await made.client('startPipeline', { params: ofProject, body: {} });
    const whole = await made.finished('shop', 2);
    const usualMs = new Date(whole.finishedAt!).getTime() - new Date(whole.createdAt).getTime();

    const counts = new Map<string, number>();
    const cancelled: number[] = [];
    for (let round = 1; round <= rounds; round += 1) {
      const { number } = await made.client('startPipeline', { params: ofProject, body: {} });
      await sleep(random() * usualMs * 1.1);
      const params = { ...ofProject, number };
      const refusal = await made.client('cancelPipeline', { params }).then(
        () => undefined,
        (error: unknown) => error,
      );
      const answeredAt = Date.now();
      const pipeline = await made.finished('shop', number, 30_000);
      if (refusal) {
        expect((refusal as ApiError).problem.code).toBe('PIPELINE_ALREADY_FINISHED');
        expect(pipeline.status).toBe('passed');
      } else {
        expect(pipeline.status).toBe('cancelled');
        cancelled.push(number);
      }
      for (const { name, status, startedAt } of pipeline.steps) {
        expect(['passed', 'cancelled', 'skipped'], `${name} of #${number}`).toContain(status);
        // Both clocks are this host's.
        if (startedAt) expect(new Date(startedAt).getTime(), `${name} of #${number}`).toBeLessThanOrEqual(answeredAt);
      }
      for (const { name, status } of pipeline.workflows)
        expect(['passed', 'cancelled', 'skipped'], `${name} of #${number}`).toContain(status);
      const how = `${pipeline.status} after ${pipeline.steps.filter(({ status }) => status === 'passed').length} steps`;
      counts.set(how, (counts.get(how) ?? 0) + 1);
    }
    // The moments are spread: pipelines were caught at several stages of their way.
    expect(cancelled.length).toBeGreaterThan(rounds / 4);
    expect(counts.size).toBeGreaterThan(2);
    for (let waitedMs = 0; processesWith(mark).length > 0 && waitedMs < 15_000; waitedMs += 50) await sleep(50);
    expect(processesWith(mark)).toEqual([]);

    for (const number of cancelled.slice(-3)) {
      await made.client('rerunPipeline', { params: { ...ofProject, number }, body: { only: 'failed' } });
      const again = await made.finished('shop', number, 30_000);
      expect(again.status).toBe('passed');
      expect(Math.max(...again.workflows.map(({ attempt }) => attempt))).toBe(2);
    }
  });
});
