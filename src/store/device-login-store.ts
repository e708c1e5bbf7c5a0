import type { Selectable } from 'kysely';
import type { DeviceLogin, DeviceLoginStore } from '../core/device-login.ts';
import type { Scope } from '../core/permission.ts';
import type { Connection } from './connection.ts';
import { fromJson, toDate } from './json-column.ts';
import type { Tables } from './tables.ts';

/** Logins of programs that wait for a person, in the database. */
export function createDeviceLoginStore({ db }: Connection): DeviceLoginStore {
  const find = async (column: 'device_sha256' | 'user_sha256', sha256: string): Promise<DeviceLogin | undefined> =>
    (await db.selectFrom('device_login').selectAll().where(column, '=', sha256).execute()).map(toDeviceLogin)[0];

  return {
    findByDevice: (sha256) => find('device_sha256', sha256),
    findByUser: (sha256) => find('user_sha256', sha256),
    async create(login) {
      await db
        .insertInto('device_login')
        .values({
          device_sha256: login.deviceSha256,
          user_sha256: login.userSha256,
          host_name: login.hostName,
          scopes: JSON.stringify(login.scopes),
          expires_in_days: login.expiresInDays,
          remote_address: login.remoteAddress,
          created_at: login.createdAt,
          expires_at: login.expiresAt,
          ...changing(login),
        })
        .execute();
    },
    async update(login) {
      await db
        .updateTable('device_login')
        .set(changing(login))
        .where('device_sha256', '=', login.deviceSha256)
        .execute();
    },
    async remove(deviceSha256) {
      await db.deleteFrom('device_login').where('device_sha256', '=', deviceSha256).execute();
    },
    async count(at) {
      const row = await db
        .selectFrom('device_login')
        .select((eb) => eb.fn.countAll<number>().as('count'))
        .where('expires_at', '>', at.getTime())
        .executeTakeFirstOrThrow();
      return Number(row.count);
    },
    async prune(at, limit) {
      const removed = await db
        .deleteFrom('device_login')
        .where('device_sha256', 'in', (ended) =>
          ended.selectFrom('device_login').select('device_sha256').where('expires_at', '<=', at.getTime()).limit(limit),
        )
        .executeTakeFirst();
      return Number(removed.numDeletedRows);
    },
  };
}

function changing({ intervalMs, polledAt, decision }: DeviceLogin) {
  return {
    interval_ms: intervalMs,
    polled_at: polledAt ?? null,
    decided_by: decision?.personId ?? null,
    is_approved: decision?.isApproved ?? null,
  };
}

function toDeviceLogin(row: Selectable<Tables['device_login']>): DeviceLogin {
  return {
    deviceSha256: row.device_sha256,
    userSha256: row.user_sha256,
    hostName: row.host_name,
    scopes: fromJson<Scope[]>(row.scopes),
    expiresInDays: row.expires_in_days,
    remoteAddress: row.remote_address,
    createdAt: new Date(row.created_at),
    expiresAt: new Date(row.expires_at),
    intervalMs: row.interval_ms,
    polledAt: toDate(row.polled_at),
    decision: row.decided_by === null ? undefined : { personId: row.decided_by, isApproved: row.is_approved === 1 },
  };
}
