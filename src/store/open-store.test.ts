import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { testDatabases } from '../../test/support/databases.ts';
import { someTime } from '../../test/support/store-world.ts';
import { systemClock } from '../lib/clock.ts';
import { silentLogger } from '../lib/logger.ts';
import { lockDataFolder } from './data-folder-lock.ts';
import { migrate } from './migrate.ts';
import { migrations } from './migrations/all.ts';
import { openStore, type StoreLocation } from './open-store.ts';
import { connectPostgres } from './postgres-connection.ts';
import { SqliteConnection } from './sqlite-connection.ts';

const deps = { clock: systemClock, logger: silentLogger };
const databases = await testDatabases();

describe.each(databases)('openStore on $name', ({ name, create, stop, isMissing }) => {
  if (isMissing) {
    it.skip('needs the database', () => {});
    return;
  }
  afterAll(stop);

  async function withConnection(
    where: StoreLocation,
    work: (connection: SqliteConnection | Awaited<ReturnType<typeof connectPostgres>>['writing']) => Promise<unknown>,
  ): Promise<void> {
    if (where.kind === 'postgres') {
      const { writing, release } = await connectPostgres(where.url);
      await work(writing).finally(release);
    } else if (where.kind === 'file') {
      const connection = new SqliteConnection(where.path, { mode: 'write', isDurable: true });
      await work(connection).finally(() => connection.close());
    }
  }

  it('finds again what was written before it was closed', async () => {
    const where = await create();
    const first = await openStore(where, deps);
    await first.write(({ settings }) => settings.set('a', '1'));
    await first.close();
    const second = await openStore(where, deps);
    expect(await second.read.settings.get('a')).toBe('1');
    await second.close();
  });

  it('refuses a schema that a newer Gantry wrote, and leaves it as it is', async () => {
    const where = await create();
    await (await openStore(where, deps)).close();
    const newer = { version: (migrations.at(-1)?.version ?? 0) + 1, name: 'from-the-future', up: async () => {} };
    await withConnection(where, (connection) => migrate(connection, [...migrations, newer], systemClock));
    await expect(openStore(where, deps)).rejects.toMatchObject({
      code: 'SCHEMA_TOO_NEW',
      message: expect.stringContaining(`version ${newer.version}`),
    });
  });

  it('undoes a migration that fails half-way, whole', async () => {
    const where = await create();
    await (await openStore(where, deps)).close();
    const broken = {
      version: (migrations.at(-1)?.version ?? 0) + 1,
      name: 'broken',
      up: async (connection: { script(sql: string): Promise<void> }) => {
        await connection.script('create table half_made (a text)');
        await connection.script('this is no sql');
      },
    };
    await withConnection(where, async (connection) => {
      await expect(migrate(connection, [...migrations, broken], systemClock)).rejects.toMatchObject({
        code: 'DATABASE_FAILED',
        message: expect.stringContaining('broken'),
      });
      await expect(connection.execute('select * from half_made', [])).rejects.toThrow('half_made');
    });
    const store = await openStore(where, deps);
    await store.close();
  });

  it('turns the names that tokens were limited to into ids, and drops those that nothing has', async () => {
    const where = await create();
    await withConnection(where, async (connection) => {
      await migrate(connection, migrations.slice(0, 1), systemClock);
      await connection.script(`
        insert into "owner" ("kind", "name", "name_key", "display_name", "created_at") values ('person', 'Mei', 'mei', '', 0);
        insert into "person" ("owner_id", "email", "is_site_admin", "password_hash") values (1, '', 0, '-');
        insert into "project" ("owner_id", "name", "name_key", "description", "visibility", "default_branch",
          "protected_refs", "step_timeout_ms", "created_at", "activity_at", "last_number")
          values (1, 'Web', 'web', '', 'private', 'main', '[]', 1, 0, 0, 0),
                 (1, 'api', 'api', '', 'private', 'main', '[]', 1, 0, 0, 0);
        insert into "token" ("id", "sha256", "person_id", "name", "prefix", "scopes", "projects", "created_at") values
          ('all', 'a', 1, '', '', '["*"]', null, 0),
          ('both', 'b', 1, '', '', '["*"]', '["Mei/Web","mei/api","mei/gone"]', 0),
          ('gone', 'c', 1, '', '', '["*"]', '["mei/gone"]', 0)`);
    });
    const store = await openStore(where, deps);
    const idsOf = async (id: string) => (await store.read.tokens.find(id))!.projectIds;
    const [web, api] = await Promise.all(['web', 'api'].map((name) => store.read.projects.findBySlug('mei', name)));
    expect(await idsOf('all')).toBeUndefined();
    expect(await idsOf('both')).toEqual([web!.id, api!.id]);
    // Nothing is left of its limit, and so it reaches nothing: never everything.
    expect(await idsOf('gone')).toEqual([]);
    await store.close();
  });

  it('takes from sessions and tokens when people were last seen', async () => {
    const where = await create();
    await withConnection(where, async (connection) => {
      await migrate(connection, migrations.slice(0, 3), systemClock);
      await connection.script(`
        insert into "owner" ("kind", "name", "name_key", "display_name", "created_at")
          values ('person', 'mei', 'mei', '', 0), ('person', 'li', 'li', '', 0);
        insert into "person" ("owner_id", "email", "is_site_admin", "password_hash") values (1, '', 0, '-'), (2, '', 0, '-');
        insert into "session" ("id", "sha256", "person_id", "created_at", "last_used_at", "expires_at", "user_agent",
          "remote_address") values ('s', 's', 1, 0, 2000, 3000, '', '');
        insert into "token" ("id", "sha256", "person_id", "name", "prefix", "scopes", "created_at", "last_used_at")
          values ('a', 'a', 1, '', '', '["*"]', 0, 5000), ('b', 'b', 1, '', '', '["*"]', 0, null)`);
    });
    const store = await openStore(where, deps);
    expect((await store.read.people.findByName('mei'))?.lastSeenAt).toEqual(new Date(5_000));
    expect((await store.read.people.findByName('li'))?.lastSeenAt).toBeUndefined();
    await store.close();
  });

  it('gives secrets that every event had to promotions and scheduled runs as well, and others not', async () => {
    const where = await create();
    await withConnection(where, async (connection) => {
      await migrate(connection, migrations.slice(0, 4), systemClock);
      const bytes = connection.dialect === 'sqlite' ? "x'00'" : "'\\x00'";
      await connection.script(`
        insert into "owner" ("kind", "name", "name_key", "display_name", "created_at") values ('person', 'mei', 'mei', '', 0);
        insert into "project" ("owner_id", "name", "name_key", "description", "visibility", "default_branch",
          "protected_refs", "step_timeout_ms", "created_at", "activity_at", "last_number")
          values (1, 'shop', 'shop', '', 'private', 'main', '[]', 1, 0, 0, 0);
        insert into "secret" ("project_id", "name", "events", "created_at", "updated_at", "updated_by", "key_id",
          "wrapped_key", "nonce", "ciphertext")
          values (1, 'all', '["manual","push","tag"]', 0, 0, 'mei', 'k', ${bytes}, ${bytes}, ${bytes}),
            (1, 'some', '["push","tag"]', 0, 0, 'mei', 'k', ${bytes}, ${bytes}, ${bytes})`);
    });
    const store = await openStore(where, deps);
    const secrets = await store.read.secrets.list({ kind: 'project', id: 1 });
    expect(new Map(secrets.map(({ name, events }) => [name, events]))).toEqual(
      new Map([
        ['all', ['push', 'tag', 'manual', 'promote', 'rollback', 'cron']],
        ['some', ['push', 'tag']],
      ]),
    );
    await store.close();
  });

  it('lets a request be made again that a server left without an answer when it died', async () => {
    const where = await create();
    const key = { personId: 1, operation: 'startPipeline', key: 'abc' };
    const dying = await openStore(where, deps);
    await dying.write(({ idempotency }) => idempotency.claim(key, 'h', someTime));
    await dying.close();
    const next = await openStore(where, deps);
    expect(await next.write(({ idempotency }) => idempotency.claim(key, 'h', someTime))).toEqual({ state: 'new' });
    expect(await next.write(({ idempotency }) => idempotency.claim(key, 'h', someTime))).toEqual({
      state: 'in-flight',
    });
    await next.close();
  });

  it('keeps a rate limit over a restart', async () => {
    const where = await create();
    const bucket = { capacity: 3, perSecond: 0.001 };
    const first = await openStore(where, deps);
    await first.write(({ rateLimits }) => rateLimits.take('k', 3, bucket, someTime));
    await first.close();
    const second = await openStore(where, deps);
    expect(await second.write(({ rateLimits }) => rateLimits.take('k', 1, bucket, someTime))).toMatchObject({
      allowed: false,
    });
    await second.close();
  });

  it.runIf(name === 'PostgreSQL')('refuses a database that another server uses', async () => {
    const where = await create();
    const first = await openStore(where, deps);
    await expect(openStore(where, deps)).rejects.toMatchObject({ code: 'DATA_FOLDER_IN_USE' });
    await first.close();
    await (await openStore(where, deps)).close();
  });

  it('has an audit record that cannot be changed, and finds one that was changed by force', async () => {
    const where = await create();
    const store = await openStore(where, deps);
    for (const n of [1, 2, 3, 4]) {
      await store.write(({ audit }) =>
        audit.append({
          at: someTime,
          actor: 'mei',
          action: 'secret:write',
          subject: `mei/shop:${n}`,
          remoteAddress: '::1',
          requestId: 'r',
          details: {},
        }),
      );
    }
    await store.close();
    await withConnection(where, async (connection) => {
      await expect(connection.execute(`update "audit" set "actor" = 'bo' where "sequence" = 2`, [])).rejects.toThrow(
        'append-only',
      );
      await expect(connection.execute('delete from "audit" where "sequence" = 4', [])).rejects.toThrow('append-only');
      await connection.script(
        connection.dialect === 'sqlite'
          ? 'drop trigger audit_is_not_updated'
          : 'drop trigger audit_is_not_changed on "audit"',
      );
      await connection.execute(`update "audit" set "actor" = 'bo' where "sequence" = 2`, []);
    });
    const again = await openStore(where, deps);
    expect(await again.read.audit.verify()).toBe(2);
    await again.close();
  });
});

describe('openStore on PostgreSQL', () => {
  it('says that it cannot be reached', async () => {
    await expect(
      openStore(
        { kind: 'postgres', url: `postgresql:///x?host=${encodeURIComponent(join(tmpdir(), 'nobody-here'))}` },
        deps,
      ),
    ).rejects.toMatchObject({ code: 'DATABASE_FAILED' });
  });
});

describe('openStore on SQLite', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'gantry-test-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it('is durable: WAL, synced at each commit, foreign keys and a schema that is not trusted', async () => {
    const connection = new SqliteConnection(join(folder, 'gantry.db'), { mode: 'write', isDurable: true });
    const pragma = async (name: string) =>
      Object.values((await connection.execute(`PRAGMA ${name}`, [])).rows[0] ?? {})[0];
    expect(await pragma('journal_mode')).toBe('wal');
    expect(await pragma('synchronous')).toBe(2);
    expect(await pragma('foreign_keys')).toBe(1);
    expect(await pragma('trusted_schema')).toBe(0);
    expect(await pragma('busy_timeout')).toBe(5_000);
    await connection.close();
  });

  it('answers rows of a select without parameters and of returning', async () => {
    const connection = new SqliteConnection(join(folder, 'gantry.db'), { mode: 'write', isDurable: true });
    await migrate(connection, migrations, systemClock);
    const inserted = await connection.db
      .insertInto('setting')
      .values({ name: 'a', value: '1' })
      .returning('value')
      .execute();
    expect(inserted).toEqual([{ value: '1' }]);
    expect(await connection.db.selectFrom('setting').selectAll().execute()).toEqual([{ name: 'a', value: '1' }]);
    await connection.close();
  });

  it('in memory leaves nothing behind', async () => {
    const usual = process.env['TMPDIR'];
    process.env['TMPDIR'] = folder;
    try {
      const store = await openStore({ kind: 'memory' }, deps);
      expect(readdirSync(folder)).toHaveLength(1);
      await store.close();
      await store.close();
      expect(readdirSync(folder)).toEqual([]);
    } finally {
      if (usual === undefined) delete process.env['TMPDIR'];
      else process.env['TMPDIR'] = usual;
    }
  });

  it('passes its own integrity check after work', async () => {
    const path = join(folder, 'gantry.db');
    const store = await openStore({ kind: 'file', path }, deps);
    await Promise.all(Array.from({ length: 50 }, (_, i) => store.write(({ settings }) => settings.set(`k${i}`, 'v'))));
    await store.close();
    const database = new DatabaseSync(path);
    expect(database.prepare('PRAGMA integrity_check').all()).toMatchObject([{ integrity_check: 'ok' }]);
    expect(database.prepare('PRAGMA foreign_key_check').all()).toEqual([]);
    database.close();
  });
});

describe('lockDataFolder', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'gantry-test-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it('refuses a second server with a sentence, and takes the folder again once it is free', () => {
    const lock = lockDataFolder(folder);
    expect(() => lockDataFolder(folder)).toThrow(
      `Cannot use the data folder "${folder}": another Gantry server is running on it`,
    );
    lock.release();
    lock.release();
    lockDataFolder(folder).release();
  });
});
