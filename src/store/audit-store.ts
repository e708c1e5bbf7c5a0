import { createHash } from 'node:crypto';
import type { Selectable } from 'kysely';
import type { AuditEntry, AuditStore, NewAuditEntry } from '../core/audit.ts';
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
      };
      await db
        .insertInto('audit')
        .values({ ...record, at: entry.at, hash: hashOf(record) })
        .execute();
    },
    async list({ limit, before }) {
      let query = db.selectFrom('audit').selectAll().orderBy('sequence', 'desc').limit(limit);
      if (before !== undefined) query = query.where('sequence', '<', before);
      return (await query.execute()).map(toEntry);
    },
    async verify() {
      let sequence = 0;
      let hash = genesis;
      for (;;) {
        const rows = await db
          .selectFrom('audit')
          .selectAll()
          .where('sequence', '>', sequence)
          .orderBy('sequence')
          .limit(verifiedAtOnce)
          .execute();
        if (rows.length === 0) return undefined;
        for (const row of rows) {
          const follows = row.sequence === sequence + 1 && row.previous_hash === hash && row.hash === hashOf(row);
          if (!follows) return sequence + 1;
          ({ sequence, hash } = row);
        }
      }
    },
  };
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
    previousHash: row.previous_hash,
    hash: row.hash,
  };
}
