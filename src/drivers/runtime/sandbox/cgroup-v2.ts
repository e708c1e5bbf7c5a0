import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { generationPrefix } from '../caches/generation.ts';
import type { StepLimits } from '../runtime.ts';
import { removeTree } from './cgroup-v1.ts';
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

const wanted = ['memory', 'pids', 'cpu'] as const;

/** Control groups of version 2: one hierarchy; a controller counts only when every level above hands it down. */
export function createCgroupsV2(options: CgroupsOptions): Cgroups {
  const top = join(options.root, options.generation);
  handDown(options.root);
  makeGroup(top);
  handDown(top);
  const offered = new Set(readControl(join(top, 'cgroup.subtree_control')).trim().split(/\s+/));

  const make = (name: string, limits: StepLimits): StepCgroup => {
    const job = join(top, name.split('/')[0] ?? name);
    const folder = join(top, name);
    makeGroup(job);
    handDown(job);
    // The launcher sits in a leaf of its own: a group with processes may not have groups with controllers below it.
    const leaf = join(folder, 'main');
    makeGroup(leaf);
    if (limits.memoryBytes !== undefined) {
      writeControl(join(folder, 'memory.max'), String(limits.memoryBytes));
      writeControl(join(folder, 'memory.swap.max'), '0');
      writeControl(join(folder, 'memory.oom.group'), '1');
    }
    writeControl(join(folder, 'pids.max'), pidsValue(limits.pids));
    if (limits.cpuMillis !== undefined) {
      writeControl(join(folder, 'cpu.max'), `${limits.cpuMillis * 100} 100000`);
    }
    return {
      joinFiles: [join(leaf, 'cgroup.procs')],
      oomKills: () => Number(/^oom_kill (\d+)/m.exec(readControl(join(folder, 'memory.events')))?.[1] ?? 0),
      fileBytes: () => Number(/^file (\d+)/m.exec(readControl(join(folder, 'memory.stat')))?.[1] ?? 0),
      pids: () => pidsBelow(folder),
      kill() {
        // Kernel 5.14; before that by hand, again and again until nothing new was forked.
        if (writeControl(join(folder, 'cgroup.kill'), '1')) return;
        for (let round = 0; round < 20; round += 1) {
          const pids = pidsBelow(folder);
          if (pids.length === 0) return;
          for (const pid of pids) killPid(pid);
        }
      },
      remove: () => removeTree(folder) > 0 || !existsSync(folder),
    };
  };

  return {
    version: 2,
    capabilities: { memory: offered.has('memory'), pids: offered.has('pids'), cpu: offered.has('cpu') },
    // A launcher's own group lies below ours: limits and the event counters hold for the whole subtree.
    visibleToLauncher: [],
    make,
    removeJob: (job) => void removeGroup(join(top, job)),
    generations: () => readdirSync(options.root).filter((name) => name.startsWith(generationPrefix)),
    removeGeneration: (generation) => removeTree(join(options.root, generation)),
  };
}

function pidsBelow(folder: string, depth = 0): readonly number[] {
  if (depth > 4 || !existsSync(folder)) return [];
  const below = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return [...readPids(folder), ...below.flatMap((entry) => pidsBelow(join(folder, entry.name), depth + 1))];
}

/** Lets the groups below use the controllers. One by one: a controller that is refused must not take the others along. */
function handDown(folder: string): void {
  for (const controller of wanted) writeControl(join(folder, 'cgroup.subtree_control'), `+${controller}`);
}
