import { sessionCookie } from '../../api/session-cookie.ts';
import { hashOfCredential, newCredential, sessionIdleMs, sessionLifeMs } from '../../core/credential.ts';
import { GantryError } from '../../core/errors.ts';
import type { Person } from '../../core/person.ts';
import type { Stores } from '../../core/unit-of-work.ts';
import { sortableId } from '../../lib/ids.ts';
import type { OperationHandlers, RequestContext } from '../feature.ts';
import { auditEntry } from './audit-entry.ts';
import type { AccountsDeps } from './deps.ts';
import { getSignedIn } from './person-view.ts';

/** Begins a session and answers its id and its `Set-Cookie` header. The secret is nowhere else. */
export async function beginSession(
  stores: Stores,
  person: Person,
  request: RequestContext,
  { at, publicUrl }: { readonly at: Date; readonly publicUrl: string },
): Promise<{ readonly id: string; readonly cookie: string }> {
  const secret = newCredential('ses');
  const id = sortableId('ses', at);
  await stores.sessions.create({
    id,
    personId: person.id,
    createdAt: at,
    lastUsedAt: at,
    expiresAt: new Date(at.getTime() + sessionLifeMs),
    userAgent: request.userAgent,
    remoteAddress: request.remoteAddress,
    sha256: hashOfCredential(secret),
  });
  await stores.people.markSeen(person.id, at);
  return { id, cookie: sessionCookie(publicUrl, secret, sessionLifeMs) };
}

export function sessionOperations({ store, clock, publicUrl }: AccountsDeps) {
  return {
    async signOut(_input, request) {
      const me = getSignedIn(request.actor);
      if (me.via !== 'session')
        throw new GantryError('SESSION_NOT_FOUND', 'Cannot sign out: a token is no session; revoke it instead');
      const at = clock.now();
      await store.write(async (stores) => {
        await stores.sessions.remove(me.credentialId);
        await stores.happenings.append([{ type: 'access-changed', personId: me.person.id }], at);
      });
      request.setHeader('Set-Cookie', sessionCookie(publicUrl, undefined, 0));
    },

    async listSessions(_input, request) {
      const me = getSignedIn(request.actor);
      const now = clock.now().getTime();
      const sessions = await store.read.sessions.list(me.person.id);
      return {
        items: sessions
          .filter(
            ({ expiresAt, lastUsedAt }) => expiresAt.getTime() > now && lastUsedAt.getTime() + sessionIdleMs > now,
          )
          .map((session) => ({
            id: session.id,
            isThis: me.via === 'session' && session.id === me.credentialId,
            userAgent: session.userAgent,
            remoteAddress: session.remoteAddress,
            createdAt: session.createdAt.toISOString(),
            lastUsedAt: session.lastUsedAt.toISOString(),
          })),
        next: null,
      };
    },

    async endSession({ params: { id } }, request) {
      const me = getSignedIn(request.actor);
      const at = clock.now();
      await store.write(async (stores) => {
        const session = await stores.sessions.find(id);
        if (session?.personId !== me.person.id)
          throw new GantryError('SESSION_NOT_FOUND', 'Cannot end the session: you have none with this id');
        await stores.sessions.remove(id);
        await stores.audit.append(auditEntry(request, at, 'session:end', `person:${me.person.name}`, { session: id }));
        await stores.happenings.append([{ type: 'access-changed', personId: me.person.id }], at);
      });
    },
  } satisfies OperationHandlers;
}
