import type { Variable, VariableStore } from '../core/variable.ts';
import type { Connection } from './connection.ts';
import { countsFor, holderColumn, ownFirst } from './held.ts';

/** Variables in the database. */
export function createVariableStore({ db }: Connection): VariableStore {
  return {
    async list(holder) {
      const rows = await db
        .selectFrom('variable')
        .selectAll()
        .where(holderColumn(holder), '=', holder.id)
        .orderBy('name')
        .execute();
      return rows.map(
        (row): Variable => ({
          name: row.name,
          value: row.value,
          updatedAt: new Date(row.updated_at),
          updatedBy: row.updated_by,
        }),
      );
    },
    async valuesFor(projectId) {
      const rows = await db.selectFrom('variable').selectAll().where(countsFor(projectId)).orderBy('name').execute();
      return Object.fromEntries(ownFirst(rows, ({ name }) => name).map(({ name, value }) => [name, value]));
    },
    async set(holder, { name, value, updatedAt, updatedBy }) {
      const column = holderColumn(holder);
      const changed = { value, updated_at: updatedAt, updated_by: updatedBy };
      await db
        .insertInto('variable')
        .values({ [column]: holder.id, name, ...changed })
        .onConflict((conflict) => conflict.columns([column, 'name']).doUpdateSet(changed))
        .execute();
    },
    async remove(holder, name) {
      const removed = await db
        .deleteFrom('variable')
        .where(holderColumn(holder), '=', holder.id)
        .where('name', '=', name)
        .executeTakeFirst();
      return removed.numDeletedRows > 0n;
    },
  };
}
