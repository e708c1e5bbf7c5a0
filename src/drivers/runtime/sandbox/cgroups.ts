import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { StepLimits } from '../runtime.ts';

/** The control group of one step: limits are in force before its first instruction, and nothing of it survives `kill`. */
export interface StepCgroup {
  /** Files to which a process writes `0` to join. */
  readonly joinFiles: readonly string[];
  /** How often the kernel ended a process of this group because its memory limit was reached. */
  oomKills(): number;
  /** Bytes of files that its processes have brought into memory: what they wrote lately is among them. 0 = unknown. */
  fileBytes(): number;
  /** Processes of the group, as the host counts them. */
  pids(): readonly number[];
  /** SIGKILL to everything in the group, also to what is being forked meanwhile. */
  kill(): void;
  /** Answers whether it is gone: a group with a process in it stays. */
  remove(): boolean;
}

/** Control groups below one folder per generation of the runner. */
export interface Cgroups {
  readonly version: 1 | 2;
  /** Limits that this host can enforce. */
  readonly capabilities: { readonly memory: boolean; readonly pids: boolean; readonly cpu: boolean };
  /** What a launcher that manages control groups by itself may still see; empty = everything. */
  readonly visibleToLauncher: readonly string[];
  /** `name` is `<job>/<step>`. */
  make(name: string, limits: StepLimits): StepCgroup;
  /** Removes the folder of a job whose steps are gone. */
  removeJob(job: string): void;
  /** Names of the generations that have a folder here. */
  generations(): readonly string[];
  /** Ends everything in a generation's groups and removes them. Answers how many groups it removed. */
  removeGeneration(generation: string): number;
}

export interface CgroupsOptions {
  /** Where the hierarchies are mounted: `/sys/fs/cgroup`. */
  readonly root: string;
  /** Folder of this generation: `gantry-<instance>.<generation>`. */
  readonly generation: string;
}

/** Writes a control file; `false` when the host refuses or has no such file. */
export function writeControl(path: string, value: string): boolean {
  try {
    writeFileSync(path, value);
    return true;
  } catch {
    return false;
  }
}

/** Reads a control file; empty when there is none. */
export function readControl(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

export function readPids(folder: string): readonly number[] {
  return readControl(join(folder, 'cgroup.procs'))
    .split('\n')
    .filter((line) => line !== '')
    .map(Number)
    .filter((pid) => pid > 0);
}

/** Removes one control group folder (its files go with it). */
export function removeGroup(folder: string): boolean {
  try {
    rmdirSync(folder);
    return true;
  } catch {
    return !existsSync(folder);
  }
}

export function makeGroup(folder: string): void {
  mkdirSync(folder, { recursive: true });
}

/** SIGKILL to a process that was in a group a moment ago; gone already is what we want. */
export function killPid(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** Launcher, first process and gate sit in the step's group and count as threads do; the limit is the step's own. */
const launcherThreads = 16;

export function pidsValue(limit: number | undefined): string {
  return limit === undefined ? 'max' : String(limit + launcherThreads);
}
