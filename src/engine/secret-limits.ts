import type { SecretLimits } from '../core/secret-record.ts';
import type { PipelineUse, StepUse } from '../core/secret-vault.ts';
import { matchGlob } from './glob.ts';

/** Which limit keeps a secret from somebody, and the value that it saw. */
export interface SecretRefusal {
  readonly limit: 'trust' | 'event' | 'branch' | 'image' | 'plugin';
  readonly value: string;
}

/** Why a pipeline may not have the secret, whatever the step; `undefined` when it may. */
export function refusalToPipeline(
  limits: SecretLimits,
  { event, branch, isUntrusted }: PipelineUse,
): SecretRefusal | undefined {
  if (isUntrusted) return { limit: 'trust', value: event };
  if (!limits.events.includes(event)) return { limit: 'event', value: event };
  if (limits.branches.length > 0 && !matchesAny(limits.branches, branch)) return { limit: 'branch', value: branch };
  return undefined;
}

/** Why a step of a pipeline that may have the secret is not given it; `undefined` when it is. */
export function refusalToStep(limits: SecretLimits, { image, isPlugin }: StepUse): SecretRefusal | undefined {
  if (limits.images.length > 0 && !matchesAny(limits.images, repositoryOf(image)))
    return { limit: 'image', value: image };
  return limits.isForPluginsOnly && !isPlugin ? { limit: 'plugin', value: image } : undefined;
}

/** The written name without tag and digest; a port belongs to the host. */
function repositoryOf(image: string): string {
  return image.replace(/@.*$/s, '').replace(/:[^:/]*$/, '');
}

function matchesAny(patterns: readonly string[], value: string): boolean {
  return patterns.some((pattern) => pattern === value || matchGlob(pattern, value, 'woodpecker'));
}
