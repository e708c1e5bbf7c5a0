import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { failpoints } from '../../src/core/failpoints.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { silentLogger } from '../../src/lib/logger.ts';
import { openStore } from '../../src/store/open-store.ts';
import { GantryProcess } from '../support/gantry-process.ts';
import { type MissingPostgres, startPostgres, type TestPostgres } from '../support/postgres.ts';

const run = promisify(execFile);
const canary = 'canary-7f3a9c51e2';
const file = `kind: pipeline
name: default
steps:
  - name: build
    image: base/busybox
    commands: [echo built]
  - name: test
    image: base/busybox
    commands: [echo tested]
    environment: {TOKEN: {from_secret: token}}
`;

const postgres = await startPostgres();
afterAll(() => ('stop' in postgres ? postgres.stop() : undefined));

describe.each(['SQLite', 'PostgreSQL'])('a server that is killed (%s)', (database) => {
  const missing = database === 'PostgreSQL' ? (postgres as Partial<MissingPostgres>).missing : undefined;
  let gantry: GantryProcess;
  let databaseUrl: string | undefined;
  let pushes = 0;
  const acknowledged: string[] = [];

  beforeAll(async () => {
    if (missing) return;
    if (database === 'PostgreSQL') databaseUrl = await (postgres as TestPostgres).createDatabase();
    gantry = await GantryProcess.start({ settings: databaseUrl ? { DATABASE_URL: databaseUrl } : {} });
    await gantry.createProject('shop');
    await gantry.client('setSecret', {
      params: { owner: 'admin', project: 'shop', name: 'token' },
      body: { value: canary },
    });
  });
  afterAll(() => gantry?.dispose());

  // A transaction has no name of its own: some of the first ones of a start, and some in the middle of the work.
  const anywhere = [3, 8, 13, 17].flatMap((n) => [`commit.before=kill@${n}`, `commit.after=kill@${n}`]);
  // Those of webhooks have a test of their own, with somebody whom they are sent to; so have pull requests and artifacts.
  const isNamed = (name: string): boolean => !/^(?:commit|webhook|pullRequest|approval|artifact)\./.test(name);
  const named = failpoints.filter(isNamed).map((name) => `${name}=kill`);

  it.each([...named, ...anywhere])('loses nothing at %s', async (point) => {
    expect(failpoints).toContain(point.split('=')[0]);
    if (missing) return;
    await gantry.signalServer('SIGKILL');
    const hasStarted = await gantry.startServer(point).then(
      () => true,
      () => false,
    );
    if (hasStarted) {
      const commit = await gantry
        .push('shop', { '.gantry.yml': file, count: String((pushes += 1)) })
        .catch(() => undefined);
      if (commit) acknowledged.push(commit);
      const doomed = [
        gantry.client('createToken', { body: { name: point, scopes: ['code:read'] } }),
        gantry.client('setSecret', {
          params: { owner: 'admin', project: 'shop', name: 'token' },
          body: { value: canary },
        }),
      ];
      await Promise.allSettled(doomed);
      // How many commits the work takes is for the group commit to say: one more after the other, until it dies.
      for (let i = 0; i < 40 && gantry.isServing; i += 1)
        await gantry
          .client('createToken', { body: { name: `${point} ${i}`, scopes: ['code:read'] } })
          .catch(() => undefined);
      await Promise.race([
        gantry.serverEnded(),
        sleep(20_000).then(() => Promise.reject(new Error(`${point} did not fire`))),
      ]);
    }

    await gantry.startServer();
    const again = await gantry.push('shop', { '.gantry.yml': file, count: String((pushes += 1)) });
    acknowledged.push(again);
    await everyPushHasOnePipeline();
  });

  it('keeps every object, an unbroken record, and no secret in the open', async () => {
    if (missing) return;
    await everyLogIsWhole();
    await gantry.signalServer('SIGTERM');
    const repositories = join(gantry.dataFolder, 'repositories');
    for (const name of await readdir(repositories))
      await run('git', ['-C', join(repositories, name), 'fsck', '--full', '--strict']);

    const where = databaseUrl
      ? ({ kind: 'postgres', url: databaseUrl } as const)
      : ({ kind: 'file', path: join(gantry.dataFolder, 'gantry.db') } as const);
    const store = await openStore(where, { clock: systemClock, logger: silentLogger });
    expect(await store.read.audit.verify()).toBeUndefined();
    expect(await store.read.events.listUnplanned(10)).toEqual([]);
    expect(await store.read.events.listIntents()).toEqual([]);
    expect(await store.read.pipelines.openWorkflows()).toEqual([]);
    await store.close();
    expect(await filesWith(gantry.dataFolder, canary)).toEqual([]);
  });

  async function everyPushHasOnePipeline(): Promise<void> {
    const params = { owner: 'admin', project: 'shop' };
    const deadline = performance.now() + 30_000;
    for (;;) {
      const items = await allPipelines();
      const open = items.filter(({ finishedAt }) => finishedAt === null);
      const missed = acknowledged.filter((commit) => !items.some((pipeline) => pipeline.commit === commit));
      if (open.length === 0 && missed.length === 0) {
        const counts = new Map<string, number>();
        for (const { commit } of items) counts.set(commit, (counts.get(commit) ?? 0) + 1);
        expect([...counts.values()].filter((count) => count > 1)).toEqual([]);
        expect(items.map(({ number }) => number).sort((a, b) => a - b)).toEqual(items.map((_, i) => i + 1));
        const newest = await gantry.client('listCommits', { params, query: { limit: 1 } });
        expect(newest.items[0]?.id).toBe(acknowledged.at(-1));
        return;
      }
      if (performance.now() > deadline)
        throw new Error(`After 30 s: without a pipeline ${missed.join(', ')}; open ${JSON.stringify(open)}`);
      await sleep(100);
    }
  }

  async function allPipelines() {
    const params = { owner: 'admin', project: 'shop' };
    const first = await gantry.client('listPipelines', { params, query: { limit: 100 } });
    return first.items;
  }

  /** Every line once, in order, whatever was sent again after a crash. */
  async function everyLogIsWhole(): Promise<void> {
    for (const { number } of await allPipelines()) {
      const pipeline = await gantry.client('getPipeline', { params: { owner: 'admin', project: 'shop', number } });
      for (const step of pipeline.steps) {
        if (step.status !== 'passed' || step.name === 'clone') continue;
        const log = await gantry.log('shop', number, step.id);
        expect(log.match(/^\+ echo/gm), `log of ${step.name} in ${number}: ${log}`).toHaveLength(1);
      }
    }
  }
});

async function filesWith(folder: string, text: string): Promise<string[]> {
  const found: string[] = [];
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    if ((await readFile(path)).includes(text)) found.push(path);
  }
  return found;
}
