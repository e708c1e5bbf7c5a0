import type { PrivilegedRequest } from '../../../core/admit-privileged.ts';
import type { StageSpec } from '../runtime.ts';

/** What is known of a step while it is staged: its variables come with the release. */
export function privilegedRequest(
  step: Pick<StageSpec, 'name' | 'image' | 'kind' | 'entrypoint' | 'command' | 'volumes' | 'privileged'>,
  variables: readonly string[] = [],
): PrivilegedRequest {
  return {
    stepName: step.name,
    image: step.image,
    isProjectTrusted: step.privileged?.isProjectTrusted ?? false,
    hasCommands: step.kind === 'commands',
    hasOwnEntrypoint: step.entrypoint !== undefined || step.command !== undefined,
    hasVolumes: (step.volumes ?? []).length > 0,
    variables,
  };
}
