import { hashOfCredential } from '../../core/credential.ts';
import { GantryError } from '../../core/errors.ts';
import { passwordLinkLifeMs } from '../../core/password-link.ts';
import type { Person } from '../../core/person.ts';
import type { Stores } from '../../core/unit-of-work.ts';
import { randomBase62 } from '../../lib/ids.ts';
import type { OperationHandlers } from '../feature.ts';
import { auditEntry } from './audit-entry.ts';
import type { AccountsDeps } from './deps.ts';
import { getPerson } from './get-person.ts';
import { personView } from './person-view.ts';
import { checkPassword } from './rules.ts';
import { beginSession } from './sessions.ts';
import { takeTry } from './sign-in.ts';

/** Draws the one link of a person; what they had before opens nothing any more. Within the transaction of `stores`. */
export async function drawPasswordLink(
  stores: Stores,
  person: Person,
  at: Date,
  publicUrl: string,
): Promise<{ readonly url: string; readonly expiresAt: string }> {
  const key = randomBase62();
  const expiresAt = new Date(at.getTime() + passwordLinkLifeMs);
  await stores.passwordLinks.set({ personId: person.id, sha256: hashOfCredential(key), createdAt: at, expiresAt });
  // After the #, which no server and no Referer is told.
  const url = `${publicUrl}/welcome?name=${encodeURIComponent(person.name)}#${key}`;
  return { url, expiresAt: expiresAt.toISOString() };
}

/** Links with which people choose a password themselves: nobody else ever knows it. */
export function passwordLinkOperations(deps: AccountsDeps) {
  const { store, clock, passwords, publicUrl } = deps;
  return {
    async createPasswordLink({ params: { name } }, request) {
      const at = clock.now();
      return store.write(async (stores) => {
        const person = await getPerson(stores, name);
        const link = await drawPasswordLink(stores, person, at, publicUrl);
        await stores.audit.append(auditEntry(request, at, 'person:link', `person:${person.name}`));
        return link;
      });
    },

    async usePasswordLink({ body: { key, password } }, request) {
      await takeTry(deps, 'password:link', request);
      const sha256 = hashOfCredential(key);
      const invalid = new GantryError(
        'PASSWORD_LINK_INVALID',
        'Cannot set the password: the link was used, replaced, or has expired',
      );
      const find = async (stores: Stores): Promise<Person> => {
        const link = await stores.passwordLinks.findByHash(sha256);
        const person = link && link.expiresAt > clock.now() ? await stores.people.find(link.personId) : undefined;
        if (!person || person.disabledAt) throw invalid;
        return person;
      };
      const asker = await find(store.read).catch(async (error: unknown) => {
        await request.noteRefusal('password:choose:refused', 'site');
        throw error;
      });
      checkPassword(password, asker.name);
      const passwordHash = await passwords.hash(password);

      const at = clock.now();
      const { person, cookie } = await store.write(async (stores) => {
        // Asked again: while the password was hashed, somebody else may have used the link.
        const found = await find(stores);
        await stores.passwordLinks.removeOf(found.id);
        await stores.people.setPasswordHash(found.id, passwordHash);
        await stores.sessions.removeOthers(found.id, undefined);
        await stores.audit.append(auditEntry(request, at, 'password:choose', `person:${found.name}`));
        await stores.happenings.append([{ type: 'access-changed', personId: found.id }], at);
        return { person: found, ...(await beginSession(stores, found, request, { at, publicUrl })) };
      });
      request.setHeader('Set-Cookie', cookie);
      return personView(person, person);
    },
  } satisfies OperationHandlers;
}
