import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** Prefix of every folder that a runner makes outside of its own. */
export const generationPrefix = 'gantry-';

/** One run of one runner: what it makes carries this, and only what belongs to a run that is over is removed. */
export interface Generation {
  readonly instanceId: string;
  readonly pid: number;
  /** Start of the process in clock ticks since boot: a pid alone is not an identity. */
  readonly startTicks: number;
  readonly bootId: string;
}

/** Name of the generation's folders, safe as a file name. */
export function generationName(generation: Generation): string {
  const instance = generation.instanceId.replaceAll(/[^A-Za-z0-9_]/g, '_').slice(0, 40);
  const { pid, startTicks, bootId } = generation;
  return `${generationPrefix}${instance}.${pid}.${startTicks}.${hostHash(bootId)}`;
}

/** Boot and process namespace: within the two a pid and its start say for certain which process is meant. */
function hostHash(bootId: string): string {
  return createHash('sha256')
    .update(`${bootId} ${readlinkSync('/proc/self/ns/pid')}`)
    .digest('hex')
    .slice(0, 12);
}

/** Eight letters for names that may have only fifteen: bridges, veths, tables. */
export function generationHash(name: string): string {
  return createHash('sha256').update(name).digest('hex').slice(0, 8);
}

/**
 * Whether the name is of a process that is provably gone, of this instance or of another. What another instance named on
 * another boot, or in a process namespace that cannot be seen from here, may belong to a living one.
 */
export function isDeadGeneration(name: string, own: Generation): boolean {
  const [instance, pid, startTicks, host, ...rest] = name.split('.');
  const ownHost = generationName(own).split('.')[3];
  if (!instance?.startsWith(generationPrefix) || host === undefined || rest.length > 0) return false;
  if (!/^[1-9]\d*$/.test(pid ?? '') || !/^\d+$/.test(startTicks ?? '')) return false;
  if (host !== ownHost && !isOfInstance(name, own)) return false;
  return startTicksOf(Number(pid)) !== Number(startTicks);
}

/** Whether the name is of a runner of this instance. */
export function isOfInstance(name: string, own: Generation): boolean {
  return name.split('.')[0] === generationName(own).split('.')[0];
}

/** Whether no other living runner works on the data folder, as while an old one finishes after an upgrade. */
export function isOnlyGeneration(generationsFolder: string, own: Generation): boolean {
  return readdirSync(generationsFolder).every((name) => name === generationName(own) || isDeadGeneration(name, own));
}

/** When the process started, in clock ticks since boot; `undefined` when there is none (proc(5), stat, field 22). */
export function startTicksOf(pid: number): number | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    // A zombie runs nothing any more.
    return fields[0] === 'Z' ? undefined : Number(fields[19]);
  } catch {
    return undefined;
  }
}
