import { sql } from 'kysely';
import type { Holder } from '../core/holder.ts';
import type { SealedSecret } from '../core/secret-record.ts';

/** Columns of a table whose rows are a project's or an organisation's. */
interface HeldRow {
  readonly project_id: number | null;
  readonly owner_id: number | null;
}

interface SealedRow {
  readonly key_id: string | null;
  readonly wrapped_key: Buffer | null;
  readonly nonce: Buffer | null;
  readonly ciphertext: Buffer | null;
}

/** The column that names a holder. */
export function holderColumn({ kind }: Holder): 'project_id' | 'owner_id' {
  return kind === 'project' ? 'project_id' : 'owner_id';
}

export function holderOf({ project_id, owner_id }: HeldRow): Holder {
  return project_id === null ? { kind: 'organisation', id: owner_id ?? 0 } : { kind: 'project', id: project_id };
}

/** Whether a row counts for the project: by itself, or by its organisation. */
export function countsFor(projectId: number) {
  return sql<boolean>`("project_id" = ${projectId}
    or "owner_id" = (select "p"."owner_id" from "project" as "p" where "p"."id" = ${projectId}))`;
}

/** One of each name: the project's own hide those of its organisation. */
export function ownFirst<Row extends HeldRow>(rows: readonly Row[], nameOf: (row: Row) => string): readonly Row[] {
  const own = new Set(rows.filter(({ project_id }) => project_id !== null).map(nameOf));
  return rows.filter((row) => row.project_id !== null || !own.has(nameOf(row)));
}

/** `undefined` for a row that was only reserved. */
export function sealedOf({ key_id, wrapped_key, nonce, ciphertext }: SealedRow): SealedSecret | undefined {
  if (key_id === null || !wrapped_key || !nonce || !ciphertext) return undefined;
  return { keyId: key_id, wrappedKey: wrapped_key, nonce, ciphertext };
}
