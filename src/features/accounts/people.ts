import { GantryError } from '../../core/errors.ts';
import type { Person } from '../../core/person.ts';
import type { OperationHandlers } from '../feature.ts';
import { auditEntry } from './audit-entry.ts';
import type { AccountsDeps } from './deps.ts';
import { getPerson } from './get-person.ts';
import { drawPasswordLink } from './password-links.ts';
import { getSignedIn, personView } from './person-view.ts';
import { checkName, checkPassword } from './rules.ts';
import { beginSession } from './sessions.ts';
import { takeTry } from './sign-in.ts';

/** No PHC string, and so no password is right. */
const noPassword = '-';

export function peopleOperations(deps: AccountsDeps) {
  const { store, clock, passwords, publicUrl } = deps;
  return {
    async getMe(_input, request) {
      const { person, via, scopes } = getSignedIn(request.actor);
      return { ...personView(person, person), via, scopes: [...scopes] };
    },

    async updateMe({ body: { displayName, email, password } }, request) {
      const me = getSignedIn(request.actor);
      const { name } = me.person;
      if (password) {
        await takeTry(deps, name, request);
        const credentials = await store.read.people.findCredentials(name);
        const { isRight } = await passwords.verify(password.current, credentials?.passwordHash);
        if (!isRight) {
          await request.noteRefusal('password:change:refused', `person:${name}`);
          throw new GantryError('CREDENTIALS_INVALID', 'Cannot change the password: the present one is wrong');
        }
        checkPassword(password.next, name);
      }
      const passwordHash = password && (await passwords.hash(password.next));

      const at = clock.now();
      const { person, cookie } = await store.write(async (stores) => {
        const present = await getPerson(stores, name);
        const changed = { ...present, displayName: displayName ?? present.displayName, email: email ?? present.email };
        await stores.people.update(changed);
        if (passwordHash === undefined) return { person: changed, cookie: undefined };

        // Whoever knew the old password is signed out everywhere; the one who changed it goes on in a new session.
        await stores.people.setPasswordHash(present.id, passwordHash);
        await stores.passwordLinks.removeOf(present.id);
        const mine = me.via === 'session' ? await beginSession(stores, present, request, { at, publicUrl }) : undefined;
        await stores.sessions.removeOthers(present.id, mine?.id);
        await stores.audit.append(auditEntry(request, at, 'password:change', `person:${name}`));
        await stores.happenings.append([{ type: 'access-changed', personId: present.id }], at);
        return { person: changed, cookie: mine?.cookie };
      });
      if (cookie !== undefined) request.setHeader('Set-Cookie', cookie);
      return personView(person, person);
    },

    async listPeople(_input, request) {
      const me = getSignedIn(request.actor).person;
      return { items: (await store.read.people.list()).map((person) => personView(person, me)), next: null };
    },

    async createPerson({ body: { name, displayName = '', email = '', password, isSiteAdmin } }, request) {
      checkName(name);
      if (password !== undefined) checkPassword(password, name);
      const passwordHash = password === undefined ? noPassword : await passwords.hash(password);
      const at = clock.now();
      const { person, link } = await store.write(async (stores) => {
        const made = await stores.people.create({ name, displayName, email, isSiteAdmin, passwordHash, createdAt: at });
        await stores.audit.append(
          auditEntry(request, at, 'person:create', `person:${name}`, {
            isSiteAdmin,
            by: password ? 'password' : 'link',
          }),
        );
        return {
          person: made,
          link: password === undefined ? await drawPasswordLink(stores, made, at, publicUrl) : null,
        };
      });
      return { ...personView(person, getSignedIn(request.actor).person), link };
    },

    async updatePerson({ params, body: { isDisabled, isSiteAdmin, password } }, request) {
      if (password !== undefined) checkPassword(password, params.name);
      const passwordHash = password === undefined ? undefined : await passwords.hash(password);
      const at = clock.now();
      const person = await store.write(async (stores) => {
        const before = await getPerson(stores, params.name);
        const after: Person = {
          ...before,
          isSiteAdmin: isSiteAdmin ?? before.isSiteAdmin,
          disabledAt: isDisabled === undefined ? before.disabledAt : isDisabled ? (before.disabledAt ?? at) : undefined,
        };
        await stores.people.update(after);
        if (!(await stores.people.list()).some((each) => each.isSiteAdmin && !each.disabledAt))
          throw new GantryError('LAST_OWNER', `Cannot change ${before.name}: nobody else is a site admin`);
        if (passwordHash !== undefined) await stores.people.setPasswordHash(before.id, passwordHash);
        if (passwordHash !== undefined || after.disabledAt) await stores.passwordLinks.removeOf(before.id);
        if (passwordHash !== undefined || after.disabledAt) await stores.sessions.removeOthers(before.id, undefined);
        await stores.audit.append(
          auditEntry(request, at, 'person:update', `person:${before.name}`, {
            old: { isSiteAdmin: before.isSiteAdmin, isDisabled: before.disabledAt !== undefined },
            new: { isSiteAdmin: after.isSiteAdmin, isDisabled: after.disabledAt !== undefined },
            isPasswordSet: passwordHash !== undefined,
          }),
        );
        await stores.happenings.append([{ type: 'access-changed', personId: before.id }], at);
        return after;
      });
      return personView(person, getSignedIn(request.actor).person);
    },
  } satisfies OperationHandlers;
}
