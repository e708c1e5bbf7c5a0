import type { Connection } from '../connection.ts';
import type { Migration } from './migration.ts';

/** Who ran a workflow again last, and how far their token reached: it reads no more than they may either. */
export const readersOfReruns: Migration = {
  version: 19,
  name: 'readers of reruns',
  async up(connection: Connection): Promise<void> {
    const isSqlite = connection.dialect === 'sqlite';
    const integer = isSqlite ? 'integer' : 'bigint';
    await connection.script(`
create table "workflow_rerun" (
  "workflow_id" ${integer} primary key references "workflow" ("id"),
  "person_id" ${integer} not null references "person" ("owner_id"),
  "token_project_ids" text
) ${isSqlite ? 'strict' : ''};
`);
  },
};
