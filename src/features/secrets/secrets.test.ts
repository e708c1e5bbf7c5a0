import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { bearer, openServerWorld, type ServerWorld } from '../../../test/support/server-world.ts';
import type { Person } from '../../core/person.ts';
import type { Project } from '../../core/project.ts';
import type { PipelineUse, StepUse } from '../../core/secret-vault.ts';
import type { SealedFor } from '../../core/value-sealer.ts';
import { openKeyFile } from './key-file.ts';
import { seal, unseal } from './seal.ts';

let folder: string;
let world: ServerWorld;
let mei: Person;
let web: Project;
let headers: Record<string, string>;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'gantry-secrets-'));
  world = await openServerWorld({
    location: { kind: 'file', path: join(folder, 'gantry.db') },
    keyFilePath: join(folder, 'keys', 'key'),
  });
  mei = await world.person('mei');
  web = await world.project('mei', 'web');
  headers = bearer(await world.token(mei));
});
afterEach(async () => {
  await world.close();
  rmSync(folder, { recursive: true, force: true });
});

async function put(
  name: string,
  value: string | undefined,
  more: Record<string, unknown> = {},
  extra: Record<string, string> = {},
) {
  const response = await world.request(`/api/v1/projects/mei/web/secrets/${encodeURIComponent(name)}`, {
    method: 'PUT',
    body: JSON.stringify({ value, ...more }),
    headers: { 'Content-Type': 'application/json', ...headers, ...extra },
  });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

/** What a step of the project is given. */
async function revealed(given: Partial<PipelineUse & StepUse> = {}): Promise<ReadonlyMap<string, string>> {
  const { event = 'push', branch = 'main', image = 'alpine', isPlugin = false, ...use } = given;
  return (await world.vault.reveal(web.id, { event, branch, ...use })).forStep({ image, isPlugin });
}

describe('a secret', () => {
  it('is stored, listed by name and given to steps of its events only', async () => {
    expect((await put('NPM_TOKEN', 'npm-value')).body).toMatchObject({
      name: 'npm_token',
      updatedBy: 'mei',
      warning: null,
    });
    await put('deploy.key', 'line one\nline two\n', { events: ['tag'] });
    const listed = await world.json('/api/v1/projects/mei/web/secrets', { headers });
    expect(JSON.stringify(listed)).not.toContain('value');
    expect((listed['items'] as { name: string }[]).map(({ name }) => name)).toEqual(['deploy.key', 'npm_token']);

    expect(await revealed({ event: 'push' })).toEqual(new Map([['npm_token', 'npm-value']]));
    expect((await revealed({ event: 'tag' })).get('deploy.key')).toBe('line one\nline two\n');
    expect((await world.vault.maskValues(web.id)).toSorted()).toEqual(['line one\nline two\n', 'npm-value']);
  });

  it('is replaced under the same name whatever its case, and removed', async () => {
    await put('token', 'first value');
    await put('TOKEN', 'second value');
    expect(await revealed()).toEqual(new Map([['token', 'second value']]));
    const remove = () => world.request('/api/v1/projects/mei/web/secrets/Token', { method: 'DELETE', headers });
    expect((await remove()).status).toBe(204);
    expect((await remove()).status).toBe(404);
    expect(await world.vault.maskValues(web.id)).toEqual([]);
    const audit = await world.store.read.audit.list({ limit: 10 });
    expect(audit.map(({ action }) => action)).toEqual([
      'secret:remove',
      'secret:replace',
      'secret:create',
      'token:create',
    ]);
    expect(JSON.stringify(audit)).not.toMatch(/(first|second) value/);
    expect(await world.store.read.audit.verify()).toBeUndefined();
  });

  it.each(['1x', '-x', 'a/b', 'a b', 'ä', '.x', 'x'.repeat(101)])('is not named %s', async (name) => {
    expect((await put(name, 'value')).status).toBe(400);
  });

  it('that is too short to be masked is said so, in the language asked for', async () => {
    expect((await put('pin', '123')).body['warning']).toContain('logs do not mask it');
    expect((await put('pin', '123', {}, { 'Accept-Language': 'zh' })).body['warning']).toContain('不会遮盖');
  });

  it('is out of reach for who may only write code', async () => {
    await put('token', 'value');
    const li = await world.person('li');
    await world.setRole(web, li, 'write');
    headers = bearer(await world.token(li));
    expect((await put('token', 'other')).status).toBe(403);
    expect((await world.request('/api/v1/projects/mei/web/secrets', { headers })).status).toBe(403);
    expect((await revealed()).get('token')).toBe('value');
  });

  it('is nowhere in the database in the clear', async () => {
    await put('token', 'canary-93b1c7');
    await world.store.close();
    const dump = ['gantry.db', 'gantry.db-wal'].map((name) => {
      try {
        return readFileSync(join(folder, name), 'latin1');
      } catch {
        return '';
      }
    });
    expect(dump.join('')).not.toContain('canary-93b1c7');
    expect(dump.join('')).not.toContain(readFileSync(world.keyFilePath, 'utf8').slice(13, 40));
  });
});

describe('limits of a secret', () => {
  it('are told, kept when the value is replaced, and changed without it', async () => {
    await put('key', 'canary-71', {
      events: ['push'],
      branches: ['main'],
      images: ['plugins/*'],
      isForPluginsOnly: true,
    });
    await put('key', 'canary-72');
    const limits = { events: ['push'], branches: ['main'], images: ['plugins/*'], isForPluginsOnly: true };
    expect((await world.json('/api/v1/projects/mei/web/secrets', { headers }))['items']).toMatchObject([limits]);
    expect(await revealed({ image: 'plugins/slack', isPlugin: true })).toEqual(new Map([['key', 'canary-72']]));
    for (const use of [
      { branch: 'x' },
      { event: 'tag' },
      { image: 'evil', isPlugin: true },
      { image: 'plugins/slack' },
    ])
      expect(
        await revealed({ image: 'plugins/slack', isPlugin: 'image' in use && use.image === 'evil', ...use }),
      ).toEqual(new Map());
    await put('key', undefined, { branches: ['**'], images: [], isForPluginsOnly: false });
    expect(await revealed({ branch: 'feature/x' })).toEqual(new Map([['key', 'canary-72']]));
    const audit = await world.store.read.audit.list({ limit: 1 });
    expect(audit[0]).toMatchObject({ action: 'secret:limit', details: { name: 'key', branches: ['**'] } });
  });

  it('leave pull requests out until somebody lets them in', async () => {
    await put('key', 'canary-73');
    expect(await revealed({ event: 'pull_request' })).toEqual(new Map());
    await put('key', undefined, { events: ['push', 'pull_request'] });
    expect(await revealed({ event: 'pull_request' })).toEqual(new Map([['key', 'canary-73']]));
  });

  it('say which pull requests may have it: those of forks only where somebody says so', async () => {
    const listed = async () =>
      (await world.vault.list(web.id)).map(({ events, pullRequests }) => [events, pullRequests]);
    const ofProject = { event: 'pull_request' };
    const ofFork = { event: 'pull_request', isFork: true };
    await put('key', 'canary-74', { events: ['push'], pullRequests: 'project' });
    expect(await listed()).toEqual([[['push', 'pull_request'], 'project']]);
    expect(await revealed(ofProject)).toEqual(new Map([['key', 'canary-74']]));
    expect(await revealed(ofFork)).toEqual(new Map());
    await put('key', undefined, { pullRequests: 'forks' });
    expect(await revealed(ofFork)).toEqual(new Map([['key', 'canary-74']]));
    expect(await revealed({ ...ofFork, isUntrusted: true })).toEqual(new Map());
    expect((await world.store.read.audit.list({ limit: 1 }))[0]).toMatchObject({
      action: 'secret:limit',
      details: { pullRequests: 'forks' },
    });
    await put('key', 'canary-75');
    expect(await listed()).toEqual([[['push', 'pull_request'], 'forks']]);
    await put('key', undefined, { events: ['push', 'tag'] });
    expect(await listed()).toEqual([[['push', 'tag'], 'none']]);
    await put('key', undefined, { events: ['pull_request'] });
    expect(await listed()).toEqual([[['pull_request'], 'project']]);
    for (const body of [{ pullRequests: 'none' }, { events: ['pull_request'], pullRequests: 'none' }])
      expect((await put('key', undefined, body)).status).toBe(400);
    expect((await put('key', undefined, { pullRequests: 'everybody' })).status).toBe(400);
    expect(await listed()).toEqual([[['pull_request'], 'project']]);
  });

  it('that no branch or image could meet are refused, as is a new secret without a value', async () => {
    for (const body of [{ branches: ['[a'] }, { images: ['{a'] }, { events: [] }, { branches: [''] }])
      expect((await put('key', 'value', body)).status).toBe(400);
    expect((await put('key', undefined, { branches: ['main'] })).status).toBe(400);
    expect(await world.vault.list(web.id)).toEqual([]);
  });
});

describe('a secret of an organisation', () => {
  it('reaches its projects, whose own wins; its members need a role, and a person is none', async () => {
    const team = await world.organisation('team');
    await world.store.write(({ organisations }) => organisations.setRole(team, mei.id, 'maintain'));
    web = await world.project('team', 'site');
    const send = (method: string, path: string, body?: unknown, as = headers) =>
      world.request(`/api/v1/${path}`, {
        method,
        headers: { ...(body === undefined ? {} : { 'Content-Type': 'application/json' }), ...as },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
    expect((await send('PUT', 'organisations/team/secrets/Shared', { value: 'of the team' })).status).toBe(200);
    expect(await revealed()).toEqual(new Map([['shared', 'of the team']]));
    expect((await send('PUT', 'projects/team/site/secrets/shared', { value: 'of the site' })).status).toBe(200);
    expect(await revealed()).toEqual(new Map([['shared', 'of the site']]));
    expect((await send('PUT', 'organisations/mei/secrets/x', { value: 'value' })).status).toBe(404);
    const li = await world.person('li');
    await world.store.write(({ organisations }) => organisations.setRole(team, li.id, 'write'));
    const asLi = bearer(await world.token(li));
    expect((await send('GET', 'organisations/team/secrets', undefined, asLi)).status).toBe(403);
    expect((await send('DELETE', 'organisations/team/secrets/shared')).status).toBe(204);
    expect((await send('DELETE', 'organisations/team/secrets/shared')).status).toBe(404);
  });
});

/** Sends to the login of one host below a path. */
const sender =
  (path: string) =>
  (method: string, host: string, body?: unknown): ReturnType<typeof world.request> =>
    world.request(`${path}/${host}`, {
      method,
      headers: { ...(body === undefined ? {} : { 'Content-Type': 'application/json' }), ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });

describe('a login for a git host', () => {
  it('is kept by host, listed without its password, replaced, masked, and given out for its project', async () => {
    const path = '/api/v1/projects/mei/web/git-logins';
    const send = sender(path);
    const login = { username: 'robot', password: 'pass-for-git-1' };
    expect((await send('PUT', 'https:%2F%2Fgit.test', login)).status).toBe(400);
    expect((await send('PUT', 'git.test', { ...login, password: 'two\nlines' })).status).toBe(400);
    expect((await send('PUT', encodeURIComponent('Git.test:443'), login)).status).toBe(200);
    const listed = await world.json(path, { headers });
    expect(listed['items']).toMatchObject([{ host: 'git.test', username: 'robot', updatedBy: 'mei' }]);
    expect(JSON.stringify(listed)).not.toContain(login.password);
    expect(await world.vault.gitLogins(web.id)).toEqual([{ host: 'git.test', ...login }]);
    expect(await world.vault.maskValues(web.id)).toContain(login.password);
    expect((await send('PUT', 'git.test', { ...login, password: 'pass-for-git-2' })).status).toBe(200);
    expect(await world.vault.gitLogins(web.id)).toMatchObject([{ password: 'pass-for-git-2' }]);
    expect((await send('DELETE', 'git.test')).status).toBe(204);
    expect((await send('DELETE', 'git.test')).status).toBe(404);
    expect(await world.vault.gitLogins(web.id)).toEqual([]);
  });
});

describe('a login of a registry', () => {
  it('is sealed, listed without its password, given to runners and masked', async () => {
    const path = '/api/v1/projects/mei/web/registries';
    const send = sender(path);
    const login = { username: 'robot', password: 'canary-81-pull' };
    const use = { event: 'push', branch: 'main' };
    expect((await send('PUT', encodeURIComponent('Registry.test:5000'), login)).status).toBe(200);
    const listed = await world.json(path, { headers });
    expect(listed['items']).toMatchObject([{ registry: 'registry.test:5000', username: 'robot', updatedBy: 'mei' }]);
    expect(JSON.stringify(listed)).not.toContain('canary-81');
    expect(await world.vault.registries(web.id, use)).toEqual([{ registry: 'registry.test:5000', ...login }]);
    expect(await world.vault.maskValues(web.id)).toEqual(['canary-81-pull', 'robot:canary-81-pull']);
    for (const host of ['https:', 'a_b', '-a', 'host:port', '..'])
      expect((await send('PUT', host, login)).status, host).not.toBe(200);
    // A new login is for the pull requests of the project, and of forks once somebody says so.
    const ofFork = { event: 'pull_request', branch: 'main', isFork: true };
    expect(await world.vault.registries(web.id, { ...ofFork, isFork: false })).toHaveLength(1);
    expect(await world.vault.registries(web.id, ofFork)).toEqual([]);
    await send('PUT', 'registry.test:5000', { ...login, pullRequests: 'forks' });
    await send('PUT', 'registry.test:5000', login);
    expect(await world.vault.registries(web.id, ofFork)).toHaveLength(1);
    expect(await world.vault.registries(web.id, { ...ofFork, isUntrusted: true })).toEqual([]);
    expect(await world.vault.listLogins(web.id)).toEqual([{ registry: 'registry.test:5000', pullRequests: 'forks' }]);
    await send('PUT', 'index.docker.io', login);
    expect((await world.vault.registries(web.id, use)).map(({ registry }) => registry)).toEqual([
      'docker.io',
      'registry.test:5000',
    ]);
    expect((await send('DELETE', 'index.docker.io')).status).toBe(204);
    expect((await send('DELETE', 'docker.io')).status).toBe(404);
    expect(JSON.stringify(await world.store.read.audit.list({ limit: 10 }))).not.toContain('canary-81');
    await world.store.close();
    const stored = ['gantry.db', 'gantry.db-wal'].flatMap((name) => {
      const file = join(folder, name);
      return existsSync(file) ? [readFileSync(file, 'latin1')] : [];
    });
    expect(stored.join('')).not.toContain('canary-81');
  });
});

describe('a sealed value', () => {
  const owner: SealedFor = { id: 7, holder: { kind: 'project', id: 3 }, name: 'token' };

  it('opens only where it was sealed, and never when a bit of it changed', () => {
    const key = openKeyFile(join(folder, 'a'));
    const sealed = seal('value', owner, key);
    expect(unseal(sealed, owner, key)).toBe('value');
    const others: readonly Partial<SealedFor>[] = [
      { id: 8 },
      { holder: { kind: 'project', id: 4 } },
      { holder: { kind: 'organisation', id: 3 } },
      { name: 'other' },
      { kind: 'registry password' },
    ];
    for (const elsewhere of others)
      expect(() => unseal(sealed, { ...owner, ...elsewhere }, key)).toThrow('what is stored is damaged');
    for (const part of ['wrappedKey', 'nonce', 'ciphertext'] as const) {
      for (let i = 0; i < sealed[part].length; i += 1) {
        const changed = Buffer.from(sealed[part]);
        changed[i] = (changed[i] ?? 0) ^ 1;
        expect(() => unseal({ ...sealed, [part]: changed }, owner, key)).toThrow('what is stored is damaged');
      }
      for (const length of [0, 5, sealed[part].length - 1])
        expect(() => unseal({ ...sealed, [part]: sealed[part].subarray(0, length) }, owner, key)).toThrow('damaged');
    }
  });

  it('is never sealed twice alike', () => {
    const key = openKeyFile(join(folder, 'a'));
    const [one, two] = [seal('value', owner, key), seal('value', owner, key)];
    for (const part of ['wrappedKey', 'nonce', 'ciphertext'] as const) expect(one[part].equals(two[part])).toBe(false);
  });

  it('does not open with another key, and says which it needs', () => {
    const [mine, other] = [openKeyFile(join(folder, 'a')), openKeyFile(join(folder, 'b'))];
    expect(() => unseal(seal('value', owner, mine), owner, other)).toThrow(
      `it was written with the key ${mine.id}, and the file holds ${other.id}`,
    );
  });
});

describe('the key file', () => {
  it('is made once, for its owner to read only', () => {
    const path = join(folder, 'deep', 'key');
    const made = openKeyFile(path);
    expect(statSync(path).mode & 0o777).toBe(0o400);
    expect(statSync(join(folder, 'deep')).mode & 0o777).toBe(0o700);
    expect(openKeyFile(path, { expectedKeyId: made.id }).key.equals(made.key)).toBe(true);
  });

  it('does not lie in the data folder', () => {
    for (const path of ['data/key', 'data/keys/key'])
      expect(() => openKeyFile(join(folder, path), { dataFolder: join(folder, 'data') })).toThrow(
        'would lie in the data folder',
      );
    openKeyFile(join(folder, 'database-key'), { dataFolder: join(folder, 'data') });
  });

  it.each([
    ['missing', (path: string) => rmSync(path), 'the file is missing'],
    [
      'damaged',
      (path: string) => {
        chmodSync(path, 0o600);
        writeFileSync(path, 'gantry-key-1:AAAA\n');
      },
      'the file is damaged',
    ],
    [
      'another one',
      (path: string) => {
        rmSync(path);
        openKeyFile(path);
      },
      'the secrets were written with',
    ],
  ])('stops the start when it is %s and secrets need it, and names itself', async (_, spoil, why) => {
    await put('token', 'value');
    await world.close();
    spoil(world.keyFilePath);
    const again = openServerWorld({
      location: { kind: 'file', path: join(folder, 'gantry.db') },
      keyFilePath: world.keyFilePath,
    });
    await expect(again).rejects.toMatchObject({ code: 'SECRET_KEY_WRONG', details: { path: world.keyFilePath } });
    await expect(again).rejects.toThrow(why);
  });

  it('may be made anew while there are no secrets', async () => {
    await world.close();
    rmSync(world.keyFilePath);
    world = await openServerWorld({
      location: { kind: 'file', path: join(folder, 'gantry.db') },
      keyFilePath: world.keyFilePath,
    });
    expect(await world.vault.list(web.id)).toEqual([]);
  });
});
