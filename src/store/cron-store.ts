import type { Selectable } from 'kysely';
import type { Cron, CronStore } from '../core/cron.ts';
import type { Connection } from './connection.ts';
import { toDate } from './json-column.ts';
import type { Tables } from './tables.ts';

/** Schedules in the database. */
export function createCronStore({ db }: Connection): CronStore {
  const isTaken = async (projectId: number, name: string, exceptId = 0): Promise<boolean> =>
    (await db
      .selectFrom('cron')
      .select('id')
      .where('project_id', '=', projectId)
      .where('name_key', '=', name.toLowerCase())
      .where('id', '!=', exceptId)
      .executeTakeFirst()) !== undefined;

  return {
    async find(id) {
      const row = await db.selectFrom('cron').selectAll().where('id', '=', id).executeTakeFirst();
      return row && toCron(row);
    },
    async findByName(projectId, name) {
      const row = await db
        .selectFrom('cron')
        .selectAll()
        .where('project_id', '=', projectId)
        .where('name_key', '=', name.toLowerCase())
        .executeTakeFirst();
      return row && toCron(row);
    },
    async list(projectId) {
      const rows = await db
        .selectFrom('cron')
        .selectAll()
        .where('project_id', '=', projectId)
        .orderBy('name_key')
        .execute();
      return rows.map(toCron);
    },
    async create(cron) {
      const row = await db
        .insertInto('cron')
        .values({
          project_id: cron.projectId,
          name: cron.name,
          name_key: cron.name.toLowerCase(),
          expression: cron.expression,
          time_zone: cron.timeZone,
          branch: cron.branch,
          is_enabled: cron.isEnabled,
          next_at: cron.nextAt,
          created_at: cron.createdAt,
          created_by: cron.createdBy,
        })
        .onConflict((conflict) => conflict.columns(['project_id', 'name_key']).doNothing())
        .returningAll()
        .executeTakeFirst();
      return row && toCron(row);
    },
    async update(id, { name, expression, timeZone, branch, isEnabled, nextAt, lastAt }) {
      if (name !== undefined) {
        const row = await db.selectFrom('cron').select('project_id').where('id', '=', id).executeTakeFirst();
        // Within a write nobody takes the name in between.
        if (row && (await isTaken(row.project_id, name, id))) return false;
      }
      const values = {
        ...(name === undefined ? {} : { name, name_key: name.toLowerCase() }),
        ...(expression === undefined ? {} : { expression }),
        ...(timeZone === undefined ? {} : { time_zone: timeZone }),
        ...(branch === undefined ? {} : { branch }),
        ...(isEnabled === undefined ? {} : { is_enabled: isEnabled }),
        ...(nextAt === undefined ? {} : { next_at: nextAt }),
        ...(lastAt === undefined ? {} : { last_at: lastAt }),
      };
      if (Object.keys(values).length > 0) await db.updateTable('cron').set(values).where('id', '=', id).execute();
      return true;
    },
    async remove(id) {
      await db.deleteFrom('cron').where('id', '=', id).execute();
    },
    async listDue(at, limit) {
      const rows = await db
        .selectFrom('cron')
        .selectAll()
        .where('next_at', '<=', at.getTime())
        .orderBy('next_at')
        .orderBy('id')
        .limit(limit)
        .execute();
      return rows.map(toCron);
    },
    async listAhead(at) {
      const rows = await db.selectFrom('cron').selectAll().where('next_at', '>', at.getTime()).orderBy('id').execute();
      return rows.map(toCron);
    },
    async firstNextAt() {
      const row = await db
        .selectFrom('cron')
        .select('next_at')
        .where('next_at', 'is not', null)
        .orderBy('next_at')
        .limit(1)
        .executeTakeFirst();
      return toDate(row?.next_at ?? null);
    },
  };
}

function toCron(row: Selectable<Tables['cron']>): Cron {
  return {
    id: row.id,
    projectId: row.project_id,
    name: row.name,
    expression: row.expression,
    timeZone: row.time_zone,
    branch: row.branch,
    isEnabled: row.is_enabled === 1,
    nextAt: toDate(row.next_at),
    lastAt: toDate(row.last_at),
    createdAt: new Date(row.created_at),
    createdBy: row.created_by,
  };
}
