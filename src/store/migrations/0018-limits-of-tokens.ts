import type { Connection } from '../connection.ts';
import type { Migration } from './migration.ts';

/** How far the token reached by which an event was caused: its run reads no more. What is there keeps the rights it had. */
export const limitsOfTokens: Migration = {
  version: 18,
  name: 'limits of tokens',
  async up(connection: Connection): Promise<void> {
    await connection.script(`
alter table "event" add column "token_project_ids" text;
alter table "push_intent" add column "token_project_ids" text;
`);
  },
};
