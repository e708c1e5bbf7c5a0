import { createHash } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import { type Selectable, sql } from 'kysely';
import type { AuditEntry, AuditStore, ChainMark, NewAuditEntry } from '../core/audit.ts';
import type { Connection } from './connection.ts';
import type { Tables } from './tables.ts';

/** What the first record follows. */
const genesis = '0'.repeat(64);
const verifiedAtOnce = 1_000;

type AuditRow = Selectable<Tables['audit']>;

/** The audit record in the database: only appended to (a trigger sees to it), each record chained to the one before. */
export function createAuditStore({ db }: Connection): AuditStore {
  return {
    async append(entry: NewAuditEntry) {
      const last = await db
        .selectFrom('audit')
        .select(['sequence', 'hash'])
        .orderBy('sequence', 'desc')
        .limit(1)
        .executeTakeFirst();
      const record = {
        sequence: (last?.sequence ?? 0) + 1,
        at: entry.at.getTime(),
        actor: entry.actor,
        action: entry.action,
        subject: entry.subject,
        remote_address: entry.remoteAddress,
        request_id: entry.requestId,
        details: canonicalJson(entry.details),
        previous_hash: last?.hash ?? genesis,
        project_id: entry.projectId ?? null,
      };
      await db
        .insertInto('audit')
        .values({ ...record, at: entry.at, hash: hashOf(record) })
        .execute();
    },
    async list({ limit, before, actor, action, isRefused, projectId, subject, from, to }) {
      let query = db.selectFrom('audit').selectAll().orderBy('sequence', 'desc').limit(limit);
      if (before !== undefined) query = query.where('sequence', '<', before);
      if (actor !== undefined) query = query.where('actor', '=', actor);
      if (action !== undefined)
        query = query.where((eb) => eb.or([eb('action', '=', action), beginsWith('action', `${action}:`)]));
      if (isRefused) query = query.where('action', 'like', '%:refused');
      if (projectId !== undefined) query = query.where('project_id', '=', projectId);
      if (subject !== undefined)
        query = query.where((eb) => eb.or([eb('subject', '=', subject), beginsWith('subject', `${subject}:`)]));
      if (from !== undefined) query = query.where('at', '>=', from.getTime());
      if (to !== undefined) query = query.where('at', '<', to.getTime());
      return (await query.execute()).map(toEntry);
    },
    async verify() {
      return (await follow(undefined)).brokenAt;
    },
    follow,
  };

  async function follow(
    after: ChainMark | undefined,
    limit = Number.POSITIVE_INFINITY,
  ): ReturnType<AuditStore['follow']> {
    const end = (after?.sequence ?? 0) + limit;
    let { sequence, hash } = after ?? { sequence: 0, hash: genesis };
    if (after && after.sequence > 0) {
      const known = await db.selectFrom('audit').selectAll().where('sequence', '=', sequence).executeTakeFirst();
      if (known?.hash !== hash || hashOf(known) !== hash)
        return { brokenAt: sequence, last: { sequence: 0, hash: genesis } };
    }
    while (sequence < end) {
      const rows = await db
        .selectFrom('audit')
        .selectAll()
        .where('sequence', '>', sequence)
        .orderBy('sequence')
        .limit(Math.min(verifiedAtOnce, end - sequence))
        .execute();
      if (rows.length === 0) break;
      for (const row of rows) {
        const follows = row.sequence === sequence + 1 && row.previous_hash === hash && row.hash === hashOf(row);
        if (!follows) return { brokenAt: sequence + 1, last: { sequence, hash } };
        ({ sequence, hash } = row);
      }
      // Reading and hashing a long record takes this thread; requests must not wait for its end.
      await setImmediate();
    }
    return { brokenAt: undefined, last: { sequence, hash } };
  }
}

/** Whether a column begins with a text, in which every character stands for itself. */
function beginsWith(column: 'action' | 'subject', text: string) {
  const pattern = `${text.replace(/[\\%_]/g, '\\$&')}%`;
  return sql<boolean>`${sql.ref(column)} like ${pattern} escape '\\'`;
}

/** SHA-256 over the fields in a fixed order, each after its length: no two records can be written the same way. */
function hashOf(record: Omit<AuditRow, 'hash'>): string {
  const hash = createHash('sha256');
  for (const field of [
    record.previous_hash,
    String(record.sequence),
    new Date(record.at).toISOString(),
    record.actor,
    record.action,
    record.subject,
    record.remote_address,
    record.request_id,
    record.details,
    // Records from before this column was there hash as they did.
    ...(record.project_id === null ? [] : [`project ${record.project_id}`]),
  ]) {
    const bytes = Buffer.from(field, 'utf8');
    hash.update(`${bytes.byteLength}:`).update(bytes);
  }
  return hash.digest('hex');
}

/** JSON with sorted keys, so that equal values are equal text. */
function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}

function toEntry(row: AuditRow): AuditEntry {
  return {
    sequence: row.sequence,
    at: new Date(row.at),
    actor: row.actor,
    action: row.action,
    subject: row.subject,
    remoteAddress: row.remote_address,
    requestId: row.request_id,
    details: JSON.parse(row.details) as Record<string, unknown>,
    projectId: row.project_id ?? undefined,
    previousHash: row.previous_hash,
    hash: row.hash,
  };
}
