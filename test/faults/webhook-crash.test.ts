import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { failpoints } from '../../src/core/failpoints.ts';
import { GantryProcess } from '../support/gantry-process.ts';
import { type MissingPostgres, startPostgres, type TestPostgres } from '../support/postgres.ts';
import { isSignedAsSpecified, WebhookReceiver } from '../support/webhook-receiver.ts';

const file = `kind: pipeline
name: default
steps:
  - name: build
    image: base/busybox
    commands: [echo built]
`;

const postgres = await startPostgres();
afterAll(() => ('stop' in postgres ? postgres.stop() : undefined));

describe.each(['SQLite', 'PostgreSQL'])('a server that is killed while it tells a webhook (%s)', (database) => {
  const missing = database === 'PostgreSQL' ? (postgres as Partial<MissingPostgres>).missing : undefined;
  const params = { owner: 'admin', project: 'shop' };
  const receiver = new WebhookReceiver();
  let gantry: GantryProcess;
  let secret: string;
  let webhook: number;
  let pushes = 0;

  beforeAll(async () => {
    if (missing) return;
    const settings =
      database === 'PostgreSQL' ? { DATABASE_URL: await (postgres as TestPostgres).createDatabase() } : {};
    const [url, started] = await Promise.all([
      receiver.start(),
      GantryProcess.start({ settings: { ...settings, GANTRY_WEBHOOK_ALLOW: '127.0.0.1' } }),
    ]);
    gantry = started;
    await gantry.createProject('shop');
    const made = await gantry.client('createWebhook', { params, body: { url, events: ['push'] } });
    secret = made.secret!;
    webhook = made.id;
  });
  afterAll(async () => {
    await gantry?.dispose();
    if (!missing) await receiver.stop();
  });

  it.skipIf(missing !== undefined).each([
    { at: 'webhook.beforeEnqueue', tries: 1 },
    { at: 'webhook.afterEnqueue', tries: 1 },
    // It had arrived, and nobody could write that down: it comes once more, under the same id.
    { at: 'webhook.afterSend', tries: 2 },
  ])('at $at tells it once it is back, and no push twice under two ids', async ({ at, tries }) => {
    expect(failpoints).toContain(at);
    await gantry.signalServer('SIGKILL');
    await gantry.startServer(`${at}=kill`);
    const before = receiver.received.length;
    // Whether the client still hears of it is another matter: the push is on record.
    await gantry.push('shop', { '.gantry.yml': file, count: String((pushes += 1)) }).catch(() => undefined);
    await gantry.serverEnded();
    expect(gantry.lastExit.signal).toBe('SIGKILL');
    await gantry.startServer();
    const deadline = performance.now() + 30_000;
    const isSettled = async (): Promise<boolean> => {
      const { items } = await gantry.client('listWebhookDeliveries', { params: { ...params, webhook } });
      return items.length === pushes && items.every(({ status }) => status === 'delivered');
    };
    while (!(await isSettled()) && performance.now() < deadline) await gantry.pause();
    expect(await isSettled()).toBe(true);

    const told = receiver.received.slice(before);
    expect(told).toHaveLength(tries);
    expect(new Set(told.map(({ headers }) => headers['webhook-id'])).size).toBe(1);
    for (const request of told) expect(await isSignedAsSpecified(secret, request)).toBe(true);
  });

  it.skipIf(missing !== undefined)(
    'starts one pipeline of an incoming webhook that is sent until it is answered',
    async () => {
      const hook = await gantry.client('createIncomingWebhook', { params, body: { name: 'deploy', proof: 'token' } });
      const send = async (): Promise<{ status: number; pipeline: number | null }> => {
        const response = await fetch(`${gantry.url}/hooks/admin/shop/deploy`, {
          method: 'POST',
          headers: { 'X-Gantry-Token': hook.secret!, 'webhook-id': 'msg_crash' },
          body: '{}',
        });
        return { status: response.status, ...((await response.json()) as { pipeline: number | null }) };
      };
      await gantry.signalServer('SIGKILL');
      await gantry.startServer('plan.beforeCommit=kill');
      await expect(send()).rejects.toThrow();
      await gantry.serverEnded();
      await gantry.startServer();
      const { status, pipeline } = await send();
      expect(status).toBe(202);
      const { items } = await gantry.client('listPipelines', { params });
      const started = items.filter(({ personName }) => personName === 'webhook deploy');
      expect(started.map(({ number }) => number)).toEqual([pipeline]);
      const why = await gantry.client('explainPipeline', { params: { ...params, number: pipeline! } });
      expect(why.items[0]!.sentence).toBe('Started by the incoming webhook "deploy".');
    },
  );
});
