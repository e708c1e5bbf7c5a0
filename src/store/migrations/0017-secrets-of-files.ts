import type { Connection } from '../connection.ts';
import type { Migration } from './migration.ts';

/**
 * For which pull requests secrets and logins of registries open, and keys that projects bring from elsewhere. What is
 * there opens as it did: logins for every pull request, and secrets with pull requests among their events as well.
 */
export const secretsOfFiles: Migration = {
  version: 17,
  name: 'secrets of files',
  async up(connection: Connection): Promise<void> {
    const isSqlite = connection.dialect === 'sqlite';
    const integer = isSqlite ? 'integer' : 'bigint';
    const bytes = isSqlite ? 'blob' : 'bytea';
    await connection.script(`
alter table "secret" add column "pull_requests" text not null default 'none';
update "secret" set "pull_requests" = 'forks' where "events" like '%"pull_request"%';
alter table "registry_login" add column "pull_requests" text not null default 'project';
update "registry_login" set "pull_requests" = 'forks';
create table "imported_key" (
  "project_id" ${integer} primary key references "project" ("id"),
  "key_id" text not null,
  "wrapped_key" ${bytes} not null,
  "nonce" ${bytes} not null,
  "ciphertext" ${bytes} not null,
  "updated_at" ${integer} not null,
  "updated_by" text not null
) ${isSqlite ? 'strict' : ''};
`);
  },
};
