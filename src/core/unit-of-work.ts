import type { ApprovalStore } from './approval.ts';
import type { ArtifactStore } from './artifact.ts';
import type { AuditStore } from './audit.ts';
import type { CacheUseStore } from './cache.ts';
import type { CronStore } from './cron.ts';
import type { DeviceLoginStore } from './device-login.ts';
import type { EventStore } from './event.ts';
import type { HappeningStore } from './events.ts';
import type { GitLoginStore } from './git-login.ts';
import type { IdempotencyStore, SettingStore } from './idempotency.ts';
import type { IncomingWebhookStore } from './incoming-webhook.ts';
import type { OrganisationStore } from './organisation.ts';
import type { PasswordLinkStore } from './password-link.ts';
import type { PersonStore } from './person.ts';
import type { PipelineStore } from './pipeline.ts';
import type { ProjectStore } from './project.ts';
import type { PullRequestStore } from './pull-request.ts';
import type { RateLimitStore } from './rate-limit.ts';
import type { RegistryLoginStore } from './registry-login.ts';
import type { SecretStore } from './secret-record.ts';
import type { SigningKeyStore } from './signing-key.ts';
import type { SessionStore, TokenStore } from './token.ts';
import type { VariableStore } from './variable.ts';
import type { WebhookStore } from './webhook.ts';

/** All stores, over one connection. */
export interface Stores {
  readonly people: PersonStore;
  readonly organisations: OrganisationStore;
  readonly tokens: TokenStore;
  readonly sessions: SessionStore;
  readonly deviceLogins: DeviceLoginStore;
  readonly passwordLinks: PasswordLinkStore;
  readonly rateLimits: RateLimitStore;
  readonly audit: AuditStore;
  readonly projects: ProjectStore;
  readonly events: EventStore;
  readonly crons: CronStore;
  readonly cacheUses: CacheUseStore;
  readonly artifacts: ArtifactStore;
  readonly pipelines: PipelineStore;
  readonly pullRequests: PullRequestStore;
  readonly approvals: ApprovalStore;
  readonly signingKeys: SigningKeyStore;
  readonly secrets: SecretStore;
  readonly variables: VariableStore;
  readonly registryLogins: RegistryLoginStore;
  readonly gitLogins: GitLoginStore;
  readonly webhooks: WebhookStore;
  readonly incomingWebhooks: IncomingWebhookStore;
  readonly happenings: HappeningStore;
  readonly idempotency: IdempotencyStore;
  readonly settings: SettingStore;
}

/**
 * How features read and write.
 *
 * `read` sees committed data only. `write` runs its callback inside the one writer's transaction, together with other
 * callers (group commit), each within a savepoint: an error of one undoes that one alone. The promise resolves after the
 * commit is on disk; happenings are published then and never before. The callback awaits nothing but the stores it is
 * given: whoever waits for the network in it holds everybody up.
 */
export interface UnitOfWork {
  readonly read: Stores;
  write<T>(work: (stores: Stores) => Promise<T>): Promise<T>;
}
