import type { EventKind } from './event.ts';

/** What the pipelines may ask of the project's secrets; the feature that keeps them implements it. */
export interface SecretVault {
  /** Lower-case names that steps of such an event may have. */
  names(projectId: number, event: EventKind): Promise<readonly string[]>;
  /** Their values, for the moment a step starts. Throws SECRET_KEY_WRONG when the key file does not fit. */
  reveal(projectId: number, event: EventKind): Promise<ReadonlyMap<string, string>>;
  /** Every value of the project, whoever may have it: what logs are masked with. */
  maskValues(projectId: number): Promise<readonly string[]>;
}
