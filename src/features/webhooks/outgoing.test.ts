import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { failed, passed, ScriptedRunner } from '../../../test/support/scripted-runner.ts';
import { createProject } from '../../../test/support/store-world.ts';
import { isSignedAsSpecified, WebhookReceiver } from '../../../test/support/webhook-receiver.ts';
import { WebhooksWorld } from '../../../test/support/webhooks-world.ts';
import { type WebhookMessage, webhookPayloads } from '../../api/webhook-payloads.ts';
import { AddressGuard } from '../../lib/address-guard.ts';

let world: WebhooksWorld;
let receiver: WebhookReceiver;
let url: string;

beforeEach(async () => {
  world = await WebhooksWorld.create();
  receiver = new WebhookReceiver();
  url = await receiver.start();
});
afterEach(async () => {
  await world.close();
  await receiver.stop();
});

/** A push, told to whoever wants to know. */
async function push(): Promise<void> {
  await world.pipelines.push();
  await world.pipelines.feature.settled();
  await world.feature.settled();
}

const hours = (count: number): number => count * 3_600_000;

describe('a webhook', () => {
  it('is sent what it asked for, signed as the specification says, and nothing else', async () => {
    const { id, secret } = await world.webhook(`${url}/hook?x=1`, ['push', 'pipeline.finished']);
    await push();
    const [delivery, ...others] = await world.deliveries(id);
    expect(others).toEqual([]);
    expect(delivery).toMatchObject({ event: 'push', status: 'delivered', tries: 1, responseStatus: 200, nextAt: null });
    const [request] = receiver.received;
    expect(request).toMatchObject({ path: '/hook?x=1', headers: { 'content-type': 'application/json' } });
    expect(request!.headers['webhook-id']).toBe(delivery!.messageId);
    expect(Number(request!.headers['webhook-timestamp'])).toBe(Math.floor(world.clock.now().getTime() / 1_000));
    expect(await isSignedAsSpecified(secret!, request!)).toBe(true);
    expect(await isSignedAsSpecified(secret!, { ...request!, body: `${request!.body} ` })).toBe(false);
    const message = JSON.parse(request!.body) as WebhookMessage;
    expect(message).toMatchObject({
      type: 'push',
      data: { project: { slug: 'mei/shop', url: 'http://gantry.test/mei/shop' }, branch: 'main', isDeleted: false },
    });
    expect(webhookPayloads[message.type].parse(message.data)).toEqual(message.data);
  });

  it('is told of the whole life of a pipeline, each message as its schema says', async () => {
    await world.webhook(url, ['pipeline.started', 'pipeline.finished', 'workflow.finished', 'step.failed']);
    world.pipelines.connect(new ScriptedRunner({ script: (step) => (step === 'build' ? failed : passed) }));
    await push();
    const pipeline = (await world.store.read.pipelines.list(world.pipelines.project.id, { limit: 1 })).items[0]!;
    await world.pipelines.until(pipeline);
    await world.pipelines.feature.settled();
    await world.feature.settled();
    const messages = receiver.received.map(({ body }) => JSON.parse(body) as WebhookMessage);
    expect(messages.map(({ type }) => type).toSorted()).toEqual([
      'pipeline.finished',
      'pipeline.started',
      'step.failed',
      'workflow.finished',
    ]);
    for (const { type, data } of messages) expect(webhookPayloads[type].parse(data), type).toEqual(data);
    const ended = messages.find(({ type }) => type === 'pipeline.finished');
    expect(ended?.data).toMatchObject({
      pipeline: { number: pipeline.number, url: expect.stringContaining('/pipelines/1') },
    });
  });

  it('is sent a header of its own, whose value nobody can read again', async () => {
    const created = await world.call('createWebhook', {
      params: world.path,
      body: { url, events: ['push'], isEnabled: true, header: { name: 'X-Team', value: 'canary-1f9' } },
    });
    expect(created.secret).toMatch(/^whsec_/);
    await push();
    expect(receiver.received[0]!.headers['x-team']).toBe('canary-1f9');
    const shown = JSON.stringify([
      await world.call('listWebhooks', { params: world.path }),
      await world.deliveries(created.id),
      await world.store.read.audit.list({ limit: 50 }),
      world.lines,
    ]);
    expect(shown).not.toContain('canary-1f9');
    expect(shown).not.toContain(created.secret);
  });

  it('is tried again with the same id until it is taken', async () => {
    receiver.reactions = [500, 503, 200];
    const { id } = await world.webhook(url);
    await push();
    expect(await world.deliveries(id)).toMatchObject([
      { status: 'waiting', tries: 1, responseStatus: 500, problem: 'The receiver answered 500.' },
    ]);
    expect((await world.call('listWebhooks', { params: world.path })).items[0]!.failingSince).not.toBeNull();
    await world.clock.advanceBy(5_000);
    await world.feature.settled();
    await world.clock.advanceBy(300_000);
    await world.feature.settled();
    expect(await world.deliveries(id)).toMatchObject([{ status: 'delivered', tries: 3, problem: null }]);
    expect(new Set(receiver.received.map(({ headers }) => headers['webhook-id'])).size).toBe(1);
    expect(new Set(receiver.received.map(({ headers }) => headers['webhook-timestamp'])).size).toBe(3);
    expect((await world.call('listWebhooks', { params: world.path })).items[0]!.failingSince).toBeNull();
  });

  it('is waited for as long as it asks, and not longer than a day', async () => {
    receiver.reactions = [
      (response) => void response.writeHead(429, { 'Retry-After': '120' }).end(),
      (response) => void response.writeHead(503, { 'Retry-After': '99999999' }).end(),
    ];
    const { id } = await world.webhook(url);
    await push();
    const untilMs = async (): Promise<number> =>
      Date.parse((await world.deliveries(id))[0]!.nextAt!) - world.clock.now().getTime();
    expect(await untilMs()).toBe(120_000);
    await world.clock.advanceBy(120_000);
    await world.feature.settled();
    expect(await untilMs()).toBe(hours(24));
  });

  it('has ten tries, and can be sent by hand after them', async () => {
    receiver.reactions = [500];
    const { id } = await world.webhook(url);
    await push();
    for (let tries = 1; tries < 10; tries += 1) {
      await world.clock.advanceBy(hours(24));
      await world.feature.settled();
    }
    const [delivery] = await world.deliveries(id);
    expect(delivery).toMatchObject({ status: 'failed', tries: 10, nextAt: null });
    receiver.reactions = [204];
    await world.call('redeliverWebhook', { params: { ...world.path, webhook: id, delivery: delivery!.id } });
    await world.feature.settled();
    expect(await world.deliveries(id)).toMatchObject([
      { status: 'delivered', tries: 1, messageId: delivery!.messageId },
    ]);
    expect(receiver.received.at(-1)!.headers['webhook-id']).toBe(delivery!.messageId);
  });

  it('is switched off when its receiver says that it is gone, with the reason on record', async () => {
    receiver.reactions = [410];
    const { id } = await world.webhook(url);
    await push();
    expect((await world.call('listWebhooks', { params: world.path })).items).toMatchObject([
      { isEnabled: false, disabledReason: 'gone' },
    ]);
    await push();
    expect(await world.deliveries(id)).toMatchObject([{ status: 'failed', tries: 1, responseStatus: 410 }]);
    const [entry] = await world.store.read.audit.list({ limit: 1, action: 'webhook:disable' });
    expect(entry).toMatchObject({ actor: 'system', subject: 'mei/shop', details: { webhook: id, reason: 'gone' } });

    receiver.reactions = [200];
    await world.call('updateWebhook', { params: { ...world.path, webhook: id }, body: { isEnabled: true } });
    await push();
    // What happened while it was off is not told.
    expect((await world.deliveries(id)).map(({ status }) => status)).toEqual(['delivered', 'failed']);
  });

  it('is switched off after five days without a success', async () => {
    receiver.reactions = [500];
    const { id } = await world.webhook(url);
    for (let day = 0; day <= 5; day += 1) {
      await push();
      await world.clock.advanceBy(hours(24));
      await world.feature.settled();
    }
    expect((await world.call('listWebhooks', { params: world.path })).items).toMatchObject([
      { isEnabled: false, disabledReason: 'failing' },
    ]);
    const rest = await world.deliveries(id);
    expect(rest.filter(({ status }) => status === 'waiting')).toEqual([]);
    expect(rest.some(({ problem }) => problem?.startsWith('Not sent any more'))).toBe(true);
  });

  it('does not follow a redirect to this host', async () => {
    const inside = new WebhookReceiver();
    const insideUrl = await inside.start();
    receiver.reactions = [(response) => void response.writeHead(302, { Location: insideUrl }).end()];
    const { id } = await world.webhook(url);
    await push();
    expect(await world.deliveries(id)).toMatchObject([
      {
        status: 'waiting',
        responseStatus: 302,
        problem: 'The receiver answered 302, a redirect, which is not followed.',
      },
    ]);
    expect(inside.received).toEqual([]);
    await inside.stop();
  });

  it('keeps the first 4 KiB of an answer, and does not read on', async () => {
    receiver.reactions = [
      (response) => {
        response.writeHead(500);
        const more = (): void => {
          while (!response.destroyed && response.write('x'.repeat(65_536)));
        };
        response.on('drain', more).on('error', () => undefined);
        more();
      },
    ];
    const { id } = await world.webhook(url);
    await push();
    const delivery = (await world.deliveries(id))[0]!.id;
    const detail = await world.call('getWebhookDelivery', { params: { ...world.path, webhook: id, delivery } });
    expect(detail.response).toBe('x'.repeat(4_096));
    expect(JSON.parse(detail.request)).toMatchObject({ type: 'push' });
  });

  it('is not told what happened before it was made, or of other projects', async () => {
    await push();
    const { id } = await world.webhook(url);
    const other = await world.pipelines.addProject('other', 'kind: pipeline\nname: x\nsteps: []\n');
    await world.pipelines.push({ project: other });
    await world.pipelines.feature.settled();
    await world.feature.settled();
    expect(await world.deliveries(id)).toEqual([]);
  });

  it('is told what happened in the very commit that made it, and after it', async () => {
    const { store, clock, pipelines } = world;
    const { event } = await store.write(({ events }) =>
      events.create({
        projectId: pipelines.project.id,
        kind: 'push',
        key: 'push:early',
        ref: 'refs/heads/main',
        before: '0'.repeat(40),
        after: 'c'.repeat(40),
        personName: 'mei',
        parameters: {},
        createdAt: clock.now(),
      }),
    );
    const id = await store.write(async ({ webhooks, happenings }) => {
      const made = await webhooks.reserve({
        holder: { kind: 'project', id: pipelines.project.id },
        url,
        events: ['push'],
        isEnabled: true,
        sinceSequence: await happenings.lastSequence(),
        createdAt: clock.now(),
        createdBy: 'mei',
      });
      const bytes = Buffer.alloc(32);
      await webhooks.setSealed(made, { keyId: 'another', wrappedKey: bytes, nonce: bytes, ciphertext: bytes });
      const { projectId, id: eventId, ref, after } = event;
      await happenings.append([{ type: 'push-received', projectId, eventId, ref, after }], clock.now());
      return made;
    });
    await world.webhook(url);
    await world.feature.settled();
    const [told, ...others] = await world.deliveries(id);
    expect(others).toEqual([]);
    // Its secret was sealed with another key: that is said, and tried again.
    expect(told).toMatchObject({ event: 'push', status: 'waiting', problem: expect.stringContaining('key file') });
  });

  it('can be tested, also while it is off, with one try', async () => {
    receiver.reactions = [500];
    const { id } = await world.webhook(url);
    await world.call('updateWebhook', { params: { ...world.path, webhook: id }, body: { isEnabled: false } });
    await world.call('testWebhook', { params: { ...world.path, webhook: id } });
    await world.feature.settled();
    expect(await world.deliveries(id)).toMatchObject([{ event: 'ping', status: 'failed', tries: 1, nextAt: null }]);
    expect(JSON.parse(receiver.received[0]!.body)).toMatchObject({ type: 'ping', data: { webhook: id } });
  });

  it('signs with a new secret from the moment it has one', async () => {
    const { id, secret } = await world.webhook(url);
    const renewed = await world.call('updateWebhook', {
      params: { ...world.path, webhook: id },
      body: { renewSecret: true },
    });
    await push();
    expect(renewed.secret).not.toBe(secret);
    expect(await isSignedAsSpecified(renewed.secret!, receiver.received[0]!)).toBe(true);
    expect(await isSignedAsSpecified(secret!, receiver.received[0]!)).toBe(false);
  });

  it.each([
    ['ftp://example.org/', 'begins neither'],
    ['https://user:pass@example.org/', 'name or password'],
    ['http://0x7f.1/', '127.0.0.1 is not a public address'],
    ['http://169.254.169.254/latest', 'not a public address'],
    ['http://[::ffff:a9fe:a9fe]/', 'not a public address'],
    ['hello', 'no address'],
  ])('cannot be made for %s', async (address, why) => {
    const strict = await WebhooksWorld.create({ guard: new AddressGuard() });
    await expect(strict.webhook(address)).rejects.toMatchObject({
      code: 'WEBHOOK_INVALID',
      message: expect.stringContaining(why),
    });
    await strict.close();
  });

  it.each([
    ['Host', 'x'],
    ['webhook-signature', 'v1,x'],
    ['Content-Length', '3'],
    ['X-Ok', 'a\r\nX-Evil: b'],
    ['X Evil', 'a'],
  ])('cannot have the header %s', async (name, value) => {
    const body = { url, events: ['push' as const], isEnabled: true, header: { name, value } };
    await expect(world.call('createWebhook', { params: world.path, body })).rejects.toMatchObject({
      code: 'WEBHOOK_INVALID',
    });
  });

  it('of somebody else is not there', async () => {
    const { id } = await world.webhook(url);
    const { name } = await world.pipelines.addProject('other', '');
    const params = { owner: world.path.owner, project: name, webhook: id };
    await expect(world.call('removeWebhook', { params })).rejects.toMatchObject({ code: 'WEBHOOK_NOT_FOUND' });
    expect((await world.call('listWebhooks', { params: world.path })).items).toHaveLength(1);
  });

  it('is one of at most twenty of a project', async () => {
    for (let i = 0; i < 20; i += 1) await world.webhook(url);
    await expect(world.webhook(url)).rejects.toMatchObject({ code: 'WEBHOOK_LIMIT' });
  });
});

describe('a webhook of an organisation', () => {
  it('is told of all its projects, and of no other', async () => {
    const { store, clock, person } = world.pipelines;
    const organisation = await store.write(async ({ organisations }) => {
      const made = await organisations.create({ name: 'team', displayName: '', createdAt: clock.now() });
      await organisations.setRole(made.id, person.id, 'owner');
      return made;
    });
    const theirs = await createProject(store, organisation.id, 'api');
    world.pipelines.files.set(theirs.id, {});
    const { id } = await world.call('createOrganisationWebhook', {
      params: { owner: 'team' },
      body: { url, events: ['push'], isEnabled: true },
    });
    await push();
    await world.pipelines.push({ project: theirs });
    await world.pipelines.feature.settled();
    await world.feature.settled();
    expect(receiver.received.map(({ body }) => (JSON.parse(body) as WebhookMessage).data)).toMatchObject([
      { project: { slug: 'team/api' } },
    ]);
    const params = { owner: 'team', webhook: id };
    const query = { limit: 10, after: undefined };
    expect((await world.call('listOrganisationWebhookDeliveries', { params, query })).items).toHaveLength(1);
    await expect(
      world.call('listWebhookDeliveries', { params: { ...world.path, webhook: id }, query }),
    ).rejects.toMatchObject({ code: 'WEBHOOK_NOT_FOUND' });
  });
});

describe('deliveries', () => {
  it('of a receiver that hangs end in time and do not hold up the others', async () => {
    await world.close();
    world = await WebhooksWorld.create({ timeoutMs: 3_000 });
    const hanging = new WebhookReceiver();
    const hangingUrl = await hanging.start();
    hanging.reactions = [() => undefined];
    const stuck = await world.webhook(hangingUrl);
    const quick = await world.webhook(url);
    await push();
    expect(await world.deliveries(quick.id)).toMatchObject([{ status: 'delivered' }]);
    expect(await world.deliveries(stuck.id)).toMatchObject([
      { status: 'waiting', tries: 1, responseStatus: null, problem: expect.stringContaining('did not answer in time') },
    ]);
    await hanging.stop();
  });

  it('go nowhere when a name leads to this host, whatever else it leads to', async () => {
    await world.close();
    const names: Record<string, readonly string[]> = {
      'inside.example.org': ['10.1.2.3'],
      'mixed.example.org': ['93.184.215.14', '127.0.0.1'],
      'meta.example.org': ['169.254.169.254'],
    };
    world = await WebhooksWorld.create({
      guard: new AddressGuard(['192.168.7.0/24', '169.254.0.0/16']),
      resolve: async (name) => names[name] ?? [],
    });
    const { port } = new URL(url);
    for (const name of Object.keys(names)) {
      const { id } = await world.webhook(`http://${name}:${port}/`);
      await push();
      const [delivery] = await world.deliveries(id);
      expect(delivery).toMatchObject({ status: 'waiting', responseStatus: null });
      expect(delivery!.problem).toContain('not a public');
      await world.call('removeWebhook', { params: { ...world.path, webhook: id } });
    }
    expect(receiver.received).toEqual([]);
  });

  it('connect to the address that was judged, under the name that was asked for', async () => {
    await world.close();
    let asked = 0;
    world = await WebhooksWorld.create({
      resolve: async () => {
        asked += 1;
        // Somebody who gives another answer the second time finds that there is no second time.
        return asked === 1 ? ['127.0.0.1'] : ['10.0.0.1'];
      },
    });
    const { port } = new URL(url);
    const { id } = await world.webhook(`http://rebinding.example.org:${port}/`);
    await push();
    expect(await world.deliveries(id)).toMatchObject([{ status: 'delivered' }]);
    expect(receiver.received[0]!.headers.host).toBe(`rebinding.example.org:${port}`);
    expect(asked).toBe(1);
  });

  it('that wait are sent by the next server, each with its id', async () => {
    receiver.reactions = [500];
    const { id } = await world.webhook(url);
    await push();
    receiver.reactions = [200];
    await world.feature.stop();
    await world.pipelines.push();
    await world.pipelines.feature.settled();
    await world.clock.advanceBy(60_000);
    await world.restart();
    await world.feature.settled();
    const all = await world.deliveries(id);
    expect(all.map(({ status }) => status)).toEqual(['delivered', 'delivered']);
    expect(receiver.received[0]!.headers['webhook-id']).toBe(all[1]!.messageId);
    expect(receiver.received.filter(({ headers }) => headers['webhook-id'] === all[0]!.messageId)).toHaveLength(1);
  });

  it('beyond the newest thousand, and those of two weeks ago, are forgotten', async () => {
    const { id } = await world.webhook(url);
    await push();
    const at = world.clock.now();
    await world.store.write(async ({ webhooks }) => {
      for (let i = 0; i < 1_010; i += 1)
        await webhooks.enqueue({
          webhookId: id,
          messageId: `msg_${i}`,
          event: 'push',
          body: '{}',
          createdAt: at,
          refusedAs: 'queue-full',
        });
    });
    await world.feature.tidy();
    const count = async (): Promise<number> => {
      let found = 0;
      for (let after: string | undefined; ; ) {
        const page = await world.store.read.webhooks.listDeliveries(id, { limit: 100, after });
        found += page.items.length;
        if (page.next === null) return found;
        after = page.next;
      }
    };
    expect(await count()).toBe(1_000);
    await world.clock.advanceBy(15 * hours(24));
    await world.feature.tidy();
    expect(await count()).toBe(0);
  });
});
