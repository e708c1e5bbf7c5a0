import type { Holder } from './holder.ts';

/** A value that every step of a project sees and everybody who works there may read. Not for secrets. */
export interface Variable {
  readonly name: string;
  readonly value: string;
  readonly updatedAt: Date;
  readonly updatedBy: string;
}

/** Names keep their case, as those of an environment do. */
export interface VariableStore {
  /** Those of one holder, by name. */
  list(holder: Holder): Promise<readonly Variable[]>;
  /** Values that count for a project: its own win over those of its organisation. */
  valuesFor(projectId: number): Promise<Readonly<Record<string, string>>>;
  set(holder: Holder, variable: Variable): Promise<void>;
  remove(holder: Holder, name: string): Promise<boolean>;
}

/** Prefixes under which a pipeline tells about itself: what is set there would look like its word. */
const reserved = /^(GANTRY|DRONE|CI)(_|$)/i;

/** Why a variable cannot have this name, as the end of a sentence; `undefined` when it can. */
export function variableNameProblem(name: string): string | undefined {
  if (!/^[A-Za-z_][A-Za-z0-9_]{0,99}$/.test(name)) return 'it does not follow the rules';
  return isReservedVariable(name) ? 'such names tell about the pipeline itself' : undefined;
}

/** Whether a pipeline tells about itself under this name. */
export function isReservedVariable(name: string): boolean {
  return reserved.test(name);
}
