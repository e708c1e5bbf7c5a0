import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { droneFile, PipelinesWorld } from '../../../../test/support/pipelines-world.ts';
import { ScriptedRunner } from '../../../../test/support/scripted-runner.ts';
import type { CronView } from '../../../api/crons.ts';
import type { Event } from '../../../core/event.ts';
import { environmentOfStep } from '../../../core/plan.ts';

const file = droneFile({ build: { compile: {} } }, { build: { trigger: { event: ['cron'], cron: ['night*'] } } });
const hourMs = 3_600_000;

let world: PipelinesWorld;
beforeEach(async () => {
  // Days go by here: what else the server has timers for would be most of the test.
  world = await PipelinesWorld.create(file, { leaseMs: 1_000 * hourMs, reconcileEveryMs: 1_000 * hourMs });
});
afterEach(() => world.close());

type Body = Parameters<NonNullable<(typeof world.feature.operations & object)['createCron']>>[0]['body'];

async function add(body: Partial<Body> = {}): Promise<CronView> {
  const input = { name: 'nightly', expression: '0 2 * * *', timeZone: 'UTC', isEnabled: true, ...body } as Body;
  return (await world.feature.operations!.createCron!(
    { params: world.path, query: undefined, body: input },
    world.request(),
  )) as CronView;
}

type Change = Parameters<NonNullable<(typeof world.feature.operations & object)['updateCron']>>[0]['body'];
async function change(name: string, body: Change): Promise<CronView> {
  const input = { params: { ...world.path, name }, query: undefined, body };
  return (await world.feature.operations!.updateCron!(input, world.request())) as CronView;
}

/** Lets what is due happen: real reads and writes, while the clock stands still. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 3; turn += 1) {
    await new Promise((resolve) => setImmediate(resolve));
    await world.feature.settled();
  }
}

async function until(at: string): Promise<void> {
  const target = Date.parse(at);
  while (world.clock.now().getTime() < target) {
    await world.clock.advanceBy(Math.min(target - world.clock.now().getTime(), 30_000 * 20));
    await settle();
  }
}

/** Slots that ran, oldest first. */
async function slots(): Promise<string[]> {
  const events = await world.store.read.events.listByProject(world.project.id, 1_000);
  return events
    .filter(({ kind, key }) => kind === 'cron' && !key.startsWith('cron-now'))
    .map(({ key }) => key.replace(/^cron:\d+:/, '').replace(':00.000Z', 'Z'))
    .reverse();
}

async function newest(): Promise<Event> {
  const [event] = await world.store.read.events.listByProject(world.project.id, 1);
  return event!;
}

describe('a cron', () => {
  it('starts a pipeline on its branch at its time, and again at the next', async () => {
    const cron = await add();
    expect(cron).toMatchObject({ branch: 'main', sentence: 'At 02:00 every day.', last: null });
    expect(cron.next).toEqual({ at: '2026-01-01T02:00:00.000Z', local: 'Thu 2026-01-01 02:00 (UTC)' });
    await until('2026-01-01T01:59:59Z');
    expect(await slots()).toEqual([]);
    await until('2026-01-01T02:00:01Z');
    expect(await slots()).toEqual(['2026-01-01T02:00Z']);
    world.connect(new ScriptedRunner());
    const event = await newest();
    expect(event).toMatchObject({ kind: 'cron', cron: 'nightly', personName: '@cron', ref: 'refs/heads/main' });
    const pipeline = await world.planned(event);
    expect(pipeline).toMatchObject({ event: 'cron', cron: 'nightly', branch: 'main', personName: '@cron' });
    expect((await world.until(pipeline)).status).toBe('passed');
    await until('2026-01-03T03:00:00Z');
    expect(await slots()).toEqual(['2026-01-01T02:00Z', '2026-01-02T02:00Z', '2026-01-03T02:00Z']);
    const { items } = await world.feature.operations!.listCrons!(
      { params: world.path, query: undefined, body: undefined },
      world.request(),
    );
    expect(items).toMatchObject([{ name: 'nightly', next: { at: '2026-01-04T02:00:00.000Z' }, last: {} }]);
  });

  it('tells its name to conditions and to steps', async () => {
    await add({ name: 'weekly', expression: '0 1 * * *' });
    await until('2026-01-01T01:00:01Z');
    expect((await world.feature.planNow((await newest()).id)).trace.map(({ rule }) => rule)).toContain(
      'event.nothing-matched',
    );
    await add();
    await until('2026-01-01T02:00:01Z');
    const pipeline = await world.planned(await newest());
    const [workflow] = await world.store.read.pipelines.workflows(pipeline.id);
    expect(environmentOfStep(workflow!.plan, workflow!.plan.steps[0]!)).toMatchObject({
      DRONE_BUILD_EVENT: 'cron',
      GANTRY_EVENT: 'cron',
      GANTRY_CRON: 'nightly',
      DRONE_BUILD_TRIGGER: '@cron',
    });
  });

  it('runs the last slot after a time in which no server ran, and not all of them', async () => {
    await add({ expression: '@hourly' });
    await until('2026-01-01T02:10:00Z');
    await world.feature.stop();
    world.clock.jump(7 * hourMs);
    await world.restart();
    await until('2026-01-01T09:10:30Z');
    expect(await slots()).toEqual(['2026-01-01T01:00Z', '2026-01-01T02:00Z', '2026-01-01T09:00Z']);
    await until('2026-01-01T10:00:01Z');
    expect((await slots()).at(-1)).toBe('2026-01-01T10:00Z');
  });

  it('runs no slot twice when servers come and go around it', async () => {
    await add({ expression: '@hourly' });
    await until('2026-01-01T01:00:00Z');
    await world.restart();
    await until('2026-01-01T01:00:30Z');
    await world.restart();
    await until('2026-01-01T02:00:30Z');
    expect(await slots()).toEqual(['2026-01-01T01:00Z', '2026-01-01T02:00Z']);
  });

  it('runs a slot once when a server dies before it could say so', async () => {
    await add({ expression: '@hourly' });
    await until('2026-01-01T00:59:50Z');
    world.abandon();
    world.clock.jump(15_000);
    await world.feature.start();
    await until('2026-01-01T01:01:00Z');
    expect(await slots()).toEqual(['2026-01-01T01:00Z']);
    expect((await newest()).plannedAt).toBeDefined();
  });

  it('runs each slot once when the clock is set back, and goes on by the new time', async () => {
    await add({ expression: '@hourly' });
    await until('2026-01-01T03:05:00Z');
    world.clock.setWall(new Date('2026-01-01T01:30:00Z'));
    await until('2026-01-01T04:05:00Z');
    expect(await slots()).toEqual(['2026-01-01T01:00Z', '2026-01-01T02:00Z', '2026-01-01T03:00Z', '2026-01-01T04:00Z']);
  });

  it('runs what a clock that was a day ahead had passed over, at its time and once', async () => {
    await add({ expression: '0 */6 * * *' });
    await until('2026-01-01T01:00:00Z');
    world.clock.setWall(new Date('2026-01-02T01:00:00Z'));
    await until('2026-01-02T01:01:00Z');
    expect(await slots()).toEqual(['2026-01-02T00:00Z']);
    world.clock.setWall(new Date('2026-01-01T01:02:00Z'));
    await until('2026-01-02T06:01:00Z');
    const all = await slots();
    expect(new Set(all).size).toBe(all.length);
    expect(all.toSorted()).toEqual([
      '2026-01-01T06:00Z',
      '2026-01-01T12:00Z',
      '2026-01-01T18:00Z',
      '2026-01-02T00:00Z',
      '2026-01-02T06:00Z',
    ]);
  });

  it('is found by a server that starts with its clock set back', async () => {
    await add({ expression: '@hourly' });
    await until('2026-01-01T05:05:00Z');
    await world.feature.stop();
    world.clock.setWall(new Date('2026-01-01T02:30:00Z'));
    await world.restart();
    await until('2026-01-01T06:01:00Z');
    expect(await slots()).toEqual(['01', '02', '03', '04', '05', '06'].map((hour) => `2026-01-01T${hour}:00Z`));
  });

  it('runs a local time that is left out once, and one that comes twice once', async () => {
    await add({ expression: '30 2 * * *', timeZone: 'Europe/Berlin' });
    world.clock.setWall(new Date('2026-03-28T20:00:00Z'));
    await until('2026-03-30T06:00:00Z');
    // What the jump passed over runs once, as its last slot.
    expect(await slots()).toEqual(['2026-03-28T01:30Z', '2026-03-29T01:00Z', '2026-03-30T00:30Z']);
    world.clock.setWall(new Date('2026-10-24T20:00:00Z'));
    await until('2026-10-26T06:00:00Z');
    expect((await slots()).slice(3)).toEqual(['2026-10-24T00:30Z', '2026-10-25T00:30Z', '2026-10-26T01:30Z']);
  });

  it('that cannot be read any more holds up no other one', async () => {
    await add({ name: 'broken', expression: '@hourly' });
    await add({ expression: '@hourly' });
    const [broken] = await world.store.read.crons.list(world.project.id);
    await world.store.write(({ crons }) => crons.update(broken!.id, { timeZone: 'Gone/Zone' }));
    await until('2026-01-01T01:00:30Z');
    await world.restart();
    await until('2026-01-01T02:00:30Z');
    expect(await slots()).toEqual(['2026-01-01T01:00Z', '2026-01-01T02:00Z']);
  });

  it('stands still while it is switched off, and makes up for nothing', async () => {
    await add({ expression: '@hourly' });
    expect(await change('NIGHTLY', { isEnabled: false })).toMatchObject({ isEnabled: false, next: null });
    await until('2026-01-01T05:30:00Z');
    const on = await change('nightly', { isEnabled: true });
    expect(on.next?.at).toBe('2026-01-01T06:00:00.000Z');
    await until('2026-01-01T06:01:00Z');
    expect(await slots()).toEqual(['2026-01-01T06:00Z']);
  });

  it('follows what it is changed to from then on, and ends when it is removed', async () => {
    await add({ expression: '@hourly' });
    await until('2026-01-01T01:10:00Z');
    expect((await change('nightly', { expression: '30 * * * *' })).next?.at).toBe('2026-01-01T01:30:00.000Z');
    expect((await change('nightly', { name: 'nights' })).next?.at).toBe('2026-01-01T01:30:00.000Z');
    await until('2026-01-01T01:40:00Z');
    expect(await slots()).toEqual(['2026-01-01T01:00Z', '2026-01-01T01:30Z']);
    expect((await newest()).cron).toBe('nights');
    await world.feature.operations!.removeCron!(
      { params: { ...world.path, name: 'nights' }, query: undefined, body: undefined },
      world.request(),
    );
    await until('2026-01-01T04:00:00Z');
    expect(await slots()).toHaveLength(2);
    expect(world.clock.nextDueMs()).toBeDefined();
  });

  it('says why nothing ran when its branch is gone', async () => {
    await add({ expression: '@hourly' });
    const [cron] = await world.store.read.crons.list(world.project.id);
    await world.store.write(({ crons }) => crons.update(cron!.id, { branch: 'gone' }));
    await until('2026-01-01T01:00:30Z');
    const { pipeline, trace } = await world.feature.planNow((await newest()).id);
    expect(pipeline).toBeUndefined();
    expect(trace).toMatchObject([{ rule: 'event.branch-missing', values: { branch: 'gone', cron: 'nightly' } }]);
  });

  it('rests while its project is archived, and makes up for nothing', async () => {
    await add({ expression: '@hourly' });
    const archivedAt = world.clock.now();
    await world.store.write(({ projects }) => projects.update({ ...world.project, archivedAt }));
    await until('2026-01-01T03:30:00Z');
    await world.store.write(({ projects }) => projects.update({ ...world.project, archivedAt: undefined }));
    await until('2026-01-01T04:00:30Z');
    expect(await slots()).toEqual(['2026-01-01T04:00Z']);
  });

  it('may be run now by a person, under its name, and keeps its next time', async () => {
    const { next } = await add();
    const run = (idempotencyKey: string) =>
      world.feature.operations!.runCron!(
        { params: { ...world.path, name: 'nightly' }, query: undefined, body: undefined },
        world.request({ idempotencyKey }),
      );
    const [first, again, other] = [await run('a'), await run('a'), await run('b')];
    expect(first).toMatchObject({ number: 1, event: 'cron', cron: 'nightly', personName: 'mei' });
    expect([again.number, other.number]).toEqual([1, 2]);
    const { items } = await world.feature.operations!.listCrons!(
      { params: world.path, query: undefined, body: undefined },
      world.request(),
    );
    expect(items[0]).toMatchObject({ next, last: null });
  });

  it.each([
    [{ expression: '61 * * * *' }, 'CRON_INVALID', 'its minute 61'],
    [{ expression: '0 0 30 2 *' }, 'CRON_INVALID', 'no day ever fits it'],
    [{ timeZone: 'Mars/Olympus' }, 'CRON_INVALID', 'no time zone "Mars/Olympus"'],
    [{ branch: 'gone' }, 'REF_NOT_FOUND', 'no branch "gone"'],
    [{ name: 'Taken' }, 'CRON_EXISTS', 'one of the name "Taken"'],
  ])('as %o is refused', async (body, code, message) => {
    await add({ name: 'taken' });
    await expect(add(body)).rejects.toMatchObject({ code, message: expect.stringContaining(message) });
    // Its own name in another case is no other one's.
    if (code !== 'CRON_EXISTS') await expect(change('taken', body)).rejects.toMatchObject({ code });
    expect(await world.store.read.crons.list(world.project.id)).toHaveLength(1);
  });

  it('of fifty is the last that a project may have', async () => {
    for (let n = 0; n < 50; n += 1) await add({ name: `c${n}` });
    await expect(add({ name: 'one-more' })).rejects.toMatchObject({ code: 'CRON_LIMIT' });
  });

  it('leaves who made, changed and removed it in the record', async () => {
    await add();
    await change('nightly', { expression: '@daily' });
    await change('nightly', { expression: '@daily' });
    await world.feature.operations!.removeCron!(
      { params: { ...world.path, name: 'nightly' }, query: undefined, body: undefined },
      world.request(),
    );
    const entries = await world.store.read.audit.list({ limit: 10 });
    expect(entries.map(({ action, actor }) => `${action} ${actor}`)).toEqual([
      'cron:remove mei',
      'cron:update mei',
      'cron:create mei',
    ]);
    expect(entries[1]?.details).toEqual({
      cron: 'nightly',
      expression: { before: '0 2 * * *', after: '@daily' },
    });
  });
});

describe('a preview of a cron', () => {
  it('says when it runs in words, and when it comes next', async () => {
    const input = {
      params: undefined,
      query: undefined,
      body: { expression: '0 2 * * 1-5', timeZone: 'Asia/Shanghai' },
    };
    const { sentence, next } = await world.feature.operations!.previewCron!(input, world.request({ language: 'zh' }));
    expect(sentence).toBe('每周一至周五 02:00。');
    expect(next).toHaveLength(5);
    expect(next[0]).toEqual({ at: '2026-01-01T18:00:00.000Z', local: '2026-01-02 周五 02:00 (UTC+8)' });
  });
});
