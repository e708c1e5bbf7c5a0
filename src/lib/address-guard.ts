import { BlockList, isIP } from 'node:net';

/** Where no program on the public Internet is: this host, its networks, and what is reserved (IANA's registries of 2026). */
const closedNetworks = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/3',
  // Of IPv6 only 2000::/3 is given out; these parts of it lead elsewhere, some of them to IPv4 addresses.
  '2001::/23',
  '2001:db8::/32',
  '2002::/16',
  '3fff::/20',
];

/** Where clouds tell a machine its own credentials: refused even in a network that is allowed. */
const metadataAddresses = [
  '169.254.169.254',
  '169.254.170.2',
  '169.254.170.23',
  '100.100.100.200',
  '192.0.0.192',
  'fd00:ec2::254',
  'fd00:ec2::23',
  'fd20:ce::254',
];

/**
 * Tells which addresses a request that somebody else chose may go to (reliability-security 11.3). Refused are loopback,
 * link-local and private ones and all that are not public; `allowed` names networks that are open nevertheless.
 */
export class AddressGuard {
  readonly #allowed: BlockList;
  readonly #closed = blockList(closedNetworks);
  readonly #public = blockList(['2000::/3']);
  readonly #metadata = blockList(metadataAddresses);

  /** Throws a TypeError that names the first of `allowed` that is neither an address nor a network. */
  constructor(allowed: readonly string[] = []) {
    this.#allowed = blockList(allowed);
  }

  mayReach(address: string): boolean {
    const plain = withoutMapping(address);
    const version = isIP(plain);
    // One with a zone (`fe80::1%eth0`) names a link of this host.
    if (version === 0 || plain.includes('%')) return false;
    const family = version === 6 ? 'ipv6' : 'ipv4';
    if (this.#metadata.check(plain, family)) return false;
    if (this.#allowed.check(plain, family)) return true;
    return !this.#closed.check(plain, family) && (family === 'ipv4' || this.#public.check(plain, family));
  }
}

/** Whether a text is an address or a network. */
export function isNetwork(text: string): boolean {
  return parseNetwork(text) !== undefined;
}

/** Reads `10.0.0.0/8` or a single address; `undefined` for what is neither. */
function parseNetwork(text: string): { address: string; prefix: number; family: 'ipv4' | 'ipv6' } | undefined {
  const [address = '', bits, ...rest] = text.split('/');
  const version = isIP(address);
  const widest = version === 6 ? 128 : 32;
  // `10.0.0.0/` must not become a network of zero bits, which is everybody.
  if (version === 0 || rest.length > 0 || !/^\d{1,3}$/.test(bits ?? '0')) return undefined;
  const prefix = bits === undefined ? widest : Number(bits);
  return prefix > widest ? undefined : { address, prefix, family: version === 6 ? 'ipv6' : 'ipv4' };
}

function blockList(networks: readonly string[]): BlockList {
  const list = new BlockList();
  for (const text of networks) {
    const network = parseNetwork(text);
    if (!network)
      throw new TypeError(`Cannot allow "${text}": it is neither an address nor a network such as 10.0.0.0/8`);
    list.addSubnet(network.address, network.prefix, network.family);
  }
  return list;
}

/** `::ffff:7f00:1` and `::ffff:127.0.0.1` are how IPv6 writes 127.0.0.1. */
function withoutMapping(address: string): string {
  if (isIP(address) !== 6 || address.includes('%')) return address;
  // The URL parser writes every form of an address in one way.
  const canonical = new URL(`http://[${address}]/`).hostname.slice(1, -1);
  const mapped = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(canonical);
  if (!mapped) return canonical;
  const [high, low] = [Number.parseInt(mapped[1]!, 16), Number.parseInt(mapped[2]!, 16)];
  return [high >> 8, high & 255, low >> 8, low & 255].join('.');
}
