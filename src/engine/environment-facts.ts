import type { CompileInput } from './compile-input.ts';
import type { Variables } from './substitute.ts';

/** What the environment is made of: the part of a compilation's input that is no file. */
export type EnvironmentFacts = Pick<
  CompileInput,
  'event' | 'project' | 'pipeline' | 'instanceUrl' | 'architecture' | 'variables'
>;

export interface WorkflowIdentity {
  readonly name: string;
  readonly type: string;
  /** Counts from 1 in the file. */
  readonly number: number;
  readonly dependsOn: readonly string[];
  /** Its axis values, when it is one of a matrix. */
  readonly matrix: Variables;
}

/** `linux/amd64`: where steps run, as the systems write it. */
export function platformOf({ architecture = 'amd64' }: EnvironmentFacts): string {
  return `linux/${architecture}`;
}
