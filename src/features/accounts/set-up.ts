import { timingSafeEqual } from 'node:crypto';
import { hashOfCredential } from '../../core/credential.ts';
import { GantryError } from '../../core/errors.ts';
import type { Person } from '../../core/person.ts';
import type { Stores, UnitOfWork } from '../../core/unit-of-work.ts';
import { randomBase62 } from '../../lib/ids.ts';
import type { OperationHandlers } from '../feature.ts';
import { auditEntry, type Doer, systemDoer } from './audit-entry.ts';
import type { AccountsDeps } from './deps.ts';
import { personView } from './person-view.ts';
import { checkName, checkPassword } from './rules.ts';
import { beginSession } from './sessions.ts';
import { takeTry } from './sign-in.ts';

/** Setting that holds the hash of the set-up link's key. */
const keySetting = 'setup-key-sha256';

/**
 * Draws the key of the set-up link, for the server to print at its start; `undefined` when an admin is there already.
 * Each start draws a new one, and only its hash is stored: what an old log shows opens nothing.
 */
export async function ensureSetupKey({ store }: { readonly store: UnitOfWork }): Promise<string | undefined> {
  return store.write(async (stores) => {
    if ((await stores.people.count()) > 0) {
      await stores.settings.set(keySetting, undefined);
      return undefined;
    }
    const key = randomBase62();
    await stores.settings.set(keySetting, hashOfCredential(key));
    return key;
  });
}

/**
 * Creates the first admin without a browser, for whoever may run commands on the server's host.
 * Without a password one is drawn, and answered this once. Throws SETUP_DONE when there is somebody already.
 */
export async function createFirstAdmin(
  { store, clock, passwords }: Pick<AccountsDeps, 'store' | 'clock' | 'passwords'>,
  { name, password: given }: { readonly name: string; readonly password?: string | undefined },
): Promise<{ readonly person: Person; readonly password: string }> {
  const password = given ?? randomBase62(15);
  checkName(name);
  checkPassword(password, name);
  const passwordHash = await passwords.hash(password);
  const at = clock.now();
  const person = await store.write((stores) =>
    insertFirstAdmin(stores, { name, displayName: '', email: '', passwordHash }, systemDoer, at),
  );
  return { person, password };
}

async function insertFirstAdmin(
  stores: Stores,
  admin: { name: string; displayName: string; email: string; passwordHash: string },
  doer: Doer,
  at: Date,
): Promise<Person> {
  if ((await stores.people.count()) > 0)
    throw new GantryError('SETUP_DONE', 'Cannot set up: this Gantry has people already');
  const person = await stores.people.create({ ...admin, isSiteAdmin: true, createdAt: at });
  await stores.settings.set(keySetting, undefined);
  await stores.audit.append(auditEntry(doer, at, 'site:set-up', `person:${person.name}`));
  return person;
}

export function setUpOperations(deps: AccountsDeps) {
  const { store, clock, passwords, publicUrl, version } = deps;
  return {
    async getInstance() {
      return { version, needsSetup: (await store.read.people.count()) === 0 };
    },

    async setUp({ body: { key, name, displayName = '', email = '', password } }, request) {
      await takeTry(deps, 'set-up', request);
      if ((await store.read.people.count()) > 0)
        throw new GantryError('SETUP_DONE', 'Cannot set up: this Gantry has people already');
      const expected = await store.read.settings.get(keySetting);
      const isRight =
        expected !== undefined && timingSafeEqual(Buffer.from(hashOfCredential(key)), Buffer.from(expected));
      if (!isRight) {
        await request.noteRefusal('site:set-up:refused', 'site');
        throw new GantryError('SETUP_LINK_INVALID', 'Cannot set up: the key of the link is not the present one');
      }
      checkName(name);
      checkPassword(password, name);

      const passwordHash = await passwords.hash(password);
      const at = clock.now();
      const { person, cookie } = await store.write(async (stores) => {
        const admin = await insertFirstAdmin(stores, { name, displayName, email, passwordHash }, request, at);
        return { person: admin, ...(await beginSession(stores, admin, request, { at, publicUrl })) };
      });
      request.setHeader('Set-Cookie', cookie);
      return personView(person, person);
    },
  } satisfies OperationHandlers;
}
