import type { Connection } from '../connection.ts';
import type { Migration } from './migration.ts';

/**
 * Records of the audit say which project they are about by its id, so that its people can read them whatever it is
 * called by then. Records from before have none: they are never changed, and stay in the record of the whole site.
 * The indexes serve the filters of that record, and finding sessions that have ended.
 */
export const auditByProject: Migration = {
  version: 3,
  name: 'audit-by-project',
  async up(connection: Connection): Promise<void> {
    const integer = connection.dialect === 'sqlite' ? 'integer' : 'bigint';
    await connection.script(`
alter table "audit" add column "project_id" ${integer};
create index "audit_by_project" on "audit" ("project_id", "sequence");
create index "audit_by_actor" on "audit" ("actor", "sequence");
create index "audit_by_action" on "audit" ("action", "sequence");
create index "audit_by_time" on "audit" ("at");
create index "session_by_end" on "session" ("expires_at");
create index "session_by_use" on "session" ("last_used_at");
`);
  },
};
