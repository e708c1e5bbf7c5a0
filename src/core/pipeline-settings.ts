import type { ApprovalPolicy } from './approval.ts';
import type { EventKind } from './event.ts';
import type { Role } from './permission.ts';

/** How the pipelines of a project are run, where its files do not say. */
export interface PipelineSettings {
  /** Where the pipeline file is: a path, or a folder of workflows that ends with a slash. Absent = the usual places. */
  readonly path?: string | undefined;
  /** Events that start nothing. */
  readonly disabledEvents: readonly EventKind[];
  /** Events whose newer pipelines cancel the older ones of the same reference that have not finished. */
  readonly supersedingEvents: readonly EventKind[];
  /** `paths` of Drone files count, which Drone itself does not look at. */
  readonly evaluatesDronePaths: boolean;
  /** A step of Woodpecker that needs one which its conditions left out runs all the same. */
  readonly toleratesFilteredSteps: boolean;
  /** Steps run as if their files named no caches. */
  readonly ignoresCaches: boolean;
  /** How long a pipeline may run from its first step on, in milliseconds. Absent = as long as its steps may. */
  readonly timeoutMs?: number | undefined;
  readonly promotionRules: readonly PromotionRule[];
  /** Whose pull requests wait for an approval before they run. */
  readonly pullRequestApproval: ApprovalPolicy;
  /** Pull requests from other projects start nothing. */
  readonly ignoresForks: boolean;
  /** Pull requests run what the pipeline file of their target branch says, not their own. */
  readonly usesTargetFile: boolean;
  /** Pipeline files have to carry the project's signature, or their pipelines wait for an approval. */
  readonly requiresSignature: boolean;
  /** Plugins that build images run as containers, which need `privileged`, and not natively; absent = natively. */
  readonly runsBuildersAsContainers?: boolean | undefined;
  /** What of their hosts its steps may have. Only administrators of the site say so; absent = nothing. */
  readonly trusts?: readonly HostTrust[] | undefined;
  /** Pipelines run in a container engine only. Only administrators of the site say so. */
  readonly forbidsSandbox?: boolean | undefined;
  /** What becomes of a workflow that no connected runner can take; absent = `wait`. */
  readonly unavailable?: UnavailablePolicy | undefined;
}

/** `security`: privileged steps and devices; `volumes`: folders of the host; `network`: its network. */
export const hostTrusts = ['network', 'volumes', 'security'] as const;
export type HostTrust = (typeof hostTrusts)[number];

/** `wait` for a runner, for as long as the installation lets it, or `skip` the workflow. */
export const unavailablePolicies = ['wait', 'skip'] as const;
export type UnavailablePolicy = (typeof unavailablePolicies)[number];

/** Who may promote and roll back to some targets. */
export interface PromotionRule {
  /** Glob of targets. */
  readonly target: string;
  /** The least role. */
  readonly role: Role;
}

export const defaultPipelineSettings: PipelineSettings = {
  disabledEvents: [],
  supersedingEvents: [],
  evaluatesDronePaths: false,
  toleratesFilteredSteps: false,
  ignoresCaches: false,
  promotionRules: [],
  pullRequestApproval: 'outsiders',
  ignoresForks: false,
  usesTargetFile: false,
  requiresSignature: false,
};

/** Events of which a newer pipeline can make an older one needless: nobody's promotion is taken back by another. */
export const supersedableEvents = ['push', 'tag', 'pull_request', 'manual'] as const satisfies readonly EventKind[];
