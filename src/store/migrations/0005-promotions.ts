import type { Connection } from '../connection.ts';
import type { Migration } from './migration.ts';

/**
 * Promotions and rollbacks repeat a pipeline towards a target. A secret that every event there was might have is one that
 * these may have too.
 */
export const promotions: Migration = {
  version: 5,
  name: 'promotions',
  async up(connection: Connection): Promise<void> {
    const integer = connection.dialect === 'sqlite' ? 'integer' : 'bigint';
    await connection.script(`
alter table "event" add column "target" text;
alter table "event" add column "parent_number" ${integer};
alter table "pipeline" add column "target" text;
alter table "pipeline" add column "parent_number" ${integer};
update "secret" set "events" = '["push","tag","manual","promote","rollback"]'
  where "events" like '%"push"%' and "events" like '%"tag"%' and "events" like '%"manual"%';
`);
  },
};
