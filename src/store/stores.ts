import type { StoredHappening } from '../core/events.ts';
import type { Stores } from '../core/unit-of-work.ts';
import { createApprovalStore } from './approval-store.ts';
import { createArtifactStore } from './artifact-store.ts';
import { createAuditStore } from './audit-store.ts';
import { createCacheUseStore } from './cache-use-store.ts';
import type { Connection } from './connection.ts';
import { createCronStore } from './cron-store.ts';
import { createDeviceLoginStore } from './device-login-store.ts';
import { createEventStore } from './event-store.ts';
import { createGitLoginStore } from './git-login-store.ts';
import { createHappeningStore } from './happening-store.ts';
import { createIdempotencyStore } from './idempotency-store.ts';
import { createIncomingWebhookStore } from './incoming-webhook-store.ts';
import { createOrganisationStore } from './organisation-store.ts';
import { createPasswordLinkStore } from './password-link-store.ts';
import { createPersonStore } from './person-store.ts';
import { createPipelineStore } from './pipeline-store.ts';
import { createProjectStore } from './project-store.ts';
import { createPullRequestStore } from './pull-request-store.ts';
import { createRateLimitStore } from './rate-limit-store.ts';
import { createRegistryLoginStore } from './registry-login-store.ts';
import { createSecretStore } from './secret-store.ts';
import { createSessionStore } from './session-store.ts';
import { createSettingStore } from './setting-store.ts';
import { createSigningKeyStore } from './signing-key-store.ts';
import { createTokenStore } from './token-store.ts';
import { createVariableStore } from './variable-store.ts';
import { createWebhookStore } from './webhook-store.ts';

/** All stores over one connection. */
export function createStores(
  connection: Connection,
  options: { readonly holder: string; readonly remember: (happening: StoredHappening) => void },
): Stores {
  return {
    people: createPersonStore(connection),
    organisations: createOrganisationStore(connection),
    tokens: createTokenStore(connection),
    sessions: createSessionStore(connection),
    deviceLogins: createDeviceLoginStore(connection),
    passwordLinks: createPasswordLinkStore(connection),
    rateLimits: createRateLimitStore(connection),
    audit: createAuditStore(connection),
    projects: createProjectStore(connection),
    events: createEventStore(connection),
    crons: createCronStore(connection),
    cacheUses: createCacheUseStore(connection),
    artifacts: createArtifactStore(connection),
    pipelines: createPipelineStore(connection),
    pullRequests: createPullRequestStore(connection),
    approvals: createApprovalStore(connection),
    signingKeys: createSigningKeyStore(connection),
    secrets: createSecretStore(connection),
    variables: createVariableStore(connection),
    registryLogins: createRegistryLoginStore(connection),
    gitLogins: createGitLoginStore(connection),
    webhooks: createWebhookStore(connection),
    incomingWebhooks: createIncomingWebhookStore(connection),
    happenings: createHappeningStore(connection, options.remember),
    idempotency: createIdempotencyStore(connection, options.holder),
    settings: createSettingStore(connection),
  };
}
