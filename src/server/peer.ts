import { BlockList, isIP } from 'node:net';

/** Whom a request came from, after what trusted proxies say about it. */
export interface Peer {
  /** Textual address; `local` when it came over a Unix socket or in-process. */
  readonly address: string;
  /** The host that the client named. */
  readonly host: string;
  /** Whether the connection came from a trusted proxy. */
  readonly isTrusted: boolean;
}

/** Reads proxies' addresses and networks (`10.0.0.0/8`, `::1`). Throws with the one that is none. */
export function trustedProxyList(proxies: readonly string[]): BlockList {
  const list = new BlockList();
  for (const proxy of proxies) {
    const [address = '', bits] = proxy.split('/');
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
    const widest = family === 'ipv6' ? 128 : 32;
    const prefix = bits === undefined ? widest : Number(bits);
    // `10.0.0.0/` must not become a network of zero bits, which is everybody.
    if (isIP(address) === 0 || !/^\d{1,3}$/.test(bits ?? '0') || prefix > widest)
      throw new TypeError(`Cannot trust the proxy "${proxy}": it is neither an address nor a network like 10.0.0.0/8`);
    list.addSubnet(address, prefix, family);
  }
  return list;
}

/** `X-Forwarded-*` counts only when the peer itself is trusted; anybody can write these headers. */
export function peerOf(
  socketAddress: string | undefined,
  header: (name: string) => string | undefined,
  trusted: BlockList,
): Peer {
  const direct = withoutMapping(socketAddress ?? '');
  const host = header('host') ?? '';
  if (!isListed(direct, trusted)) return { address: direct || 'local', host, isTrusted: false };

  // From the right: each proxy appended the address it saw, so the first that is no proxy of ours is the client.
  const hops = (header('x-forwarded-for') ?? '').split(',').map((hop) => withoutMapping(hop.trim()));
  const client = hops.reverse().find((hop) => !isListed(hop, trusted));
  return {
    address: client !== undefined && isIP(client) !== 0 ? client : direct,
    host: header('x-forwarded-host') ?? host,
    isTrusted: true,
  };
}

function isListed(address: string, list: BlockList): boolean {
  const family = isIP(address);
  return family !== 0 && list.check(address, family === 6 ? 'ipv6' : 'ipv4');
}

/** `::ffff:10.0.0.1` is how a dual-stack socket writes 10.0.0.1. */
function withoutMapping(address: string): string {
  return /^::ffff:\d+\.\d+\.\d+\.\d+$/i.test(address) ? address.slice(7) : address;
}
