import type { EventKind } from '../core/event.ts';
import type { Dialect } from '../core/plan.ts';
import type { GlobMode } from './glob.ts';
import type { BooleanWords } from './yaml/scalar-type.ts';

/** What differs between `.drone.yml` in the 1.x form and `.gantry.yml` (pipelines.md 13.1). */
export interface DialectRules {
  readonly dialect: Dialect;
  readonly title: string;
  readonly glob: GlobMode;
  readonly booleans: BooleanWords;
  /** Drone demands lists, and we tell who wrote a single value. */
  readonly demandsLists: boolean;
  readonly dropsEmptyEnvironment: boolean;
  readonly requiresSecrets: boolean;
  /** What `event` conditions compare with: the dialect's word, then others that mean the same. */
  readonly eventWords: Readonly<Record<EventKind, readonly [string, ...string[]]>>;
}

export const dialectRules: Readonly<Record<Dialect, DialectRules>> = {
  drone1: {
    dialect: 'drone1',
    title: 'Drone',
    glob: 'drone1',
    booleans: 'yaml-1.1',
    demandsLists: true,
    dropsEmptyEnvironment: true,
    requiresSecrets: false,
    eventWords: { push: ['push'], tag: ['tag'], manual: ['custom'] },
  },
  gantry: {
    dialect: 'gantry',
    title: '.gantry.yml',
    glob: 'woodpecker',
    booleans: 'yaml-1.2',
    demandsLists: false,
    dropsEmptyEnvironment: false,
    requiresSecrets: true,
    // Drone's word stays understood: a file moved over from `.drone.yml` keeps its meaning.
    eventWords: { push: ['push'], tag: ['tag'], manual: ['manual', 'custom'] },
  },
};

/** The dialect that a path tells; anything that is not Drone's is read as Gantry's own. */
export function dialectOfPath(path: string): Dialect {
  return /(^|\/)\.drone(\.ya?ml)?$/.test(path) || /(^|\/)\.?drone\.ya?ml$/.test(path) ? 'drone1' : 'gantry';
}
