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
}

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
};

/** Events of which a newer pipeline can make an older one needless: nobody's promotion is taken back by another. */
export const supersedableEvents = ['push', 'tag', 'manual'] as const satisfies readonly EventKind[];
