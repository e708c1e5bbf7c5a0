import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it, onTestFinished } from 'vitest';
import type { StoreLocation } from '../../src/store/open-store.ts';
import { testDatabases } from '../support/databases.ts';
import { openServerWorld } from '../support/server-world.ts';

const program = fileURLToPath(new URL('../support/accounts-process.ts', import.meta.url));

interface Running {
  readonly child: ChildProcess;
  readonly url: string;
  readonly token: string;
}

/** What outlives a server: its database and its key file. */
interface Place {
  readonly location: StoreLocation;
  readonly keyFilePath: string;
}

const databases = await testDatabases();
afterAll(async () => {
  for (const database of databases) await database.stop();
});

async function start({ location, keyFilePath }: Place, failpoints = ''): Promise<Running> {
  const child = spawn(process.execPath, [program, JSON.stringify(location), keyFilePath], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, GANTRY_FAILPOINTS: failpoints },
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
  return { child, ...(JSON.parse(line) as { url: string; token: string }) };
}

async function send({ url, token }: Running, method: string, path: string, body: unknown): Promise<Response> {
  return fetch(`${url}/api/v1/${path}`, {
    method,
    body: JSON.stringify(body),
    headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' },
  });
}

async function makePlace(database: (typeof databases)[number]): Promise<Place> {
  const folder = await mkdtemp(join(tmpdir(), 'gantry-accounts-crash-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return { location: await database.create(), keyFilePath: join(folder, 'keys', 'key') };
}

/** Kills the server within the request, and answers a new one over what it left. */
async function killWithin(
  place: Place,
  failpoint: string,
  method: string,
  path: string,
  body: unknown,
): Promise<Running> {
  const first = await start(place, `${failpoint}=kill`);
  const ended = once(first.child, 'exit');
  await expect(send(first, method, path, body)).rejects.toThrow();
  expect((await ended)[1]).toBe('SIGKILL');
  return start(place);
}

describe.each(databases)('A server on $name killed while a token is made', (database) => {
  it.skipIf(database.isMissing).each([
    { at: 'token.beforeCommit', isKept: false },
    { at: 'token.afterCommit', isKept: true },
  ])('at $at: what is recorded and what works agree, and it can be made again', async ({ at, isKept }) => {
    const place = await makePlace(database);
    const again = await killWithin(place, at, 'POST', 'me/tokens', { name: 'ci', scopes: ['code:read'] });
    const list = async () => {
      const response = await fetch(`${again.url}/api/v1/me/tokens`, {
        headers: { Authorization: `Bearer ${again.token}` },
      });
      return ((await response.json()) as { items: { name: string }[] }).items.filter(({ name }) => name === 'ci')
        .length;
    };
    expect(await list()).toBe(isKept ? 1 : 0);
    const made = await send(again, 'POST', 'me/tokens', { name: 'ci', scopes: ['account:read'] });
    expect(made.status).toBe(201);
    const { secret } = (await made.json()) as { secret: string };
    expect((await fetch(`${again.url}/api/v1/me`, { headers: { Authorization: `Bearer ${secret}` } })).status).toBe(
      200,
    );
    expect(await list()).toBe(isKept ? 2 : 1);
    const audit = (await (
      await fetch(`${again.url}/api/v1/audit`, { headers: { Authorization: `Bearer ${again.token}` } })
    ).json()) as { items: { action: string; details: { name?: string } }[]; isUnbroken: boolean };
    expect(audit.isUnbroken).toBe(true);
    expect(
      audit.items.filter(({ action, details }) => action === 'token:create' && details.name === 'ci'),
    ).toHaveLength(isKept ? 2 : 1);
  });
});

describe.each(databases)('A server on $name killed while a secret is saved', (database) => {
  it.skipIf(database.isMissing).each([
    { at: 'secret.beforeCommit', value: 'the old value' },
    { at: 'secret.afterCommit', value: 'the new value' },
  ])('at $at: steps get $value whole, and never something between', async ({ at, value }) => {
    const place = await makePlace(database);
    const first = await start(place);
    const path = 'projects/mei/web/secrets/deploy';
    expect((await send(first, 'PUT', path, { value: 'the old value' })).status).toBe(200);
    first.child.kill('SIGKILL');
    await once(first.child, 'exit');

    const again = await killWithin(place, at, 'PUT', path, { value: 'the new value' });
    again.child.kill('SIGKILL');
    await once(again.child, 'exit');
    const world = await openServerWorld(place);
    onTestFinished(() => world.close());
    const project = (await world.store.read.projects.findBySlug('mei', 'web'))!;
    const revealed = await world.vault.reveal(project.id, { event: 'push', branch: 'main' });
    expect(revealed.forStep({ image: '', isPlugin: false })).toEqual(new Map([['deploy', value]]));
    expect(await world.store.read.audit.verify()).toBeUndefined();
  });

  it.skipIf(database.isMissing)(
    'at secret.beforeCommit: a first secret that was not saved is not there, and its key opens the next',
    async () => {
      const place = await makePlace(database);
      const path = 'projects/mei/web/secrets/deploy';
      const again = await killWithin(place, 'secret.beforeCommit', 'PUT', path, { value: 'never acknowledged' });
      const listed = await fetch(`${again.url}/api/v1/projects/mei/web/secrets`, {
        headers: { Authorization: `Bearer ${again.token}` },
      });
      expect(((await listed.json()) as { items: unknown[] }).items).toEqual([]);
      expect((await send(again, 'PUT', path, { value: 'acknowledged' })).status).toBe(200);
    },
  );
});
