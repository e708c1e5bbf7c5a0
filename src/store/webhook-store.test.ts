import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { testDatabases } from '../../test/support/databases.ts';
import { createPerson, createProject, someTime } from '../../test/support/store-world.ts';
import type { NewIncomingWebhook } from '../core/incoming-webhook.ts';
import type { SealedSecret } from '../core/secret-record.ts';
import type { DeliveryTry, NewDelivery, NewWebhook, WebhookDelivery } from '../core/webhook.ts';
import { systemClock } from '../lib/clock.ts';
import { silentLogger } from '../lib/logger.ts';
import { openStore, type Store } from './open-store.ts';

const databases = await testDatabases();
const later = (ms: number): Date => new Date(someTime.getTime() + ms);
const sealed: SealedSecret = {
  keyId: 'k',
  wrappedKey: Buffer.from([1, 0, 255]),
  nonce: Buffer.from([2]),
  ciphertext: Buffer.from('secret'),
};

describe.each(databases)('webhooks on $name', ({ create, stop, isMissing }) => {
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

  const newWebhook = (more: Partial<NewWebhook> = {}): NewWebhook => ({
    holder: { kind: 'project', id: projectId },
    url: 'https://example.org/hook',
    events: ['push', 'step.failed'],
    isEnabled: true,
    headerName: 'X-Team',
    sinceSequence: 7,
    createdAt: someTime,
    createdBy: 'mei',
    ...more,
  });
  const add = async (more: Partial<NewWebhook> = {}): Promise<number> =>
    store.write(async ({ webhooks }) => {
      const id = await webhooks.reserve(newWebhook(more));
      await webhooks.setSealed(id, sealed);
      return id;
    });
  const delivery = (webhookId: number, sequence: number, more: Partial<NewDelivery> = {}): NewDelivery => ({
    webhookId,
    messageId: `msg_${webhookId}_${sequence}`,
    sequence,
    event: 'push',
    body: '{"type":"push"}',
    createdAt: later(sequence),
    ...more,
  });
  const enqueue = (...deliveries: readonly NewDelivery[]) =>
    store.write(async ({ webhooks }) => {
      const made: (WebhookDelivery | undefined)[] = [];
      for (const each of deliveries) made.push(await webhooks.enqueue(each));
      return made;
    });

  it('are there once they are sealed, with what they were given', async () => {
    const organisation = await store.write(({ organisations }) =>
      organisations.create({ name: 'team', displayName: '', createdAt: someTime }),
    );
    const id = await add();
    const holder = { kind: 'organisation', id: organisation.id } as const;
    const theirs = await add({ holder, isEnabled: false, headerName: undefined });
    await store.write(({ webhooks }) => webhooks.reserve(newWebhook()));
    const found = await store.read.webhooks.find(id);
    expect(found).toEqual({ id, ...newWebhook(), sealed, disabledReason: undefined, failingSince: undefined });
    expect((await store.read.webhooks.list({ kind: 'project', id: projectId })).map((hook) => hook.id)).toEqual([id]);
    expect((await store.read.webhooks.list(holder)).map((hook) => hook.id)).toEqual([theirs]);
    expect((await store.read.webhooks.listEnabled()).map((hook) => hook.id)).toEqual([id]);
  });

  it('change in what is named and in nothing else', async () => {
    const id = await add();
    const before = await store.read.webhooks.find(id);
    await store.write(({ webhooks }) => webhooks.update(id, {}));
    expect(await store.read.webhooks.find(id)).toEqual(before);
    const change = { isEnabled: false, disabledReason: 'gone', failingSince: later(5), headerName: null } as const;
    await store.write(({ webhooks }) => webhooks.update(id, change));
    expect(await store.read.webhooks.find(id)).toEqual({
      ...before,
      isEnabled: false,
      disabledReason: 'gone',
      failingSince: later(5),
      headerName: undefined,
    });
    await store.write(({ webhooks }) => webhooks.update(id, { disabledReason: null, failingSince: null }));
    expect(await store.read.webhooks.find(id)).toMatchObject({ disabledReason: undefined, failingSince: undefined });
  });

  it('are told of a happening once, and are told tests as often as they are asked for', async () => {
    const id = await add();
    const [first] = await enqueue(delivery(id, 1));
    expect(first).toMatchObject({ status: 'waiting', tries: 0, nextAt: later(1), lastTry: undefined });
    expect(await enqueue(delivery(id, 1, { messageId: 'another' }))).toEqual([undefined]);
    const test = (messageId: string) => delivery(id, 2, { sequence: undefined, event: 'ping', messageId });
    expect((await enqueue(test('a'), test('b'))).map((made) => made?.event)).toEqual(['ping', 'ping']);
    expect(await store.read.webhooks.countWaiting([id, 999])).toEqual(new Map([[id, 3]]));
    expect(await store.read.webhooks.countWaiting([])).toEqual(new Map());
  });

  it('have what waits for them in the order in which it falls due, and what was tried as it came out', async () => {
    const [one, other] = [await add(), await add()];
    await enqueue(
      delivery(one, 30),
      delivery(one, 10),
      delivery(other, 20),
      delivery(one, 40, { refusedAs: 'queue-full' }),
    );
    const { webhooks } = store.read;
    expect(await webhooks.listDueWebhooks(later(9))).toEqual([]);
    expect((await webhooks.listDueWebhooks(later(20))).toSorted((a, b) => a - b)).toEqual([one, other]);
    const due = await webhooks.listDue(one, later(50), 10);
    expect(due.map(({ messageId }) => messageId)).toEqual([`msg_${one}_10`, `msg_${one}_30`]);
    expect(await webhooks.firstNextAt(later(10))).toEqual(later(20));
    expect(await webhooks.firstNextAt(later(30))).toBeUndefined();

    const lastTry: DeliveryTry = {
      at: later(60),
      durationMs: 12,
      status: 500,
      response: 'näh',
      fault: undefined,
      message: undefined,
    };
    await store.write(({ webhooks: them }) =>
      them.recordTry(due[0]!.id, { status: 'waiting', tries: 1, nextAt: later(70), lastTry }),
    );
    expect(await webhooks.findDelivery(one, due[0]!.id)).toEqual({ ...due[0], tries: 1, nextAt: later(70), lastTry });
    expect(await webhooks.findDelivery(other, due[0]!.id)).toBeUndefined();
    await store.write(({ webhooks: them }) => them.recordTry(due[0]!.id, { status: 'delivered', tries: 2, lastTry }));
    expect(await webhooks.findDelivery(one, due[0]!.id)).toMatchObject({ status: 'delivered', nextAt: undefined });
    await store.write(({ webhooks: them }) => them.redeliver(due[0]!.id, later(90)));
    expect(await webhooks.findDelivery(one, due[0]!.id)).toMatchObject({
      status: 'waiting',
      tries: 0,
      nextAt: later(90),
    });
    await store.write(({ webhooks: them }) => them.giveUpWaiting(one, later(99)));
    expect(await webhooks.listDueWebhooks(later(1_000))).toEqual([other]);
    const { items } = await webhooks.listDeliveries(one, { limit: 10 });
    expect(items.map(({ status, lastTry: tried }) => [status, tried?.fault])).toEqual([
      ['failed', 'queue-full'],
      ['failed', 'switched-off'],
      ['failed', 'switched-off'],
    ]);
  });

  it('show what they were sent page by page, newest first', async () => {
    const id = await add();
    await enqueue(...[1, 2, 3, 4, 5].map((sequence) => delivery(id, sequence)));
    const first = await store.read.webhooks.listDeliveries(id, { limit: 2 });
    const second = await store.read.webhooks.listDeliveries(id, { limit: 3, after: first.next! });
    const names = [...first.items, ...second.items].map(({ messageId }) => messageId);
    expect(names).toEqual([5, 4, 3, 2, 1].map((sequence) => `msg_${id}_${sequence}`));
    expect(second.next).toBeNull();
  });

  it('forget what is old and what is settled and too much, but nothing that waits', async () => {
    const id = await add();
    await enqueue(...[1, 2, 3].map((sequence) => delivery(id, sequence, { refusedAs: 'queue-full' })), delivery(id, 4));
    expect(await store.write(({ webhooks }) => webhooks.pruneBeyond(id, 1, 1))).toBe(1);
    expect(await store.write(({ webhooks }) => webhooks.pruneBeyond(id, 1, 10))).toBe(1);
    const left = async () =>
      (await store.read.webhooks.listDeliveries(id, { limit: 10 })).items.map(({ messageId }) => messageId);
    expect(await left()).toEqual([`msg_${id}_4`, `msg_${id}_3`]);
    expect(await store.read.webhooks.listWithDeliveries()).toEqual([id]);
    expect(await store.write(({ webhooks }) => webhooks.pruneOlder(later(4), 10))).toBe(1);
    expect(await store.write(({ webhooks }) => webhooks.pruneOlder(later(5), 10))).toBe(1);
    expect(await left()).toEqual([]);
  });

  it('go with everything that they were sent', async () => {
    const id = await add();
    await enqueue(delivery(id, 1));
    await store.write(({ webhooks }) => webhooks.remove(id));
    expect(await store.read.webhooks.find(id)).toBeUndefined();
    expect(await store.read.webhooks.listDueWebhooks(later(9))).toEqual([]);
  });

  it('that come in have names of their own in their project, in whatever case', async () => {
    const hook: NewIncomingWebhook = {
      projectId,
      name: 'Deploy',
      branch: 'main',
      proof: 'signature',
      parameters: { VERSION: '$.tag' },
      isEnabled: true,
      createdAt: someTime,
      createdBy: 'mei',
    };
    const id = (await store.write(({ incomingWebhooks }) => incomingWebhooks.reserve(hook)))!;
    expect(await store.read.incomingWebhooks.findByName(projectId, 'deploy')).toBeUndefined();
    expect(
      await store.write(({ incomingWebhooks: them }) => them.reserve({ ...hook, name: 'DEPLOY' })),
    ).toBeUndefined();
    await store.write(({ incomingWebhooks }) => incomingWebhooks.setSealed(id, sealed));
    const found = await store.read.incomingWebhooks.findByName(projectId, 'dEPLOY');
    expect(found).toEqual({ id, ...hook, sealed, lastAcceptedAt: undefined });
    const change = {
      branch: 'next',
      proof: 'token',
      parameters: {},
      isEnabled: false,
      lastAcceptedAt: later(1),
    } as const;
    await store.write(({ incomingWebhooks }) => incomingWebhooks.update(id, change));
    expect(await store.read.incomingWebhooks.list(projectId)).toEqual([{ id, ...hook, ...change }]);
    await store.write(({ incomingWebhooks }) => incomingWebhooks.remove(id));
    expect(await store.read.incomingWebhooks.list(projectId)).toEqual([]);
  });
});
