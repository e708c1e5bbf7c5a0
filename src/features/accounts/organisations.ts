import { GantryError } from '../../core/errors.ts';
import type { Organisation } from '../../core/organisation.ts';
import type { Role } from '../../core/permission.ts';
import type { Stores } from '../../core/unit-of-work.ts';
import type { OperationHandlers } from '../feature.ts';
import { auditEntry } from './audit-entry.ts';
import type { AccountsDeps } from './deps.ts';
import { getPerson } from './get-person.ts';
import { getSignedIn } from './person-view.ts';
import { checkName } from './rules.ts';

export function organisationOperations({ store, clock }: AccountsDeps) {
  return {
    async listOrganisations() {
      return { items: (await store.read.organisations.list()).map(organisationView), next: null };
    },

    async createOrganisation({ body: { name, displayName = '' } }, request) {
      checkName(name);
      const me = getSignedIn(request.actor).person;
      const at = clock.now();
      return store.write(async (stores) => {
        const organisation = await stores.organisations.create({ name, displayName, createdAt: at });
        await stores.organisations.setRole(organisation.id, me.id, 'owner');
        await stores.audit.append(auditEntry(request, at, 'organisation:create', `organisation:${name}`));
        await stores.happenings.append([{ type: 'access-changed', personId: me.id }], at);
        return organisationView(organisation);
      });
    },

    async listOrganisationMembers({ params: { owner } }) {
      const organisation = await getOrganisation(store.read, owner);
      const members = await store.read.organisations.members(organisation.id);
      return { items: members.map(({ personName, role }) => ({ name: personName, role })), next: null };
    },

    async setOrganisationMember({ params: { owner, name }, body: { role } }, request) {
      const at = clock.now();
      return store.write(async (stores) => {
        const organisation = await getOrganisation(stores, owner);
        const person = await getPerson(stores, name);
        const before = await roleIn(stores, organisation, person.id);
        await stores.organisations.setRole(organisation.id, person.id, role);
        await keepAnOwner(stores, organisation);
        await stores.audit.append(
          auditEntry(request, at, 'organisation:set-role', `organisation:${organisation.name}`, {
            person: person.name,
            old: before ?? null,
            new: role,
          }),
        );
        await stores.happenings.append([{ type: 'access-changed', personId: person.id }], at);
        return { name: person.name, role };
      });
    },

    async removeOrganisationMember({ params: { owner, name } }, request) {
      const at = clock.now();
      await store.write(async (stores) => {
        const organisation = await getOrganisation(stores, owner);
        const person = await stores.people.findByName(name);
        const before = person && (await roleIn(stores, organisation, person.id));
        if (!person || !before)
          throw new GantryError(
            'MEMBER_NOT_FOUND',
            `Cannot take ${name} out of ${organisation.name}: they are no member`,
            {
              details: { name },
            },
          );
        await stores.organisations.setRole(organisation.id, person.id, undefined);
        await keepAnOwner(stores, organisation);
        await stores.audit.append(
          auditEntry(request, at, 'organisation:set-role', `organisation:${organisation.name}`, {
            person: person.name,
            old: before,
            new: null,
          }),
        );
        await stores.happenings.append([{ type: 'access-changed', personId: person.id }], at);
      });
    },
  } satisfies OperationHandlers;
}

async function getOrganisation(stores: Stores, name: string): Promise<Organisation> {
  const organisation = await stores.organisations.findByName(name);
  if (!organisation)
    throw new GantryError('ORGANISATION_NOT_FOUND', `Cannot find "${name}": no organisation has this name`, {
      details: { name },
    });
  return organisation;
}

async function roleIn(stores: Stores, organisation: Organisation, personId: number): Promise<Role | undefined> {
  return (await stores.organisations.members(organisation.id)).find((member) => member.personId === personId)?.role;
}

/** Asked after the change and within it: the refusal undoes it. */
async function keepAnOwner(stores: Stores, organisation: Organisation): Promise<void> {
  const members = await stores.organisations.members(organisation.id);
  if (!members.some(({ role }) => role === 'owner'))
    throw new GantryError('LAST_OWNER', `Cannot change the members of ${organisation.name}: it would have no owner`);
}

function organisationView({ name, displayName, createdAt }: Organisation) {
  return { name, displayName, createdAt: createdAt.toISOString() };
}
