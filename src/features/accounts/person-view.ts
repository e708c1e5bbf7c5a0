import type { PersonView } from '../../api/accounts.ts';
import { GantryError } from '../../core/errors.ts';
import type { Actor } from '../../core/permission.ts';
import type { Person } from '../../core/person.ts';

/** A person as others see them: the mail address, and when they were last seen, is for themselves and for site admins. */
export function personView(person: Person, viewer: Person): PersonView {
  const maySeeAddress = viewer.isSiteAdmin || viewer.id === person.id;
  return {
    name: person.name,
    displayName: person.displayName,
    email: maySeeAddress ? person.email : '',
    isSiteAdmin: person.isSiteAdmin,
    isDisabled: person.disabledAt !== undefined,
    createdAt: person.createdAt.toISOString(),
    lastSeenAt: (maySeeAddress && person.lastSeenAt?.toISOString()) || null,
  };
}

export type SignedIn = Extract<Actor, { kind: 'person' }>;

/** The one who asks, where the route has let in only who is signed in. */
export function getSignedIn(actor: Actor): SignedIn {
  if (actor.kind !== 'person') throw new GantryError('SIGN_IN_REQUIRED', 'Cannot do this: nobody is signed in');
  return actor;
}
