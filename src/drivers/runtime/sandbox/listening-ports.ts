import { readFile } from 'node:fs/promises';
import { GantryError } from '../../../core/errors.ts';
import type { PortPlan } from '../../../core/plan.ts';

/** Column `st` of a TCP socket that listens (TCP_LISTEN of the kernel's tcp_states.h). */
const listenState = '0A';
/** Local addresses that answer on 127.0.0.1, as /proc/net writes them: words of the address in the host's byte order. */
const reachable = new Set([
  '00000000',
  '0100007F',
  '0'.repeat(32),
  // ::ffff:127.0.0.1
  `${'0'.repeat(16)}FFFF00000100007F`,
]);

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

/** Numbers of the ports in a table of `/proc/net` that take what is sent to 127.0.0.1. */
export function readTable(text: string, protocol: 'tcp' | 'udp'): readonly number[] {
  return text
    .split('\n')
    .slice(1)
    .flatMap((line) => {
      const [, local = '', , state] = line.trim().split(/\s+/);
      const [address = '', port = ''] = local.split(':');
      const takes = protocol === 'udp' || state === listenState;
      return takes && reachable.has(address) ? [Number.parseInt(port, 16)] : [];
    });
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
