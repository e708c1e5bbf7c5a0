import type { Connection } from '../connection.ts';
import type { Migration } from './migration.ts';

/**
 * Further ways in: logins of programs that a person approves in a browser, and one-time links to choose a password.
 * Both keep hashes of their codes only. People remember when they were last seen: what is known of it now are the last
 * uses of their sessions and tokens.
 */
export const waysIn: Migration = {
  version: 4,
  name: 'ways-in',
  async up(connection: Connection): Promise<void> {
    const isSqlite = connection.dialect === 'sqlite';
    const integer = isSqlite ? 'integer' : 'bigint';
    const end = isSqlite ? 'strict' : '';
    await connection.script(`
create table "device_login" (
  "device_sha256" text primary key,
  "user_sha256" text not null unique,
  "host_name" text not null,
  "scopes" text not null,
  "expires_in_days" ${integer},
  "remote_address" text not null,
  "created_at" ${integer} not null,
  "expires_at" ${integer} not null,
  "interval_ms" ${integer} not null,
  "polled_at" ${integer},
  "decided_by" ${integer} references "person" ("owner_id"),
  "is_approved" ${integer}
) ${end};
create index "device_login_by_end" on "device_login" ("expires_at");
create table "password_link" (
  "person_id" ${integer} primary key references "person" ("owner_id"),
  "sha256" text not null unique,
  "created_at" ${integer} not null,
  "expires_at" ${integer} not null
) ${end};
create index "password_link_by_end" on "password_link" ("expires_at");
alter table "person" add column "last_seen_at" ${integer};
update "person" set "last_seen_at" = (
  select max("used"."at") from (
    select "person_id", "last_used_at" as "at" from "session"
    union all select "person_id", "last_used_at" as "at" from "token"
  ) as "used" where "used"."person_id" = "person"."owner_id"
);
`);
  },
};
