import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { GantryProcess } from './gantry-process.ts';

/** Command lines of living processes that have the text in them, this process aside. */
export function processesWith(text: string): readonly string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .map((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
      } catch {
        return ''; // It ended while it was looked at.
      }
    })
    .filter((line) => line.includes(text));
}

/** What a runner process has on the host: control groups, folders of its jobs. */
export function tracesOf(gantry: GantryProcess, runnerPid: number): readonly string[] {
  const folders = (path: string): readonly string[] =>
    existsSync(path)
      ? readdirSync(path, { withFileTypes: true })
          .filter((entry) => entry.isDirectory())
          .map(({ name }) => join(path, name))
      : [];
  const groups = '/sys/fs/cgroup';
  const generations = [groups, ...folders(groups), join(gantry.dataFolder, 'runner', 'generations')].flatMap(folders);
  return generations.filter((path) => /\/gantry-[^/]*$/.test(path) && path.split('.').at(-3) === String(runnerPid));
}
