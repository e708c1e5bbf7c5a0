import { createServer } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { readTable } from '../listening-table.ts';
import { listeningPorts } from './listening-ports.ts';

const head = '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode';
const row = (local: string, state: string): string => `   0: ${local} 00000000:0000 ${state} 00000000:00000000 00:00`;

describe('readTable', () => {
  it('knows what listens where 127.0.0.1 reaches it', () => {
    const text = [
      head,
      row('00000000:1538', '0A'),
      row('0100007F:0050', '0A'),
      row(`${'0'.repeat(32)}:18EB`, '0A'),
      row('0000000000000000FFFF00000100007F:18EC', '0A'),
      '',
    ].join('\n');
    expect(readTable(text, 'tcp')).toEqual([5432, 80, 6379, 6380]);
  });

  it('leaves out connections, and what listens elsewhere', () => {
    const text = [
      head,
      row('0100007F:0050', '01'),
      row('0200A8C0:0051', '0A'),
      row('00000000000000000000000001000000:0052', '0A'),
    ];
    expect(readTable(text.join('\n'), 'tcp')).toEqual([]);
  });

  it('takes every socket of UDP, which knows no listening', () => {
    expect(readTable([head, row('00000000:0035', '07')].join('\n'), 'udp')).toEqual([53]);
  });
});

describe('listeningPorts', () => {
  const servers: ReturnType<typeof createServer>[] = [];
  afterEach(() => {
    for (const server of servers.splice(0)) server.close();
  });

  it('finds a listener of this machine, and not one that is gone', async () => {
    const server = createServer();
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    const wanted = [{ port: typeof address === 'object' && address ? address.port : 0, protocol: 'tcp' as const }];
    expect(await listeningPorts(process.pid, wanted)).toEqual(wanted);
    await new Promise((resolve) => server.close(resolve));
    expect(await listeningPorts(process.pid, wanted)).toEqual([]);
  });

  it('refuses to look into a process that is gone', async () => {
    await expect(listeningPorts(2 ** 30, [{ port: 1, protocol: 'tcp' }])).rejects.toMatchObject({
      code: 'RUNTIME_UNAVAILABLE',
    });
  });
});
