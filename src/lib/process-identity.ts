import { readFileSync } from 'node:fs';

/** One run of one program on this host: a pid alone is given to others once it is free. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Start of the process in clock ticks since boot. */
  readonly startTicks: number;
  readonly bootId: string;
}

/** Identity of this process. */
export function ownIdentity(): ProcessIdentity {
  return { pid: process.pid, startTicks: startTicksOf(process.pid) ?? 0, bootId: readBootId() };
}

export function isAlive({ pid, startTicks, bootId }: ProcessIdentity): boolean {
  return bootId === readBootId() && startTicksOf(pid) === startTicks;
}

/** When the process started (proc(5), stat, field 22); `undefined` when there is none, or only its remains. */
export function startTicksOf(pid: number): number | undefined {
  const fields = statOf(pid);
  return fields && Number(fields[19]);
}

/** Unit of processor times in /proc: clock ticks of 1/100 s wherever Linux runs Node. */
export const cpuTickMs = 10;

/** Processor time that the process has used, in itself and in the kernel (fields 14 and 15). */
export function cpuMsOf(pid: number): number | undefined {
  const fields = statOf(pid);
  return fields && (Number(fields[11]) + Number(fields[12])) * cpuTickMs;
}

/** Fields of proc(5), stat, from the third on; `undefined` when there is no process, or only its remains. */
function statOf(pid: number): readonly string[] | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name before may hold blanks and parentheses itself.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields;
  } catch {
    return undefined;
  }
}

function readBootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
}
