import type { Feature } from '../feature.ts';
import { auditExportRoute, auditOperations } from './audit.ts';
import type { AccountsDeps } from './deps.ts';
import { deviceLoginOperations } from './device-logins.ts';
import { organisationOperations } from './organisations.ts';
import { passwordLinkOperations } from './password-links.ts';
import { peopleOperations } from './people.ts';
import { sessionOperations } from './sessions.ts';
import { setUpOperations } from './set-up.ts';
import { signInOperations } from './sign-in.ts';
import { tokenOperations } from './tokens.ts';

export type { AccountsDeps } from './deps.ts';
export { createPasswords } from './passwords.ts';
export { createFirstAdmin, ensureSetupKey } from './set-up.ts';
export { createTokenFor } from './tokens.ts';

/** People, and what they sign in with: set-up, sessions, tokens, organisations, and the record of who changed what. */
export function accountsFeature(deps: AccountsDeps): Feature {
  return {
    name: 'accounts',
    operations: {
      ...setUpOperations(deps),
      ...signInOperations(deps),
      ...sessionOperations(deps),
      ...peopleOperations(deps),
      ...passwordLinkOperations(deps),
      ...tokenOperations(deps),
      ...deviceLoginOperations(deps),
      ...organisationOperations(deps),
      ...auditOperations(deps),
    },
    routes: [auditExportRoute(deps)],
  };
}
