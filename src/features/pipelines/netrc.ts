import type { StepPlan, WorkflowPlan } from '../../core/plan.ts';
import type { Visibility } from '../../core/visibility.ts';

/** What a step signs in with where it fetches or clones its own project: what is secret apart. */
export interface Netrc {
  readonly environment: Readonly<Record<string, string>>;
  readonly secrets: Readonly<Record<string, string>>;
}

export const noNetrc: Netrc = { environment: {}, secrets: {} };
const username = 'gantry-job';

/**
 * The variables that Drone has for `.netrc`: given to every step where the project is not for everybody, and to none where
 * it is (pipelines.md 9.4, 12.2, E20). Woodpecker gives them to clone steps alone, which need none here.
 */
export function netrcOf(
  workflow: WorkflowPlan,
  step: StepPlan,
  facts: {
    readonly visibility: Visibility | undefined;
    readonly publicUrl: string;
    readonly credential: () => string;
  },
): Netrc {
  const { visibility, publicUrl } = facts;
  if (visibility === undefined || visibility === 'public' || workflow.trust === 'untrusted') return noNetrc;
  if ((workflow.environment?.['DRONE'] ?? step.environment['DRONE']) === undefined) return noNetrc;
  // A step that can be reused gets nothing that is not part of its key; one that signs in by itself is left alone.
  if (step.reuse || step.environment['DRONE_NETRC_MACHINE'] !== undefined) return noNetrc;
  const machine = new URL(publicUrl).hostname;
  const password = facts.credential();
  return {
    environment: { DRONE_NETRC_MACHINE: machine, DRONE_NETRC_USERNAME: username },
    secrets: {
      DRONE_NETRC_PASSWORD: password,
      DRONE_NETRC_FILE: `machine ${machine} login ${username} password ${password}`,
    },
  };
}
