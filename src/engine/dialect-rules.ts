import type { Dialect } from '../core/plan.ts';
import type { FileEvent } from './compile-input.ts';
import type { GlobMode } from './glob.ts';
import type { ScalarRules } from './yaml/resolve-scalar.ts';

/** What differs between the dialects of pipeline files (pipelines.md 13): everything that is a value, not a way to read. */
export interface DialectRules {
  readonly dialect: Dialect;
  readonly glob: GlobMode;
  readonly scalars: ScalarRules;
  /** The item `- <<: *list` stands for the items of that list. */
  readonly splicesLists: boolean;
  /** The system demands lists, and we tell who wrote a single value. */
  readonly demandsLists: boolean;
  readonly dropsEmptyEnvironment: boolean;
  readonly requiresSecrets: boolean;
  /** Where `{from_secret: name}` in a setting is a secret: nowhere, as the whole value, or at any depth. */
  readonly settingSecrets: 'literal' | 'whole' | 'nested';
  /** Whether keys of a map in a setting may be numbers and booleans. */
  readonly settingKeys: 'any' | 'texts';
  /** Whether `-` and `.` in the name of a setting become `_`. */
  readonly settingNames: 'kept' | 'underscored';
  /** What `event` conditions compare with: the dialect's word, then others that mean the same. */
  readonly eventWords: Readonly<Record<FileEvent, readonly [string, ...string[]]>>;
  /** How `status` says when something runs (pipelines.md 9.3, 10.4, 11.4). */
  readonly status: 'drone08' | 'drone1' | 'woodpecker';
  /** Exit codes that end a workflow early with success. */
  readonly earlySuccessExitCodes: readonly number[];
}

const drone1Words = {
  push: ['push'],
  tag: ['tag'],
  manual: ['custom'],
  pull_request: ['pull_request'],
  cron: ['cron'],
  promote: ['promote'],
  rollback: ['rollback'],
} as const satisfies DialectRules['eventWords'];

export const dialectRules: Readonly<Record<Dialect, DialectRules>> = {
  drone08: {
    dialect: 'drone08',
    glob: 'drone08',
    scalars: { booleans: 'yaml-1.1', floats: 'all', hasTimes: false },
    splicesLists: false,
    demandsLists: false,
    dropsEmptyEnvironment: false,
    requiresSecrets: false,
    settingSecrets: 'literal',
    settingKeys: 'any',
    settingNames: 'kept',
    // It has no manual runs, only restarts: one counts as the push that it repeats.
    eventWords: { ...drone1Words, manual: ['push', 'manual'], promote: ['deployment'], rollback: ['deployment'] },
    status: 'drone08',
    earlySuccessExitCodes: [],
  },
  drone1: {
    dialect: 'drone1',
    glob: 'drone1',
    scalars: { booleans: 'yaml-1.1', floats: 'few', hasTimes: false },
    splicesLists: false,
    demandsLists: true,
    dropsEmptyEnvironment: true,
    requiresSecrets: false,
    settingSecrets: 'whole',
    settingKeys: 'any',
    settingNames: 'kept',
    eventWords: drone1Words,
    status: 'drone1',
    earlySuccessExitCodes: [78],
  },
  woodpecker: {
    dialect: 'woodpecker',
    glob: 'woodpecker',
    scalars: { booleans: 'yaml-1.2', floats: 'all', hasTimes: true },
    splicesLists: true,
    demandsLists: false,
    dropsEmptyEnvironment: false,
    requiresSecrets: true,
    settingSecrets: 'nested',
    settingKeys: 'texts',
    settingNames: 'underscored',
    eventWords: { ...drone1Words, manual: ['manual'], promote: ['deployment'], rollback: ['deployment'] },
    status: 'woodpecker',
    earlySuccessExitCodes: [],
  },
  gantry: {
    dialect: 'gantry',
    glob: 'woodpecker',
    scalars: { booleans: 'yaml-1.2', floats: 'few', hasTimes: false },
    splicesLists: false,
    demandsLists: false,
    dropsEmptyEnvironment: false,
    requiresSecrets: true,
    settingSecrets: 'nested',
    settingKeys: 'texts',
    settingNames: 'underscored',
    // Drone's word stays understood: a file moved over from `.drone.yml` keeps its meaning.
    eventWords: { ...drone1Words, manual: ['manual', 'custom'] },
    status: 'drone1',
    earlySuccessExitCodes: [78],
  },
};
