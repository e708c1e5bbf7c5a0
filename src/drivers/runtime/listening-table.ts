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
