import { GantryError } from '../core/errors.ts';
import type { OwnerKind } from '../core/owner.ts';
import type { Connection } from './connection.ts';

/** Takes a name for a person or an organisation; refuses one that either has, whatever its case. */
export async function createOwner(
  connection: Connection,
  kind: OwnerKind,
  owner: { readonly name: string; readonly displayName: string; readonly createdAt: Date },
): Promise<number> {
  const row = await connection.db
    .insertInto('owner')
    .values({
      kind,
      name: owner.name,
      name_key: owner.name.toLowerCase(),
      display_name: owner.displayName,
      created_at: owner.createdAt,
    })
    .onConflict((conflict) => conflict.column('name_key').doNothing())
    .returning('id')
    .executeTakeFirst();
  if (!row) {
    throw new GantryError('PERSON_EXISTS', `Cannot create the ${kind} "${owner.name}": the name is taken`);
  }
  return row.id;
}
