import { fullImageName } from '../core/image-rule.ts';
import type { PullRequestOrigin } from '../core/pull-request-origin.ts';
import type { SecretLimits } from '../core/secret-record.ts';
import type { PipelineUse, StepUse } from '../core/secret-vault.ts';
import { matchGlob } from './glob.ts';

/** Which limit keeps a secret from somebody, and the value that it saw. */
export interface SecretRefusal {
  readonly limit: 'trust' | 'event' | 'fork' | 'branch' | 'image' | 'plugin';
  readonly value: string;
}

/** Why a pipeline may not have the secret, whatever the step; `undefined` when it may. */
export function refusalToPipeline(limits: SecretLimits, use: PipelineUse): SecretRefusal | undefined {
  const { event, branch } = use;
  const refusal = refusalOfOrigin(limits.pullRequests, use);
  // Whom the project does not trust is told so, whatever else there is.
  if (refusal?.limit !== 'trust' && !limits.events.includes(event)) return { limit: 'event', value: event };
  if (refusal) return refusal;
  if (limits.branches.length > 0 && !matchesAny(limits.branches, branch)) return { limit: 'branch', value: branch };
  return undefined;
}

/** Why a pipeline may not have what opens for pull requests of this origin; `undefined` when it may. */
export function refusalOfOrigin(
  pullRequests: PullRequestOrigin,
  { event, isFork, isUntrusted }: PipelineUse,
): SecretRefusal | undefined {
  if (isUntrusted) return { limit: 'trust', value: event };
  if (event !== 'pull_request') return undefined;
  if (pullRequests === 'none') return { limit: 'event', value: event };
  return isFork && pullRequests === 'project' ? { limit: 'fork', value: event } : undefined;
}

/** Why a step of a pipeline that may have the secret is not given it; `undefined` when it is. */
export function refusalToStep(limits: SecretLimits, { image, isPlugin }: StepUse): SecretRefusal | undefined {
  if (limits.images.length > 0 && !limits.images.some((pattern) => isImage(pattern, image)))
    return { limit: 'image', value: image };
  return limits.isForPluginsOnly && !isPlugin ? { limit: 'plugin', value: image } : undefined;
}

/** Whether the pattern means the image, as it is written or by its whole name: `golang` is `docker.io/library/golang` (pipelines.md 9.2). */
function isImage(pattern: string, image: string): boolean {
  return (
    matchesAny([pattern], image.replace(/@.*$/s, '').replace(/:[^:/]*$/, '')) ||
    matchesAny([fullImageName(pattern)], fullImageName(image))
  );
}

function matchesAny(patterns: readonly string[], value: string): boolean {
  return patterns.some((pattern) => pattern === value || matchGlob(pattern, value, 'woodpecker'));
}
