import type { SettingStore } from '../core/idempotency.ts';
import type { Connection } from './connection.ts';

/** Settings of the whole instance in the database. */
export function createSettingStore({ db }: Connection): SettingStore {
  return {
    async get(name) {
      const row = await db.selectFrom('setting').select('value').where('name', '=', name).executeTakeFirst();
      return row?.value;
    },
    async set(name, value) {
      if (value === undefined) {
        await db.deleteFrom('setting').where('name', '=', name).execute();
        return;
      }
      await db
        .insertInto('setting')
        .values({ name, value })
        .onConflict((conflict) => conflict.column('name').doUpdateSet({ value }))
        .execute();
    },
  };
}
