import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { ApiError } from '../../src/api/client.ts';
import { GantryProcess } from '../support/gantry-process.ts';
import { allPipelines, dataIsWhole, everyLogIsWhole, everyPushHasOnePipeline } from '../support/nothing-lost.ts';
import { type MissingPostgres, startPostgres, type TestPostgres } from '../support/postgres.ts';

const file = `kind: pipeline
name: default
steps:
  - {name: build, image: base/busybox, commands: [echo built]}
  - {name: test, image: base/busybox, commands: [echo tested], environment: {STEP_SLEEP: 150ms}}
`;
const crashes = 20;
const params = { owner: 'admin', project: 'shop' };

const postgres = await startPostgres();
afterAll(() => ('stop' in postgres ? postgres.stop() : undefined));

describe.each(['SQLite', 'PostgreSQL'])('a server that comes and goes (%s)', (database) => {
  const missing = database === 'PostgreSQL' ? (postgres as Partial<MissingPostgres>).missing : undefined;
  let gantry: GantryProcess | undefined;
  let databaseUrl: string | undefined;
  afterEach(() => gantry?.dispose());

  async function start(): Promise<GantryProcess> {
    databaseUrl = database === 'PostgreSQL' ? await (postgres as TestPostgres).createDatabase() : undefined;
    gantry = await GantryProcess.start({ settings: databaseUrl ? { DATABASE_URL: databaseUrl } : {} });
    await gantry.createProject('shop');
    return gantry;
  }

  it.skipIf(missing)(`makes one pipeline of each push over ${crashes} crashes`, async () => {
    const made = await start();
    const acknowledged: string[] = [];
    let pushes = 0;
    const push = async (): Promise<void> => {
      const commit = await made
        .push('shop', { '.gantry.yml': file, count: String((pushes += 1)) })
        .catch(() => undefined);
      if (commit) acknowledged.push(commit);
    };
    const undisturbedMs = performance.now();
    await push();
    await made.finished('shop', 1);
    const beganMs = performance.now();
    // As long as the whole way of a push and its pipeline takes here.
    const wayMs = beganMs - undisturbedMs;
    for (let crash = 1; crash <= crashes; crash += 1) {
      const pushing = push();
      await sleep((wayMs * ((crash * 97) % 700)) / 700);
      await made.signalServer('SIGKILL');
      expect(made.lastExit.signal).toBe('SIGKILL');
      await pushing;
      await made.startServer();
    }
    expect(performance.now() - beganMs).toBeLessThan(120_000);
    await push();
    // The first was not disturbed.
    expect(acknowledged.length - 1).toBeGreaterThan(crashes / 4);
    const items = await everyPushHasOnePipeline(made, 'shop', acknowledged);
    expect(new Set(items.map(({ status }) => status))).toEqual(new Set(['passed']));
    await everyLogIsWhole(made, 'shop');
    await made.signalServer('SIGTERM');
    await dataIsWhole(made, databaseUrl);
  });

  it.skipIf(missing)('finishes what it has begun when it is asked to end under load', async () => {
    const made = await start();
    await made.push('shop', { '.gantry.yml': file });
    await made.finished('shop', 1);
    const { client } = made;
    const statuses = new Map<number | string, number>();
    const accepted: number[] = [];
    const keys = new Set<string>();
    let isOver = false;
    const note = (what: number | string): void => void statuses.set(what, (statuses.get(what) ?? 0) + 1);
    const ask = async (work: () => Promise<unknown>): Promise<void> => {
      while (!isOver) {
        try {
          await work();
          note(200);
        } catch (error) {
          if (error instanceof ApiError) note(error.problem.status);
          else {
            // It is gone, or hung up: nobody answered, so nobody promised anything.
            note('no answer');
            return;
          }
        }
        await sleep(5);
      }
    };
    const load = [
      ...Array.from({ length: 4 }, (_, i) =>
        ask(async () => {
          const idempotencyKey = `load-${i}-${keys.size}`;
          keys.add(idempotencyKey);
          accepted.push((await client('startPipeline', { params, body: {}, idempotencyKey })).number);
        }),
      ),
      ...Array.from({ length: 4 }, () => ask(() => client('listPipelines', { params }))),
    ];
    const stream = fetch(`${made.url}/api/v1/stream?topics=project:admin/shop`, {
      headers: { Authorization: `Bearer ${made.token}` },
    }).then((response) => response.text());
    const acknowledged: string[] = [];
    const pushing = (async () => {
      for (let count = 1; !isOver; count += 1) {
        const commit = await made.push('shop', { '.gantry.yml': file, count: String(count) }).catch(() => undefined);
        if (commit) acknowledged.push(commit);
        else return;
      }
    })();
    while (accepted.length < 30 || acknowledged.length < 1) await sleep(20);

    const askedMs = performance.now();
    await made.signalServer('SIGTERM');
    expect(performance.now() - askedMs).toBeLessThan(30_000);
    isOver = true;
    await Promise.all([...load, pushing]);
    expect(made.lastExit).toEqual({ code: 0, signal: null });
    expect([...statuses.keys()].filter((what) => what !== 200 && what !== 503 && what !== 'no answer')).toEqual([]);
    expect(statuses.get(200)).toBeGreaterThan(50);
    expect(await stream).toContain('"reason":"stopping"');

    await made.startServer();
    // Who got no answer asks again with the same key.
    const again = await Promise.all(
      [...keys].map((idempotencyKey) => made.client('startPipeline', { params, body: {}, idempotencyKey })),
    );
    const items = await everyPushHasOnePipeline(made, 'shop', acknowledged, 60_000);
    const numbers = new Set(again.map(({ number }) => number));
    expect(numbers.size).toBe(keys.size);
    expect(accepted.filter((number) => !numbers.has(number))).toEqual([]);
    expect(items.filter(({ event }) => event === 'manual')).toHaveLength(keys.size);
    expect(new Set(items.map(({ status }) => status))).toEqual(new Set(['passed']));
  });

  it.skipIf(missing)('starts one pipeline for a hundred equal requests, a crash in their midst', async () => {
    const made = await start();
    await made.push('shop', { '.gantry.yml': file });
    await made.finished('shop', 1);
    const equal = (): Promise<PromiseSettledResult<{ readonly number: number }>[]> =>
      Promise.allSettled(
        Array.from({ length: 100 }, () =>
          made.client('startPipeline', { params, body: {}, idempotencyKey: 'release-7' }),
        ),
      );
    await made.signalServer('SIGTERM');
    await made.startServer('plan.afterCommit=kill');
    expect((await equal()).filter(({ status }) => status === 'fulfilled')).toEqual([]);
    await made.serverEnded();
    expect(made.lastExit.signal).toBe('SIGKILL');
    await made.startServer();
    let answers = await equal();
    // While the first one is worked on, the others are told so: they ask again.
    const refused = (): string[] =>
      answers.flatMap((answer) => (answer.status === 'rejected' ? [(answer.reason as ApiError).problem.code] : []));
    for (let i = 0; i < 50 && refused().length > 0; i += 1) {
      expect(new Set(refused())).toEqual(new Set(['IDEMPOTENCY_IN_FLIGHT']));
      answers = await equal();
    }
    expect(refused()).toEqual([]);
    const numbers = answers.map((answer) => (answer as PromiseFulfilledResult<{ number: number }>).value.number);
    expect(new Set(numbers)).toEqual(new Set([2]));
    const items = await everyPushHasOnePipeline(made, 'shop', []);
    expect(items.map(({ number, event }) => `${number} ${event}`)).toEqual(['2 manual', '1 push']);
  });

  it.skipIf(missing)('refuses a push while it restarts, or keeps its event', async () => {
    const made = await start();
    await made.push('shop', { '.gantry.yml': file });
    const acknowledged: string[] = [];
    const refused: string[] = [];
    let isOver = false;
    const pushing = (async () => {
      for (let count = 1; !isOver; count += 1) {
        const ref = `branch-${count}`;
        await made.push('shop', { '.gantry.yml': file, count: String(count) }, ref).then(
          (commit) => acknowledged.push(`${ref} ${commit}`),
          () => refused.push(ref),
        );
      }
    })();
    for (const [round, signal] of (['SIGTERM', 'SIGKILL', 'SIGTERM', 'SIGKILL'] as const).entries()) {
      await sleep(300 + round * 110);
      await made.signalServer(signal);
      await sleep(100);
      await made.startServer();
    }
    isOver = true;
    await pushing;
    expect(refused.length).toBeGreaterThan(0);
    expect(acknowledged.length).toBeGreaterThan(0);
    const commits = acknowledged.map((push) => push.split(' ')[1]!);
    await everyPushHasOnePipeline(made, 'shop', commits);
    // Not acknowledged and there all the same: then its event is there as well, at the latest by the next reconciliation.
    const silent = async (): Promise<readonly string[]> => {
      const items = await allPipelines(made, 'shop');
      const { items: refs } = await made.client('listRefs', { params });
      return refs
        .filter(({ name, commit }) => !items.some((item) => item.branch === name && item.commit === commit))
        .map(({ name }) => name);
    };
    await expect.poll(silent, { timeout: 30_000, interval: 500 }).toEqual([]);
    await everyPushHasOnePipeline(made, 'shop', commits);
  });
});
