import { createHmac } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { WebhooksWorld } from '../../../test/support/webhooks-world.ts';
import type { OperationInput } from '../../api/operations.ts';
import type { IncomingAnswer } from '../../api/webhooks.ts';
import { isBodyPath, parametersFrom } from './body-path.ts';

let world: WebhooksWorld;
beforeEach(async () => {
  world = await WebhooksWorld.create();
});
afterEach(() => world.close());

const address = '/hooks/mei/shop/deploy';

type NewHook = OperationInput<'createIncomingWebhook'>['body'];

async function create(more: Partial<NewHook> = {}): Promise<string> {
  const body: NewHook = {
    name: 'deploy',
    branch: 'main',
    proof: 'signature',
    parameters: {},
    isEnabled: true,
    ...more,
  };
  return (await world.call('createIncomingWebhook', { params: world.path, body })).secret!;
}

interface Sending {
  readonly id?: string;
  readonly body?: string;
  /** Seconds that the sender's clock is off. */
  readonly offSeconds?: number;
  readonly path?: string;
  readonly headers?: Record<string, string>;
}

interface SignedRequest {
  readonly method: 'POST';
  readonly body: string;
  readonly headers: Record<string, string>;
}

/** A request as a sender of Standard Webhooks makes it. */
function signed(secret: string, { id = 'msg_1', body = '{}', offSeconds = 0, headers = {} }: Sending): SignedRequest {
  const timestamp = String(Math.floor(world.clock.now().getTime() / 1_000) + offSeconds);
  const key = Buffer.from(secret.slice('whsec_'.length), 'base64');
  const signature = createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64');
  return {
    method: 'POST',
    body,
    headers: {
      'webhook-id': id,
      'webhook-timestamp': timestamp,
      'webhook-signature': `v1,${signature}`,
      ...headers,
    },
  };
}

async function send(secret: string, sending: Sending = {}): Promise<Response> {
  return world.incoming().request(sending.path ?? address, signed(secret, sending));
}

const answerOf = async (response: Response): Promise<IncomingAnswer> => (await response.json()) as IncomingAnswer;
const codeOf = async (response: Response): Promise<string> => ((await response.json()) as { code: string }).code;
const pipelines = async () => (await world.store.read.pipelines.list(world.pipelines.project.id, { limit: 100 })).items;

describe('an incoming webhook', () => {
  it('starts a pipeline on its branch with parameters from the body, and the trace says which one it was', async () => {
    const secret = await create({ parameters: { VERSION: '$.release.tag', COUNT: '$.items[1].n', OFF: '$.missing' } });
    const body = JSON.stringify({ release: { tag: 'v1.2.3' }, items: [{ n: 1 }, { n: 2 }] });
    const response = await send(secret, { body });
    expect(response.status).toBe(202);
    const answer = await answerOf(response);
    expect(answer).toEqual({ event: expect.any(Number), pipeline: 1, isNew: true });
    expect(await pipelines()).toMatchObject([
      {
        number: 1,
        event: 'manual',
        branch: 'main',
        personName: 'webhook deploy',
        parameters: { VERSION: 'v1.2.3', COUNT: '2' },
      },
    ]);
    const trace = await world.store.read.events.trace(answer.event);
    expect(trace[0]).toMatchObject({ rule: 'event.webhook', values: { webhook: 'deploy' } });
    const [hook] = (await world.call('listIncomingWebhooks', { params: world.path })).items;
    expect(hook).toMatchObject({ url: 'http://gantry.test/hooks/mei/shop/deploy', lastAcceptedAt: expect.any(String) });
  });

  it('starts one pipeline however often the same request comes, also all at once', async () => {
    const secret = await create();
    const app = world.incoming();
    const responses = await Promise.all(
      Array.from({ length: 100 }, async () => app.request(address, signed(secret, {}))),
    );
    expect(new Set(responses.map(({ status }) => status))).toEqual(new Set([202]));
    const answers = await Promise.all(responses.map(answerOf));
    expect(answers.filter(({ isNew }) => isNew)).toHaveLength(1);
    expect(new Set(answers.map(({ pipeline }) => pipeline))).toEqual(new Set([1]));
    expect(await pipelines()).toHaveLength(1);
    await world.clock.advanceBy(240_000);
    expect(await answerOf(await send(secret))).toMatchObject({ pipeline: 1, isNew: false });
    expect(await answerOf(await send(secret, { id: 'msg_2' }))).toMatchObject({ pipeline: 2, isNew: true });
  });

  it.each<[string, (request: SignedRequest) => SignedRequest]>([
    ['an altered body', (request) => ({ ...request, body: '{"a":1}' })],
    ['another id', (request) => ({ ...request, headers: { ...request.headers, 'webhook-id': 'msg_9' } })],
    ['another time', (request) => ({ ...request, headers: { ...request.headers, 'webhook-timestamp': '1767225601' } })],
    [
      'a time that is no number',
      (request) => ({ ...request, headers: { ...request.headers, 'webhook-timestamp': '1e9' } }),
    ],
    ['no signature', (request) => ({ ...request, headers: { ...request.headers, 'webhook-signature': '' } })],
    [
      'a half signature',
      (request) => ({ ...request, headers: { ...request.headers, 'webhook-signature': 'v1,AAAA' } }),
    ],
    [
      'another algorithm',
      (request) => ({
        ...request,
        headers: {
          ...request.headers,
          'webhook-signature': request.headers['webhook-signature']!.replace('v1,', 'v1a,'),
        },
      }),
    ],
    [
      'the token where signatures are asked for',
      (request) => ({ ...request, headers: { 'x-gantry-token': 'whsec_x' } }),
    ],
  ])('refuses %s, and starts nothing', async (_, forge) => {
    const secret = await create();
    const request = signed(secret, {});
    const response = await world.incoming().request(address, forge(request));
    expect(response.status).toBe(401);
    expect(await codeOf(response)).toBe('WEBHOOK_REFUSED');
    expect(await pipelines()).toEqual([]);
  });

  it('takes one right signature among several, as while a secret is replaced', async () => {
    const secret = await create();
    const request = signed(secret, {});
    request.headers['webhook-signature'] = `v1,${'A'.repeat(43)}= v2,x ${request.headers['webhook-signature']}`;
    expect((await world.incoming().request(address, request)).status).toBe(202);
  });

  it.each([-301, 301])(
    'refuses a request that is %s s from the present time, though it is signed',
    async (offSeconds) => {
      const secret = await create();
      const response = await send(secret, { offSeconds });
      expect(response.status).toBe(401);
      expect(((await response.json()) as { detail: string }).detail).toContain('301 s from the present time');
      expect((await send(secret, { offSeconds: Math.sign(offSeconds) * 299 })).status).toBe(202);
    },
  );

  it('answers the same where there is none, and where the secret is wrong', async () => {
    await create();
    const wrong = `whsec_${Buffer.alloc(32).toString('base64')}`;
    const [none, other, forged] = await Promise.all([
      send(wrong, { path: '/hooks/mei/shop/none' }),
      send(wrong, { path: '/hooks/nobody/nothing/deploy' }),
      send(wrong),
    ]);
    const text = await forged.text();
    expect(await none.text()).toBe(text);
    expect(await other.text()).toBe(text);
  });

  it('refuses a body of more than 1 MiB before it judges it', async () => {
    const secret = await create();
    const response = await send(secret, { body: 'x'.repeat(1024 * 1024 + 1) });
    expect(response.status).toBe(413);
    // Told no length, it counts.
    const endless = new ReadableStream({ pull: (controller) => controller.enqueue(new Uint8Array(65_536)) });
    const streamed = await world
      .incoming()
      .request(address, { method: 'POST', body: endless, duplex: 'half' } as never);
    expect(streamed.status).toBe(413);
  });

  it('with a token takes senders that cannot sign, each request once where it has an id', async () => {
    const token = await create({ proof: 'token' });
    const app = world.incoming();
    const post = (headers: Record<string, string>) =>
      app.request(address, { method: 'POST', body: 'no json', headers });
    expect((await post({})).status).toBe(401);
    expect((await post({ 'x-gantry-token': `${token}x` })).status).toBe(401);
    expect((await send(token)).status).toBe(401);
    const headers = { 'x-gantry-token': token };
    expect(await answerOf(await post(headers))).toMatchObject({ pipeline: 1, isNew: true });
    expect(await answerOf(await post(headers))).toMatchObject({ pipeline: 2, isNew: true });
    expect(await answerOf(await post({ ...headers, 'webhook-id': 'a' }))).toMatchObject({ pipeline: 3, isNew: true });
    expect(await answerOf(await post({ ...headers, 'webhook-id': 'a' }))).toMatchObject({ pipeline: 3, isNew: false });
  });

  it('stops to take the secret before once it has a new one', async () => {
    const secret = await create();
    const params = { ...world.path, name: 'deploy' };
    const renewed = await world.call('updateIncomingWebhook', { params, body: { renewSecret: true } });
    expect((await send(secret)).status).toBe(401);
    expect((await send(renewed.secret!)).status).toBe(202);
  });

  it('says why it starts nothing: switched off, a branch that is gone, a body that does not fit', async () => {
    const secret = await create({ parameters: { VERSION: '$.tag' } });
    const params = { ...world.path, name: 'deploy' };
    expect(await codeOf(await send(secret, { body: 'no json' }))).toBe('REQUEST_INVALID');
    const unfit = await send(secret, { body: '{"tag": {"a": 1}}' });
    expect(((await unfit.json()) as { detail: string }).detail).toContain('$.tag, which is to be VERSION');
    await world.call('updateIncomingWebhook', { params, body: { isEnabled: false } });
    expect(await codeOf(await send(secret))).toBe('WEBHOOK_DISABLED');
    await expect(world.call('updateIncomingWebhook', { params, body: { branch: 'gone' } })).rejects.toMatchObject({
      code: 'REF_NOT_FOUND',
    });
    expect(await pipelines()).toEqual([]);
  });

  it('starts no more than a bucket of them in a short time', async () => {
    const secret = await create();
    const statuses: number[] = [];
    for (let i = 0; i < 125; i += 1) statuses.push((await send(secret, { id: `msg_${i}` })).status);
    expect(statuses.filter((status) => status === 202)).toHaveLength(120);
    expect(statuses.filter((status) => status === 429)).toHaveLength(5);
    // What was taken is still answered.
    expect((await send(secret, { id: 'msg_1' })).status).toBe(202);
  });

  it('has a name of its own, and keeps its secret to itself', async () => {
    const secret = await create();
    await expect(create({ name: 'DEPLOY' })).rejects.toMatchObject({ code: 'WEBHOOK_EXISTS' });
    await expect(create({ name: 'x', parameters: { A: 'tag' } })).rejects.toMatchObject({ code: 'WEBHOOK_INVALID' });
    await send(secret);
    const shown = JSON.stringify([
      await world.call('listIncomingWebhooks', { params: world.path }),
      await world.store.read.audit.list({ limit: 50 }),
      world.lines,
    ]);
    expect(shown).not.toContain(secret);
    const params = { ...world.path, name: 'deploy' };
    await world.call('removeIncomingWebhook', { params });
    await expect(world.call('removeIncomingWebhook', { params })).rejects.toMatchObject({ code: 'WEBHOOK_NOT_FOUND' });
    expect((await send(secret)).status).toBe(401);
  });
});

describe('paths into a body', () => {
  it.each(['$', '$.a', '$.a.b-c_d', '$.a[0].b', '$["ref name"].x', '$[12]'])('may be %s', (path) => {
    expect(isBodyPath(path)).toBe(true);
  });
  it.each(['', 'a', '.a', '$..a', '$.a[*]', '$.a[-1]', '$a', `$${'.a'.repeat(21)}`, '$.a b'])(
    'may not be "%s"',
    (path) => {
      expect(isBodyPath(path)).toBe(false);
    },
  );

  it('find texts, numbers and flags, and nothing that the body does not hold itself', () => {
    const body = Buffer.from(JSON.stringify({ a: { 'b c': [10, 'x'] }, yes: true, none: null }));
    const paths = {
      A: '$.a["b c"][0]',
      B: '$.a["b c"][1]',
      C: '$.yes',
      D: '$.none',
      E: '$.constructor.name',
      F: '$.a.length',
    };
    expect(parametersFrom(body, paths)).toEqual({ A: '10', B: 'x', C: 'true' });
  });

  it('do not trip over bodies made to trip', () => {
    const deep = Buffer.from('['.repeat(400_000));
    for (const body of [deep, Buffer.from([0xff, 0xfe]), Buffer.from('{"__proto__": {"a": 1}'), Buffer.alloc(0)])
      expect(() => parametersFrom(body, { A: '$.a' })).toThrow(/the body is not JSON/);
    const proto = Buffer.from('{"__proto__": {"a": "mine"}}');
    expect(parametersFrom(proto, { A: '$.a', B: '$.__proto__.a' })).toEqual({ B: 'mine' });
    expect(() => parametersFrom(Buffer.from(JSON.stringify({ a: 'x'.repeat(9_000) })), { A: '$.a' })).toThrow(/8192/);
  });
});
