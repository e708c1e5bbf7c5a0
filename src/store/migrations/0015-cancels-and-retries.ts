import type { Connection } from '../connection.ts';
import type { Migration } from './migration.ts';

/** Why workflows were cancelled, and pipelines that are to be run again by themselves. */
export const cancelsAndRetries: Migration = {
  version: 15,
  name: 'cancels and retries',
  async up(connection: Connection): Promise<void> {
    const isSqlite = connection.dialect === 'sqlite';
    const integer = isSqlite ? 'integer' : 'bigint';
    await connection.script(`
alter table "workflow" add column "cancel_cause" text;
alter table "workflow" add column "is_cancel_final" ${integer} not null default 0;
alter table "workflow" add column "retries" ${integer} not null default 0;
create table "pipeline_retry" (
  "pipeline_id" ${integer} primary key references "pipeline" ("id"),
  "due_at" ${integer} not null
) ${isSqlite ? 'strict' : ''};
create index "pipeline_retry_due" on "pipeline_retry" ("due_at");
`);
  },
};
