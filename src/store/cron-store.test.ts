import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { testDatabases } from '../../test/support/databases.ts';
import { createPerson, createProject, newPipeline, someTime } from '../../test/support/store-world.ts';
import type { NewCron } from '../core/cron.ts';
import type { NewEvent } from '../core/event.ts';
import { systemClock } from '../lib/clock.ts';
import { silentLogger } from '../lib/logger.ts';
import { openStore, type Store } from './open-store.ts';

const databases = await testDatabases();
const later = (ms: number): Date => new Date(someTime.getTime() + ms);

describe.each(databases)('crons on $name', ({ create, stop, isMissing }) => {
  if (isMissing) {
    it.skip('need the database', () => {});
    return;
  }

  let store: Store;
  let projectId: number;
  beforeEach(async () => {
    store = await openStore(await create(), { clock: systemClock, logger: silentLogger });
    const mei = await createPerson(store, 'mei');
    projectId = (await createProject(store, mei.id, 'shop')).id;
  });
  afterEach(() => store.close());
  afterAll(stop);

  const newCron = (name: string, more: Partial<NewCron> = {}): NewCron => ({
    projectId,
    name,
    expression: '@daily',
    timeZone: 'Asia/Shanghai',
    branch: 'main',
    isEnabled: true,
    nextAt: later(1_000),
    createdAt: someTime,
    createdBy: 'mei',
    ...more,
  });
  const add = async (name: string, more: Partial<NewCron> = {}) =>
    (await store.write(({ crons }) => crons.create(newCron(name, more))))!;

  it('are found by name whatever its case, with what they were given', async () => {
    const cron = await add('Nightly');
    expect(cron).toEqual({ id: cron.id, ...newCron('Nightly'), lastAt: undefined });
    expect(await store.read.crons.findByName(projectId, 'nIGHTLY')).toEqual(cron);
    expect(await store.read.crons.find(cron.id)).toEqual(cron);
    expect(await store.read.crons.find(cron.id + 1)).toBeUndefined();
  });

  it('have names of their own in their project, in whatever case, and in no other', async () => {
    await add('nightly');
    const weekly = await add('weekly');
    expect(await store.write(({ crons }) => crons.create(newCron('NIGHTLY')))).toBeUndefined();
    expect(await store.write(({ crons }) => crons.update(weekly.id, { name: 'Nightly', branch: 'dev' }))).toBe(false);
    expect((await store.read.crons.find(weekly.id))?.branch).toBe('main');
    expect(await store.write(({ crons }) => crons.update(weekly.id, { name: 'WEEKLY' }))).toBe(true);
    expect((await store.read.crons.list(projectId)).map(({ name }) => name)).toEqual(['nightly', 'WEEKLY']);

    const bo = await createPerson(store, 'bo');
    const other = await createProject(store, bo.id, 'shop');
    await add('nightly', { projectId: other.id });
    expect(await store.read.crons.list(other.id)).toHaveLength(1);
  });

  it('change in what is named alone, and go', async () => {
    const cron = await add('nightly');
    await store.write(({ crons }) => crons.update(cron.id, { isEnabled: false, nextAt: null, lastAt: later(5) }));
    expect(await store.read.crons.find(cron.id)).toEqual({
      ...cron,
      isEnabled: false,
      nextAt: undefined,
      lastAt: later(5),
    });
    await store.write(({ crons }) =>
      crons.update(cron.id, { expression: '0 2 * * *', timeZone: 'UTC', nextAt: later(9) }),
    );
    expect(await store.read.crons.find(cron.id)).toMatchObject({
      expression: '0 2 * * *',
      timeZone: 'UTC',
      isEnabled: false,
      nextAt: later(9),
      lastAt: later(5),
    });
    await store.write(({ crons }) => crons.remove(cron.id));
    expect(await store.read.crons.list(projectId)).toEqual([]);
  });

  it('are due once their time has come, the longest due first', async () => {
    await add('b', { nextAt: later(2_000) });
    await add('a', { nextAt: later(1_000) });
    await add('off', { isEnabled: false, nextAt: undefined });
    await add('far', { nextAt: later(9_000) });
    const names = async (found: Promise<readonly { readonly name: string }[]>) => (await found).map(({ name }) => name);
    expect(await names(store.read.crons.listDue(later(2_000), 10))).toEqual(['a', 'b']);
    expect(await names(store.read.crons.listDue(later(2_000), 1))).toEqual(['a']);
    expect(await names(store.read.crons.listDue(later(999), 10))).toEqual([]);
    expect(await names(store.read.crons.listAhead(later(2_000)))).toEqual(['far']);
    expect(await store.read.crons.firstNextAt()).toEqual(later(1_000));
  });

  it('leave their name with the event and the pipeline that they started', async () => {
    const event: NewEvent = {
      projectId,
      kind: 'cron',
      key: 'cron:1:2026-03-01T08:00:00.000Z',
      ref: 'refs/heads/main',
      before: 'a'.repeat(40),
      after: 'a'.repeat(40),
      personName: '@cron',
      parameters: {},
      cron: 'nightly',
      createdAt: someTime,
    };
    const first = await store.write(({ events }) => events.create(event));
    const again = await store.write(({ events }) => events.create(event));
    expect([first.isNew, again.isNew, again.event.id]).toEqual([true, false, first.event.id]);
    expect(await store.read.events.find(first.event.id)).toMatchObject({ kind: 'cron', cron: 'nightly' });
    const created = await store.write(({ pipelines }) =>
      pipelines.create(newPipeline(first.event, 1, { cron: 'nightly' }), {
        dialect: 'gantry',
        path: '.gantry.yml',
        workflows: [],
      }),
    );
    expect(await store.read.pipelines.find(created!.pipeline.id)).toMatchObject({ event: 'cron', cron: 'nightly' });
  });

  it('have no part in a push, which keeps what it asked for, also while it is under way', async () => {
    const intent = {
      pushId: 'p1',
      projectId,
      ref: 'refs/heads/main',
      before: '0'.repeat(40),
      after: 'a'.repeat(40),
      personName: 'mei',
      createdAt: someTime,
    };
    await store.write(({ events }) => events.createIntents([{ ...intent, pushOptions: ['ci.skip', '跳过'] }]));
    await store.write(({ events }) =>
      events.createIntents([{ ...intent, pushId: 'p2', pushOptions: [], tokenProjectIds: [projectId] }]),
    );
    const intents = await store.read.events.listIntents();
    expect(intents.map(({ pushOptions, tokenProjectIds }) => [pushOptions, tokenProjectIds])).toEqual([
      [['ci.skip', '跳过'], undefined],
      [undefined, [projectId]],
    ]);
  });
});
