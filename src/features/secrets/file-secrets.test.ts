import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { bearer, openServerWorld, type ServerWorld } from '../../../test/support/server-world.ts';
import type { Project } from '../../core/project.ts';
import { encryptValue, openValue } from '../../engine/encrypted-value.ts';

let folder: string;
let world: ServerWorld;
let web: Project;
let api: Project;
let headers: Record<string, string>;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'gantry-file-secrets-'));
  world = await openServerWorld({
    location: { kind: 'file', path: join(folder, 'gantry.db') },
    keyFilePath: join(folder, 'keys', 'key'),
  });
  const mei = await world.person('mei');
  [web, api] = [await world.project('mei', 'web'), await world.project('mei', 'api')];
  headers = bearer(await world.token(mei));
});
afterEach(async () => {
  await world.close();
  rmSync(folder, { recursive: true, force: true });
});

const send = (method: string, path: string, body?: unknown, as = headers) =>
  world.request(`/api/v1/projects/${path}`, {
    method,
    headers: { ...(body === undefined ? {} : { 'Content-Type': 'application/json' }), ...as },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
const encrypt = async (project: string, value: string): Promise<string> => {
  const response = await send('POST', `mei/${project}/encrypted-values`, { value });
  expect(response.status).toBe(200);
  return ((await response.json()) as { data: string }).data;
};

const droneKey = 'n7QkT0drone0repository0secret032';
const canary = 'canary-of-a-file-62';

describe('a value encrypted for a pipeline file', () => {
  it('opens in its project alone, is never encrypted twice alike, and keeps its lines', async () => {
    const data = await encrypt('web', canary);
    expect(data).not.toContain(canary);
    expect(await encrypt('web', canary)).not.toBe(data);
    const lines = await encrypt('web', '第一行\nline two\n');
    expect(await world.vault.openEncrypted(web.id, [data, lines])).toEqual([
      { value: canary },
      { value: '第一行\nline two\n' },
    ]);
    expect(await world.vault.openEncrypted(api.id, [data])).toEqual([{ fault: 'no-key' }]);
    await encrypt('api', 'something');
    expect(await world.vault.openEncrypted(api.id, [data])).toEqual([{ fault: 'wrong-key' }]);
  });

  it('does not open once a single bit of it is another', async () => {
    const bytes = Buffer.from(await encrypt('web', 'x'), 'base64');
    const changed = Array.from({ length: bytes.length * 8 }, (_, bit) => {
      const copy = Buffer.from(bytes);
      copy[bit >> 3]! ^= 1 << (bit & 7);
      return copy.toString('base64');
    });
    for (const opened of await world.vault.openEncrypted(web.id, changed))
      expect(opened).toEqual({ fault: 'wrong-key' });
    const cut = Array.from({ length: bytes.length }, (_, end) => bytes.subarray(0, end).toString('base64'));
    for (const opened of await world.vault.openEncrypted(web.id, cut)) expect(opened).toHaveProperty('fault');
    const odd = ['', '====', 'a', '密码', `${bytes.toString('base64')}!`, 'A'.repeat(262_148)];
    for (const opened of await world.vault.openEncrypted(web.id, odd)) expect(opened).toEqual({ fault: 'damaged' });
  });

  it('is encrypted for who may write secrets, which is recorded without the value', async () => {
    const li = await world.person('li');
    await world.setRole(web, li, 'write');
    const asLi = bearer(await world.token(li));
    expect((await send('POST', 'mei/web/encrypted-values', { value: canary }, asLi)).status).toBe(403);
    expect((await send('POST', 'mei/web/encrypted-values', { value: '' })).status).toBe(400);
    expect((await send('POST', 'mei/none/encrypted-values', { value: 'x' })).status).toBe(404);
    await encrypt('web', canary);
    const audit = await world.store.read.audit.list({ limit: 5 });
    expect(audit[0]).toMatchObject({ actor: 'mei', action: 'pipeline-file:encrypt', subject: 'mei/web' });
    expect(JSON.stringify(audit)).not.toContain(canary);
  });
});

describe('the key of another system', () => {
  it('opens what was encrypted there, beside the own key, until it is forgotten', async () => {
    const theirs = encryptValue(canary, droneKey);
    const ours = await encrypt('web', 'ours');
    expect(await world.vault.openEncrypted(web.id, [theirs])).toEqual([{ fault: 'wrong-key' }]);
    expect(await (await send('GET', 'mei/web/imported-key')).json()).toEqual({ updatedAt: null, updatedBy: null });
    const stored = await send('PUT', 'mei/web/imported-key', { key: `${droneKey}\n` });
    expect(stored.status).toBe(200);
    const view = await stored.json();
    expect(view).toMatchObject({ updatedBy: 'mei' });
    expect(await (await send('GET', 'mei/web/imported-key')).json()).toEqual(view);
    expect(await world.vault.openEncrypted(web.id, [theirs, ours])).toEqual([{ value: canary }, { value: 'ours' }]);
    expect(await world.vault.openEncrypted(api.id, [theirs])).toEqual([{ fault: 'no-key' }]);
    await send('PUT', 'mei/web/imported-key', { key: droneKey.replace('n7', 'm8') });
    expect(await world.vault.openEncrypted(web.id, [theirs, ours])).toEqual([
      { fault: 'wrong-key' },
      { value: 'ours' },
    ]);
    expect((await send('DELETE', 'mei/web/imported-key')).status).toBe(204);
    expect((await send('DELETE', 'mei/web/imported-key')).status).toBe(404);
    expect(await world.vault.importedKey(web.id)).toBeUndefined();
    const actions = (await world.store.read.audit.list({ limit: 3 })).map(({ action }) => action);
    expect(actions).toEqual(['imported-key:remove', 'imported-key:replace', 'imported-key:create']);
  });

  it('is for admins to bring, is refused when it is none, and is repeated nowhere', async () => {
    const li = await world.person('li');
    await world.setRole(web, li, 'maintain');
    const asLi = bearer(await world.token(li));
    for (const method of ['PUT', 'DELETE'])
      expect(
        (await send(method, 'mei/web/imported-key', method === 'PUT' ? { key: droneKey } : undefined, asLi)).status,
      ).toBe(403);
    for (const key of ['short', `${droneKey}x`, '密'.repeat(11), `${droneKey.slice(0, 31)}\u0001`]) {
      const refused = await send('PUT', 'mei/web/imported-key', { key });
      expect(refused.status).toBe(400);
      expect(await refused.text()).not.toContain(key);
    }
    await send('PUT', 'mei/web/imported-key', { key: droneKey });
    expect(JSON.stringify(await world.store.read.audit.list({ limit: 50 }))).not.toContain(droneKey);
    await world.store.close();
    for (const name of ['gantry.db', 'gantry.db-wal']) {
      const file = join(folder, name);
      if (existsSync(file)) expect(readFileSync(file, 'latin1')).not.toContain(droneKey);
    }
  });
});

describe('the format of encrypted values', () => {
  it('is that of Drone: nonce, ciphertext and tag, under the letters of the key', () => {
    // Made with another implementation of AES-GCM than the one that opens it.
    const data = 'dHdlbHZlIGJ5dGVz';
    expect(Buffer.from(data, 'base64').toString()).toBe('twelve bytes');
    expect(openValue(independent, ['0123456789abcdefghijklmnopqrstuv'])).toEqual({ value: 'canary-of-the-file' });
    expect(independent.startsWith(data)).toBe(true);
  });

  it('takes no key of another length', () => {
    expect(() => encryptValue('x', 'k'.repeat(31))).toThrow('Cannot use a key of 31 bytes');
    expect(() => openValue(independent, ['k'.repeat(33)])).toThrow('Cannot use a key of 33 bytes');
  });
});

const independent = 'dHdlbHZlIGJ5dGVzdL+buz2h7rjgtdzjy0vP7H9aLxdw2nqIEluWC2CdFYB2hw==';
