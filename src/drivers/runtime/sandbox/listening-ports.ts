import { readFile } from 'node:fs/promises';
import { GantryError } from '../../../core/errors.ts';
import type { PortPlan } from '../../../core/plan.ts';
import { readTable } from '../listening-table.ts';

/**
 * Which of the ports something listens on in the network namespace of a process, as the kernel's tables tell it: no
 * connection is made, so no service logs one. Throws RUNTIME_UNAVAILABLE when the process is gone.
 */
export async function listeningPorts(pid: number, ports: readonly PortPlan[]): Promise<readonly PortPlan[]> {
  const protocols = [...new Set(ports.map(({ protocol }) => protocol))];
  const open = new Set<string>();
  for (const protocol of protocols)
    for (const table of [protocol, `${protocol}6`])
      for (const port of readTable(await readNetTable(pid, table), protocol)) open.add(`${port}/${protocol}`);
  return ports.filter(({ port, protocol }) => open.has(`${port}/${protocol}`));
}

async function readNetTable(pid: number, name: string): Promise<string> {
  try {
    return await readFile(`/proc/${pid}/net/${name}`, 'latin1');
  } catch (error) {
    // A kernel without IPv6 has no such table.
    const isAbsent = error instanceof Error && 'code' in error && error.code === 'ENOENT';
    if (isAbsent && name.endsWith('6')) return '';
    throw new GantryError('RUNTIME_UNAVAILABLE', "Cannot look at the ports of the job: its network can't be read", {
      cause: error,
    });
  }
}
