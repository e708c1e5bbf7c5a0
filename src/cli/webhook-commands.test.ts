import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Answer, type FixtureServer, runCommand, startFixture } from '../../test/support/cli-fixture.ts';
import type { DeliveryDetail, DeliveryView, IncomingWebhookView, WebhookView } from '../api/webhooks.ts';

const project = '/api/v1/projects/shop/web';
const inProject = ['--project', 'shop/web'];

const webhook: WebhookView = {
  id: 3,
  url: 'https://chat.example.org/hook',
  events: ['push', 'step.failed'],
  isEnabled: true,
  disabledReason: null,
  headerName: null,
  failingSince: null,
  createdAt: '2026-03-01T08:00:00.000Z',
  createdBy: 'mei',
};

const delivery: DeliveryView = {
  id: 7,
  messageId: 'msg_01',
  event: 'ping',
  status: 'waiting',
  tries: 0,
  nextAt: '2026-03-01T08:00:00.000Z',
  createdAt: '2026-03-01T08:00:00.000Z',
  triedAt: null,
  durationMs: null,
  responseStatus: null,
  problem: null,
};
const settled: DeliveryDetail = {
  ...delivery,
  status: 'delivered',
  tries: 1,
  nextAt: null,
  responseStatus: 204,
  durationMs: 12,
  request: '{"type":"ping"}',
  response: 'thanks \u001b[31m',
};

const incoming: IncomingWebhookView = {
  name: 'deploy',
  url: 'https://gantry.example.org/hooks/shop/web/deploy',
  branch: 'main',
  proof: 'token',
  parameters: { VERSION: '$.tag' },
  isEnabled: true,
  lastAcceptedAt: null,
  createdAt: '2026-03-01T08:00:00.000Z',
  createdBy: 'mei',
};

let server: FixtureServer | undefined;
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gantry-test-'));
});
afterEach(async () => {
  await server?.close();
  server = undefined;
  rmSync(folder, { recursive: true, force: true });
});

async function gantry(answers: Readonly<Record<string, Answer>>, words: readonly string[]) {
  server = await startFixture(answers);
  return runCommand(['webhook', ...words], {
    folder,
    environment: { GANTRY_URL: server.url, GANTRY_TOKEN: 'gty_test' },
  });
}

describe('gantry webhook', () => {
  it('update changes what is given, and prints a new secret alone', async () => {
    const answers = {
      [`PATCH ${project}/webhooks/3`]: () => ({ ...webhook, secret: null }),
      [`PATCH ${project}/incoming-webhooks/deploy`]: () => ({ ...incoming, secret: 'whsec_new' }),
    };
    const events = ['--event', 'push', '--event', 'tag'];
    const out = await gantry(answers, ['update', '3', ...events, '--disable', ...inProject]);
    expect([out.code, out.stdout, server?.requests.at(-1)?.body]).toEqual([
      0,
      '',
      { events: ['push', 'tag'], isEnabled: false },
    ]);
    const words = ['update', '--incoming', 'deploy', '--renew-secret', '--parameter', 'V=$.v'];
    const back = await gantry(answers, [...words, ...inProject]);
    expect([back.code, back.stdout, server?.requests.at(-1)?.body]).toEqual([
      0,
      'whsec_new\n',
      { renewSecret: true, parameters: { V: '$.v' } },
    ]);
  });

  it.each([
    [['3'], 'no option says what'],
    [['3', '--enable', '--disable'], 'both on and off'],
    [['3', '--branch', 'main'], '--branch'],
    [['--incoming', 'deploy', '--to', 'https://example.org'], '--to'],
    [['--incoming', 'deploy', '3', '--enable'], 'either an address or id'],
  ])('update refuses %j', async (words, why) => {
    const { code, stderr } = await gantry({}, ['update', ...words, ...inProject]);
    expect([code, server?.requests]).toEqual([2, []]);
    expect(stderr).toContain(why);
  });

  it('list shows each with its state, and those that come in', async () => {
    const items = [
      webhook,
      { ...webhook, id: 4, failingSince: webhook.createdAt },
      { ...webhook, id: 5, isEnabled: false, disabledReason: 'gone' },
    ];
    const listed = await gantry({ [`GET ${project}/webhooks`]: () => ({ items, next: null }) }, ['list', ...inProject]);
    expect(listed.stdout).toBe(
      ['3\ton', '4\tfailing', '5\toff: gone'].map((row) => `${row}\tpush step.failed\t${webhook.url}\n`).join(''),
    );
    await server?.close();
    const answers = { [`GET ${project}/incoming-webhooks`]: () => ({ items: [incoming], next: null }) };
    const came = await gantry(answers, ['list', '--incoming', ...inProject]);
    expect(came.stdout).toBe(`deploy\ton\tmain\t\t${incoming.url}\n`);
  });

  it('create answers with the secret alone, and takes an organisation too', async () => {
    const made = { ...webhook, secret: 'whsec_x' };
    const answers = { 'POST /api/v1/organisations/team/webhooks': () => made };
    const { code, stdout } = await gantry(answers, ['create', webhook.url, '--event', 'push', '--org', 'team']);
    expect([code, stdout]).toEqual([0, 'whsec_x\n']);
    expect(server?.requests[0]?.body).toEqual({ url: webhook.url, events: ['push'], isEnabled: true });
    expect(server?.requests[0]?.headers['idempotency-key']).toBeDefined();
  });

  it('create --incoming says where to send, and takes paths as parameters', async () => {
    const answers = { [`POST ${project}/incoming-webhooks`]: () => ({ ...incoming, secret: 'whsec_y' }) };
    const words = ['create', '--incoming', 'deploy', '--parameter', 'VERSION=$.tag', '--token', ...inProject];
    const { stdout, stderr } = await gantry(answers, words);
    expect(stdout).toBe('whsec_y\n');
    expect(stderr).toContain(`POST ${incoming.url} starts a pipeline on main`);
    expect(server?.requests[0]?.body).toEqual({ name: 'deploy', proof: 'token', parameters: { VERSION: '$.tag' } });
  });

  it.each([
    [['create']],
    [['create', 'https://x', '--incoming', 'y']],
    [['delete']],
    [['create', 'https://x', '--event', 'x']],
  ])('refuses %j without asking the server', async (words) => {
    const { code } = await gantry({}, [...words, ...inProject]);
    expect([code, server?.requests.length]).toEqual([2, 0]);
  });

  it('test waits for the answer', async () => {
    let asked = 0;
    const answers = {
      [`POST ${project}/webhooks/3/test`]: () => delivery,
      [`GET ${project}/webhooks/3/deliveries/7`]: () => ((asked += 1) < 2 ? { ...settled, ...delivery } : settled),
    };
    const { code, stderr } = await gantry(answers, ['test', '3', ...inProject]);
    expect([code, stderr]).toEqual([0, 'Delivered: the receiver answered 204 in 12 ms\n']);
  });

  it('redeliver ends with 5 when it failed, and says why', async () => {
    const failed = { ...settled, status: 'failed', problem: 'The receiver answered 500.' };
    const answers = {
      [`POST ${project}/webhooks/3/deliveries/7/redeliver`]: () => delivery,
      [`GET ${project}/webhooks/3/deliveries/7`]: () => failed,
    };
    const { code, stderr } = await gantry(answers, ['redeliver', '3', '7', ...inProject]);
    expect([code, stderr]).toEqual([5, 'The receiver answered 500.\n']);
  });

  it('deliveries lists them, and shows one without the control characters of its answer', async () => {
    const page = { items: [settled, { ...delivery, problem: 'The receiver answered 500.' }], next: 'abc' };
    const listed = await gantry({ [`GET ${project}/webhooks/3/deliveries`]: () => page }, [
      'deliveries',
      '3',
      ...inProject,
    ]);
    expect(listed.stdout.split('\n').slice(0, 2)).toEqual([
      `7\tdelivered\tping\t1\t${delivery.createdAt}\t204`,
      `7\twaiting\tping\t0\t${delivery.createdAt}\tThe receiver answered 500.`,
    ]);
    expect(listed.stderr).toContain('--after abc');
    await server?.close();
    const answers = { [`GET ${project}/webhooks/3/deliveries/7`]: () => settled };
    const shown = await gantry(answers, ['deliveries', '3', '--delivery', '7', ...inProject]);
    expect(shown.stdout.startsWith('{"type":"ping"}\nthanks ')).toBe(true);
    expect(shown.stdout).not.toContain('\u001b');
  });

  it('delete asks first, and says what is gone', async () => {
    const answers = {
      [`DELETE ${project}/webhooks/3`]: () => undefined,
      [`DELETE ${project}/incoming-webhooks/deploy`]: () => undefined,
    };
    expect((await gantry(answers, ['delete', '3', ...inProject])).code).toBe(2);
    await server?.close();
    expect((await gantry(answers, ['delete', '3', '--yes', ...inProject])).stderr).toBe(
      'Webhook 3 of shop/web removed\n',
    );
    await server?.close();
    expect((await gantry(answers, ['delete', '--incoming', 'deploy', '--yes', ...inProject])).code).toBe(0);
  });
});
