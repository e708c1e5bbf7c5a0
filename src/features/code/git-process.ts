import { readdir, readFile } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { isMissing } from './sync-folder.ts';

/** Name of the variable that says for which repositories a git works: how the next server knows ours from others'. */
export const ownerVariable = 'GANTRY_REPOSITORIES';

/**
 * When a process started, in clock ticks since boot: with its pid, the name of a process that nobody else gets again.
 * `undefined` when there is no such process, or it is dead and only waits to be reaped.
 */
export async function startedTicks(pid: number): Promise<string | undefined> {
  let text: string;
  try {
    text = await readFile(`/proc/${pid}/stat`, 'latin1');
  } catch (error) {
    if (isMissing(error) || isGone(error)) return undefined;
    throw error;
  }
  // proc(5): the command is in brackets and may hold anything; state is the first field behind it, the start the 20th.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19];
}

/** Pids of the processes that work for these repositories: git and everything it started. */
export async function processesOf(repositories: string): Promise<readonly number[]> {
  const wanted = `${ownerVariable}=${repositories}`;
  const pids: number[] = [];
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const environment = await readFile(`/proc/${name}/environ`, 'utf8').catch(() => '');
    if (environment.split('\0').includes(wanted) && (await startedTicks(Number(name))) !== undefined)
      pids.push(Number(name));
  }
  return pids;
}

/**
 * Ends the processes that `find` names and resolves when it names none any more: first with SIGTERM, on which git removes
 * its locks and quarantine, then with SIGKILL. Answers how many there were.
 */
export async function endProcesses(find: () => Promise<readonly number[]>, graceMs = 5_000): Promise<number> {
  const found = new Set<number>();
  const startedAtMs = performance.now();
  for (;;) {
    const pids = await find();
    if (pids.length === 0) return found.size;
    const isOver = performance.now() - startedAtMs > graceMs;
    for (const pid of pids) {
      if (!found.has(pid) || isOver) signal(pid, isOver ? 'SIGKILL' : 'SIGTERM');
      // One that is stopped would hear of it only when somebody wakes it.
      if (!found.has(pid)) signal(pid, 'SIGCONT');
      found.add(pid);
    }
    // Waiting for processes that are not our children: the kernel tells nobody when they end.
    await pause(5);
  }
}

/** Sends a signal; a process that is gone meanwhile needs none. */
export function signal(pid: number, name: 'SIGTERM' | 'SIGKILL' | 'SIGCONT'): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if (!isGone(error)) throw error;
  }
}

function isGone(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ESRCH';
}
