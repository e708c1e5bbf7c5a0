import type { PullPolicy, SecretReference } from '../core/plan.ts';
import type { Conditions } from './conditions.ts';
import type { Workspace } from './environment.ts';

/** A document of a pipeline file, read and typed, before any condition is judged. */
export interface WorkflowDraft {
  readonly name: string;
  readonly type: string;
  readonly line: number;
  readonly trigger: Conditions;
  /** Names of other documents of the file. */
  readonly dependsOn: readonly string[];
  readonly workspace: Workspace;
  readonly clone: { readonly isDisabled: boolean; readonly depth: number; readonly line: number };
  readonly environment: Readonly<Record<string, string>>;
  /** In the order of the file; the checkout is not among them. */
  readonly steps: readonly StepDraft[];
}

export interface StepDraft {
  readonly name: string;
  readonly kind: 'commands' | 'image';
  readonly image: string;
  readonly pull: PullPolicy;
  readonly commands: readonly string[];
  readonly entrypoint: readonly string[] | undefined;
  readonly command: readonly string[] | undefined;
  readonly environment: Readonly<Record<string, string>>;
  readonly secrets: readonly SecretReference[];
  readonly when: Conditions;
  readonly onFailure: 'fail' | 'ignore';
  readonly timeoutMs: number | undefined;
  readonly user: string | undefined;
  readonly workingDirectory: string | undefined;
  /** Names of steps it waits for, the checkout among them. */
  readonly dependsOn: readonly string[];
  readonly line: number;
}
