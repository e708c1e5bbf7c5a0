import { GantryError } from '../../core/errors.ts';
import { networkOf } from '../../lib/network-of.ts';
import type { OperationHandlers, RequestContext } from '../feature.ts';
import { auditEntry } from './audit-entry.ts';
import type { AccountsDeps } from './deps.ts';
import { personView } from './person-view.ts';
import { beginSession } from './sessions.ts';

/** Tries of one account from one network: a person who mistypes gets through, a list of words does not. */
const triesPerAccount = { capacity: 10, perSecond: 1 / 60 };
/** Tries of all accounts from one network. */
const triesPerNetwork = { capacity: 100, perSecond: 1 / 2 };

/** Takes one try of this account from the asker's network. The buckets are in the database: a restart fills none. */
export async function takeTry({ store, clock }: AccountsDeps, name: string, request: RequestContext): Promise<void> {
  const network = networkOf(request.remoteAddress);
  const at = clock.now();
  const { allowed, retryAfterMs } = await store.write(async (stores) => {
    const all = await stores.rateLimits.take(`sign-in:*:${network}`, 1, triesPerNetwork, at);
    if (!all.allowed) return all;
    return stores.rateLimits.take(`sign-in:${name.toLowerCase()}:${network}`, 1, triesPerAccount, at);
  });
  if (!allowed)
    throw new GantryError('RATE_LIMITED', 'Cannot sign in: there were too many tries', { details: { retryAfterMs } });
}

/** Checks name and password, and begins a session. Every refusal has the same words and takes the same time. */
export function signInOperations(deps: AccountsDeps) {
  const { store, clock, passwords, publicUrl } = deps;
  return {
    async signIn({ body: { name, password } }, request) {
      await takeTry(deps, name, request);
      const credentials = await store.read.people.findCredentials(name);
      const { isRight, isOutdated } = await passwords.verify(password, credentials?.passwordHash);
      const person = isRight && credentials ? await store.read.people.find(credentials.personId) : undefined;
      if (!person || person.disabledAt) {
        await request.noteRefusal('sign-in:refused', `person:${name}`);
        throw new GantryError('CREDENTIALS_INVALID', 'Cannot sign in: the name or the password is wrong');
      }

      const stronger = isOutdated ? await passwords.hash(password) : undefined;
      const at = clock.now();
      const { cookie } = await store.write(async (stores) => {
        if (stronger !== undefined) await stores.people.setPasswordHash(person.id, stronger);
        // A session that was there before the sign-in must not be the one after it.
        if (request.actor.kind === 'person' && request.actor.via === 'session') {
          await stores.sessions.remove(request.actor.credentialId);
          await stores.happenings.append([{ type: 'access-changed', personId: request.actor.person.id }], at);
        }
        await stores.audit.append(auditEntry(request, at, 'sign-in:accepted', `person:${person.name}`));
        return beginSession(stores, person, request, { at, publicUrl });
      });
      request.setHeader('Set-Cookie', cookie);
      return personView(person, person);
    },
  } satisfies OperationHandlers;
}
