import { GantryError } from '../core/errors.ts';
import type { NewPerson, Person, PersonCredentials, PersonStore } from '../core/person.ts';
import type { Connection } from './connection.ts';
import { toDate } from './json-column.ts';
import { createOwner } from './owner-table.ts';
import { prepare } from './prepare.ts';

interface PersonRow {
  readonly id: number;
  readonly name: string;
  readonly display_name: string;
  readonly created_at: number;
  readonly email: string;
  readonly is_site_admin: number;
  readonly disabled_at: number | null;
  readonly last_seen_at: number | null;
}

/** People in the database. */
export function createPersonStore(connection: Connection): PersonStore {
  const { db } = connection;
  const people = () =>
    db
      .selectFrom('person')
      .innerJoin('owner', 'owner.id', 'person.owner_id')
      .select([
        'owner.id',
        'owner.name',
        'owner.display_name',
        'owner.created_at',
        'person.email',
        'person.is_site_admin',
        'person.disabled_at',
        'person.last_seen_at',
      ]);
  const byId = prepare<{ id: number }>()(connection, (_, value) => people().where('owner.id', '=', value.id));
  const byName = prepare<{ key: string }>()(connection, (_, value) => people().where('owner.name_key', '=', value.key));

  return {
    async find(id) {
      return (await byId.run({ id })).map(toPerson)[0];
    },
    async findByName(name) {
      return (await byName.run({ key: name.toLowerCase() })).map(toPerson)[0];
    },
    async findCredentials(name): Promise<PersonCredentials | undefined> {
      const row = await db
        .selectFrom('person')
        .innerJoin('owner', 'owner.id', 'person.owner_id')
        .select(['person.owner_id', 'person.password_hash'])
        .where('owner.name_key', '=', name.toLowerCase())
        .executeTakeFirst();
      return row && { personId: row.owner_id, passwordHash: row.password_hash };
    },
    async count() {
      const row = await db
        .selectFrom('person')
        .select((eb) => eb.fn.countAll<number>().as('count'))
        .executeTakeFirstOrThrow();
      return Number(row.count);
    },
    async list() {
      return (await people().orderBy('owner.name_key').execute()).map(toPerson);
    },
    async create(person: NewPerson): Promise<Person> {
      const id = await createOwner(connection, 'person', person);
      await db
        .insertInto('person')
        .values({
          owner_id: id,
          email: person.email,
          is_site_admin: person.isSiteAdmin,
          password_hash: person.passwordHash,
        })
        .execute();
      return {
        id,
        name: person.name,
        displayName: person.displayName,
        email: person.email,
        isSiteAdmin: person.isSiteAdmin,
        disabledAt: undefined,
        createdAt: person.createdAt,
        lastSeenAt: undefined,
      };
    },
    async update(person: Person) {
      // The name is an address: it stays as it was given.
      await db
        .updateTable('owner')
        .set({ display_name: person.displayName })
        .where('id', '=', person.id)
        .where('kind', '=', 'person')
        .execute();
      const changed = await db
        .updateTable('person')
        .set({ email: person.email, is_site_admin: person.isSiteAdmin, disabled_at: person.disabledAt ?? null })
        .where('owner_id', '=', person.id)
        .executeTakeFirst();
      if (changed.numUpdatedRows === 0n) throw nobody('change', person.id);
    },
    async markSeen(personId, at) {
      await db.updateTable('person').set({ last_seen_at: at }).where('owner_id', '=', personId).execute();
    },
    async setPasswordHash(personId, passwordHash) {
      const changed = await db
        .updateTable('person')
        .set({ password_hash: passwordHash })
        .where('owner_id', '=', personId)
        .executeTakeFirst();
      if (changed.numUpdatedRows === 0n) throw nobody('set the password of', personId);
    },
  };
}

function nobody(what: string, id: number): GantryError {
  return new GantryError('PERSON_NOT_FOUND', `Cannot ${what} person ${id}: there is none with this id`);
}

function toPerson(row: PersonRow): Person {
  return {
    id: row.id,
    name: row.name,
    displayName: row.display_name,
    email: row.email,
    isSiteAdmin: row.is_site_admin === 1,
    disabledAt: toDate(row.disabled_at),
    createdAt: new Date(row.created_at),
    lastSeenAt: toDate(row.last_seen_at),
  };
}
