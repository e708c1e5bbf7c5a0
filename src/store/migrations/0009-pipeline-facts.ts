import type { Connection } from '../connection.ts';
import type { Migration } from './migration.ts';

/** What a pipeline file was read with, and when the first process of a step ran. */
export const pipelineFacts: Migration = {
  version: 9,
  name: 'pipeline-facts',
  async up(connection: Connection): Promise<void> {
    const words = connection.dialect === 'sqlite' ? { int: 'integer', end: 'strict' } : { int: 'bigint', end: '' };
    await connection.script(`
create table "pipeline_facts" (
  "pipeline_id" ${words.int} primary key references "pipeline" ("id"),
  "facts" text not null
) ${words.end};
alter table "step" add column "running_at" ${words.int};
`);
  },
};
