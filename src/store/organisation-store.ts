import type { Organisation, OrganisationStore } from '../core/organisation.ts';
import type { Role } from '../core/permission.ts';
import type { Connection } from './connection.ts';
import { createOwner } from './owner-table.ts';

/** Organisations in the database. */
export function createOrganisationStore(connection: Connection): OrganisationStore {
  const { db } = connection;
  const organisations = () =>
    db.selectFrom('owner').select(['id', 'name', 'display_name', 'created_at']).where('kind', '=', 'organisation');

  return {
    async find(id) {
      return (await organisations().where('id', '=', id).execute()).map(toOrganisation)[0];
    },
    async findByName(name) {
      return (await organisations().where('name_key', '=', name.toLowerCase()).execute()).map(toOrganisation)[0];
    },
    async list() {
      return (await organisations().orderBy('name_key').execute()).map(toOrganisation);
    },
    async create(organisation) {
      return { id: await createOwner(connection, 'organisation', organisation), ...organisation };
    },
    async members(organisationId) {
      const rows = await db
        .selectFrom('organisation_member')
        .innerJoin('owner', 'owner.id', 'organisation_member.person_id')
        .select(['owner.id', 'owner.name', 'organisation_member.role'])
        .where('organisation_member.organisation_id', '=', organisationId)
        .orderBy('owner.name_key')
        .execute();
      return rows.map((row) => ({ personId: row.id, personName: row.name, role: row.role as Role }));
    },
    async setRole(organisationId, personId, role) {
      if (role === undefined) {
        await db
          .deleteFrom('organisation_member')
          .where('organisation_id', '=', organisationId)
          .where('person_id', '=', personId)
          .execute();
        return;
      }
      await db
        .insertInto('organisation_member')
        .values({ organisation_id: organisationId, person_id: personId, role })
        .onConflict((conflict) => conflict.columns(['organisation_id', 'person_id']).doUpdateSet({ role }))
        .execute();
    },
  };
}

function toOrganisation(row: {
  readonly id: number;
  readonly name: string;
  readonly display_name: string;
  readonly created_at: number;
}): Organisation {
  return { id: row.id, name: row.name, displayName: row.display_name, createdAt: new Date(row.created_at) };
}
