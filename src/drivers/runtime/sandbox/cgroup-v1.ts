import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { generationPrefix } from '../caches/generation.ts';
import type { StepLimits } from '../runtime.ts';
import {
  type Cgroups,
  type CgroupsOptions,
  killPid,
  makeGroup,
  pidsValue,
  readControl,
  readPids,
  removeGroup,
  type StepCgroup,
  writeControl,
} from './cgroups.ts';

/** Hierarchies that carry a limit, a counter or the freezer. `devices` is left to launchers that manage it. */
const controllers = ['memory', 'pids', 'cpu', 'cpuacct', 'freezer'] as const;

/** Control groups of version 1 and of hybrid hosts: one hierarchy per controller. */
export function createCgroupsV1(options: CgroupsOptions): Cgroups {
  const present = controllers.filter((name) => existsSync(join(options.root, name, 'cgroup.procs')));
  // `cpu` and `cpuacct` are often one hierarchy under two names.
  const folders = new Map(present.map((name) => [name as string, join(options.root, name)]));
  const roots = [...folders.values(), join(options.root, 'devices')];
  const folderOf = (controller: string, path: string): string => `${folders.get(controller)!}/${path}`;

  const make = (name: string, limits: StepLimits): StepCgroup => {
    const path = `${options.generation}/${name}`;
    for (const controller of present) makeGroup(folderOf(controller, path));
    if (folders.has('memory')) applyMemory(folderOf('memory', path), limits.memoryBytes);
    if (folders.has('pids')) writeControl(join(folderOf('pids', path), 'pids.max'), pidsValue(limits.pids));
    if (folders.has('cpu') && limits.cpuMillis !== undefined) {
      // 100 ms is the kernel's default period, so a quota of 100 µs is a thousandth of a core.
      writeControl(join(folderOf('cpu', path), 'cpu.cfs_quota_us'), String(limits.cpuMillis * 100));
    }
    const oomKills = (): number =>
      folders.has('memory')
        ? Number(/oom_kill (\d+)/.exec(readControl(join(folderOf('memory', path), 'memory.oom_control')))?.[1] ?? 0)
        : 0;
    const pids = (): readonly number[] => (present[0] ? readPids(folderOf(present[0], path)) : []);
    return {
      // A thread that moves itself waits for nobody; `cgroup.procs` waits for all processors, up to 10 ms.
      joinFiles: present.map((controller) => `${folderOf(controller, path)}/tasks`),
      oomKills,
      fileBytes: () =>
        folders.has('memory')
          ? Number(/^total_cache (\d+)/m.exec(readControl(join(folderOf('memory', path), 'memory.stat')))?.[1] ?? 0)
          : 0,
      pids,
      kill() {
        killGroup(folders.has('freezer') ? folderOf('freezer', path) : undefined, pids);
      },
      remove() {
        // What a launcher made in the hierarchy that is left to it.
        removeTree(join(options.root, 'devices', path));
        return present.map((controller) => removeGroup(folderOf(controller, path))).every(Boolean);
      },
    };
  };

  return {
    version: 1,
    capabilities: { memory: folders.has('memory'), pids: folders.has('pids'), cpu: folders.has('cpu') },
    // runc needs `devices`, whose rules it writes itself; the others carry our limits and counters.
    visibleToLauncher: existsSync(join(options.root, 'devices')) ? [join(options.root, 'devices')] : [],
    make,
    removeJob(job) {
      for (const root of roots) removeGroup(join(root, options.generation, job));
    },
    generations() {
      return [...new Set(roots.flatMap(listGenerations))];
    },
    removeGeneration(generation) {
      let removed = 0;
      for (const root of roots) removed += removeTree(join(root, generation));
      return removed;
    },
  };
}

function applyMemory(folder: string, memoryBytes: number | undefined): void {
  if (memoryBytes === undefined) return;
  writeControl(join(folder, 'memory.limit_in_bytes'), String(memoryBytes));
  // Together with swap: absent where swap accounting is off, and then there is no swap to account.
  writeControl(join(folder, 'memory.memsw.limit_in_bytes'), String(memoryBytes));
}

function killGroup(freezer: string | undefined, pids: () => readonly number[]): void {
  // Frozen processes fork nothing and free no process id while we go through them.
  if (freezer) writeControl(join(freezer, 'freezer.state'), 'FROZEN');
  for (const pid of pids()) killPid(pid);
  if (freezer) writeControl(join(freezer, 'freezer.state'), 'THAWED');
}

function listGenerations(root: string): readonly string[] {
  if (!existsSync(root)) return [];
  return readdirSync(root).filter((name) => name.startsWith(generationPrefix));
}

/** Kills what is left in a tree of groups and removes it, the leaves first. */
export function removeTree(folder: string, depth = 0): number {
  if (depth > 8 || !existsSync(folder)) return 0;
  let removed = 0;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.isDirectory()) removed += removeTree(join(folder, entry.name), depth + 1);
  }
  const pids = readPids(folder);
  for (const pid of pids) killPid(pid);
  // Left frozen by a runner that died meanwhile: only what runs can be killed.
  if (pids.length > 0) writeControl(join(folder, 'freezer.state'), 'THAWED');
  return removeGroup(folder) ? removed + 1 : removed;
}
