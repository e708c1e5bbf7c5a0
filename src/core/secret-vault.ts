import type { OpenedValue } from './encrypted-secret.ts';
import type { RegistryCredentials } from './image.ts';
import type { PullRequestOrigin } from './pull-request-origin.ts';
import type { SecretLimits } from './secret-record.ts';

/** The pipeline for which secrets are asked for. */
export interface PipelineUse {
  readonly event: string;
  /** Branch; for a tag, its name; for a pull request, the branch that it is for. */
  readonly branch: string;
  /** Of a pull request: its commits come from another project. */
  readonly isFork?: boolean | undefined;
  /** What runs comes from somebody whom the project does not trust, and nobody let it have secrets: it gets none. */
  readonly isUntrusted?: boolean | undefined;
}

/** The step for which they are. */
export interface StepUse {
  /** As the file writes it. */
  readonly image: string;
  /** Whether it has nothing of its own to run but what its image does. */
  readonly isPlugin: boolean;
}

/** A secret as the pipelines may know it: its name, and to whom it is given. */
export interface LimitedSecret extends SecretLimits {
  /** Lower case. */
  readonly name: string;
}

/** A login of a registry as the pipelines may know it: for what, and to whom it is given. */
export interface LimitedLogin {
  readonly registry: string;
  readonly pullRequests: PullRequestOrigin;
}

/** Values at the moment a step starts. What of them it is given depends on the step. */
export interface RevealedSecrets {
  forStep(step: StepUse): ReadonlyMap<string, string>;
}

/** What the pipelines may ask of secrets; the feature that keeps them implements it. */
export interface SecretVault {
  /** What there is for a project, its own before its organisation's, without values. */
  list(projectId: number): Promise<readonly LimitedSecret[]>;
  /** Values that the limits allow. Throws SECRET_KEY_WRONG when the key file does not fit. */
  reveal(projectId: number, use: PipelineUse): Promise<RevealedSecrets>;
  /** Every value that counts for the project, whoever may have it, passwords of logins too: what logs are masked with. */
  maskValues(projectId: number): Promise<readonly string[]>;
  /** The key that pipeline files of the project are signed with; `undefined` when none was ever signed. */
  signingKey(projectId: number): Promise<string | undefined>;
  /** The key that the project brought from the system its files come from; `undefined` when it brought none. */
  importedKey(projectId: number): Promise<string | undefined>;
  /** Values that stand encrypted in pipeline files, opened with the keys of the project, in the order of the texts. */
  openEncrypted(projectId: number, texts: readonly string[]): Promise<readonly OpenedValue[]>;
  /** A key for one purpose, derived from the key of the file: the same after a restart. */
  keyFor(purpose: string): Buffer;
  /** Logins of registries that there are for a project, its own before its organisation's, without passwords. */
  listLogins(projectId: number): Promise<readonly LimitedLogin[]>;
  /** Logins of registries that the pipeline may have, for a runner that is about to pull images. */
  registries(projectId: number, use: PipelineUse): Promise<readonly RegistryCredentials[]>;
}
