import { nouns } from './0001-nouns.ts';
import { tokenProjectIds } from './0002-token-project-ids.ts';
import { auditByProject } from './0003-audit-by-project.ts';
import { waysIn } from './0004-ways-in.ts';
import { promotions } from './0005-promotions.ts';
import { projectSettings } from './0006-project-settings.ts';
import { crons } from './0007-crons.ts';
import { webhooks } from './0008-webhooks.ts';
import { pipelineFacts } from './0009-pipeline-facts.ts';
import { caches } from './0010-caches.ts';
import { stepReuse } from './0011-step-reuse.ts';
import { artifacts } from './0012-artifacts.ts';
import { pullRequests } from './0013-pull-requests.ts';
import { cancelsAndRetries } from './0015-cancels-and-retries.ts';
import { gitLogins } from './0016-git-logins.ts';
import { secretsOfFiles } from './0017-secrets-of-files.ts';
import { limitsOfTokens } from './0018-limits-of-tokens.ts';
import { readersOfReruns } from './0019-readers-of-reruns.ts';
import type { Migration } from './migration.ts';

/** Every migration, oldest first. One that was released is never changed: add another. */
export const migrations: readonly Migration[] = [
  nouns,
  tokenProjectIds,
  auditByProject,
  waysIn,
  promotions,
  projectSettings,
  crons,
  webhooks,
  pipelineFacts,
  caches,
  stepReuse,
  artifacts,
  pullRequests,
  cancelsAndRetries,
  gitLogins,
  secretsOfFiles,
  limitsOfTokens,
  readersOfReruns,
];
