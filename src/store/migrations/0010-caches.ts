import type { Connection } from '../connection.ts';
import type { Migration } from './migration.ts';

/** How often the keys of caches were asked for, and events whose pipelines are to use none. */
export const caches: Migration = {
  version: 10,
  name: 'caches',
  async up(connection: Connection): Promise<void> {
    const words = connection.dialect === 'sqlite' ? { int: 'integer', end: 'strict' } : { int: 'bigint', end: '' };
    await connection.script(`
create table "cache_use" (
  "project_id" ${words.int} not null references "project" ("id"),
  "key" text not null,
  "hits" ${words.int} not null,
  "misses" ${words.int} not null,
  "used_at" ${words.int} not null,
  primary key ("project_id", "key")
) ${words.end};
alter table "event" add column "ignores_caches" ${words.int};
`);
  },
};
