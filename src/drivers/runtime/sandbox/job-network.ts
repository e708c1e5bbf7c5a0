import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { isIPv4 } from 'node:net';
import { GantryError } from '../../../core/errors.ts';
import type { Logger } from '../../../lib/logger.ts';
import { generationHash } from '../caches/generation.ts';
import { runProgram } from '../caches/run-program.ts';
import { routedInterfaces, switchOffForwarding, switchOnForwarding } from './forwarding.ts';

/** Where job addresses come from: 64 networks of 1,022 addresses, one network per running runner. */
const rangeStart = ipNumber('10.213.0.0');
const rangeCidr = '10.213.0.0/16';
const networkCount = 64;
const networkSize = 1_024;
const prefixLength = 22;

/** Addresses at which clouds hand out machine credentials and settings. */
const metadataAddresses = ['169.254.0.0/16', '168.63.129.16', '100.100.100.200', '192.0.0.192'];

export interface JobNetworkOptions {
  readonly generation: string;
  readonly ip: string;
  readonly nft: string;
  readonly nsenter: string;
  readonly logger: Logger;
}

/**
 * The network of jobs: a bridge of our own, one veth per job as an isolated port of it, addresses translated on the way
 * out. A job reaches the world; it does not reach the host's own addresses, metadata services, or another job.
 */
export class JobNetwork {
  /** Text of `/etc/resolv.conf` in the steps. */
  readonly resolvConf: string;
  /** The host's own address on this network: jobs may not reach it. */
  readonly gateway: string;
  /** What is not as it should be, in words. */
  readonly findings: readonly string[];
  readonly #options: JobNetworkOptions;
  readonly #names: NetworkNames;
  readonly #firstAddress: number;
  readonly #resolvers: readonly string[];
  /** Interfaces that we let forward. */
  readonly #uplinks: readonly string[];
  readonly #free: number[] = [];
  #next = 2;
  #veths = 0;

  private constructor(
    options: JobNetworkOptions,
    firstAddress: number,
    resolver: Resolver,
    uplinks: readonly string[],
  ) {
    this.#uplinks = uplinks;
    this.#options = options;
    this.#names = networkNames(options.generation);
    this.#firstAddress = firstAddress;
    this.gateway = ipText(firstAddress + 1);
    this.resolvConf = resolver.text;
    this.findings = resolver.findings;
    this.#resolvers = resolver.servers;
  }

  /** Makes bridge, addresses and rules. Throws RUNTIME_UNAVAILABLE with what the host refused. */
  static async create(options: JobNetworkOptions): Promise<JobNetwork> {
    const resolver = readResolver();
    const names = networkNames(options.generation);
    const firstAddress = await makeBridge(options, names);
    const rules = await runProgram([options.nft, '-f', '-'], {
      input: ruleset(names, `${ipText(firstAddress)}/${prefixLength}`, resolver.servers),
    });
    if (rules.code !== 0) {
      await removeNetwork(options);
      throw cannotMake('the rules of the job network', rules.stderr);
    }
    await letThroughDocker(options, names);
    const uplinks = await letForward(options, names);
    return new JobNetwork(options, firstAddress, resolver, uplinks);
  }

  /** Gives a network namespace its own link and address. Answers how to give both back. */
  async attach(pid: number): Promise<{ release(): void }> {
    // Longest unused first: neighbours remember for a while which link had an address.
    const index = this.#next < networkSize - 1 ? this.#next++ : this.#free.shift();
    if (index === undefined) {
      throw new GantryError('RUNTIME_UNAVAILABLE', 'Cannot connect a job: every address of the job network is in use');
    }
    const release = (): void => void this.#free.push(index);
    try {
      await this.#link(pid, index);
    } catch (error) {
      release();
      throw error;
    }
    return { release };
  }

  async #link(pid: number, index: number): Promise<void> {
    this.#veths += 1;
    const veth = `${this.#names.vethPrefix}${this.#veths.toString(36)}`;
    const { ip, nsenter } = this.#options;
    const inside = await runProgram([nsenter, `--net=/proc/${pid}/ns/net`, ip, '-batch', '-'], {
      input: [
        `link add name eth0 type veth peer name ${veth} netns ${process.pid}`,
        `address add ${ipText(this.#firstAddress + index)}/${prefixLength} dev eth0`,
        'link set dev eth0 up',
        `route add default via ${ipText(this.#firstAddress + 1)}`,
        '',
      ].join('\n'),
    });
    if (inside.code !== 0) throw cannotMake('a link for a job', inside.stderr);
    const outside = await runProgram([ip, '-batch', '-'], {
      input: [
        `link set dev ${veth} addrgenmode none`,
        `link set dev ${veth} master ${this.#names.bridge}`,
        // An isolated port talks with the bridge itself and with no other isolated port.
        `link set dev ${veth} type bridge_slave isolated on`,
        `link set dev ${veth} up`,
        '',
      ].join('\n'),
    });
    if (outside.code !== 0) throw cannotMake('a port for a job', outside.stderr);
  }

  /**
   * Asks the resolvers for a name from inside a job's namespace, as `gantry doctor` wants to know; answers a finding
   * when none of them says anything. A firewall of the host may drop what our own rules let through.
   */
  async findLookupFault(pid: number, perl: string): Promise<string | undefined> {
    if (this.#resolvers.length === 0) return undefined;
    const asked = await runProgram(
      [this.#options.nsenter, `--net=/proc/${pid}/ns/net`, perl, '-e', lookupProgram, ...this.#resolvers],
      { timeoutMs: 5_000 },
    );
    return asked.code === 0
      ? undefined
      : `Names cannot be looked up in steps: ${this.#resolvers.join(', ')} did not answer from the network of jobs; a firewall of this host may drop what is forwarded`;
  }

  /** Takes bridge and rules away; the links of jobs go with their namespaces. */
  async close(): Promise<void> {
    await removeNetwork(this.#options);
    // Another runner on this host relies on them too.
    if (!readdirSync('/sys/class/net').some(isBridgeName)) switchOffForwarding(this.#uplinks);
  }
}

/** One question for the root servers (RFC 1035, 4.1) to each address; exit 0 as soon as somebody answers anything. */
const lookupProgram = String.raw`
socket(my $socket, 2, 2, 0) or exit 2;
my $question = pack('n6 C n2', 4711, 0x0100, 1, 0, 0, 0, 0, 2, 1);
send($socket, $question, 0, pack('S n C4 x8', 2, 53, split /\./)) for @ARGV;
my $bits = '';
vec($bits, fileno($socket), 1) = 1;
exit(select($bits, undef, undef, 2) > 0 && defined recv($socket, my $answer, 512, 0) ? 0 : 1);
`;

interface NetworkNames {
  /** At most 15 letters, as the kernel wants it. */
  readonly bridge: string;
  readonly vethPrefix: string;
  readonly table: string;
}

function networkNames(generation: string): NetworkNames {
  const hash = generationHash(generation);
  return { bridge: `gantry${hash}`, vethPrefix: `gv${hash}`, table: `gantry_${hash}` };
}

function isBridgeName(name: string): boolean {
  return /^gantry[0-9a-f]{8}$/.test(name);
}

/**
 * Removes rules whose bridge is gone: of runners that died between the two, or whose bridge somebody else removed. A
 * bridge is made before its rules, so that no living runner has rules alone. Answers how many tables it removed.
 */
export async function removeRulesWithoutBridge(nft: string): Promise<number> {
  const tables = await runProgram([nft, 'list', 'tables', 'inet']);
  const hashes = [...tables.stdout.matchAll(/^table inet gantry_([0-9a-f]{8})$/gm)].map(([, hash]) => hash!);
  let removed = 0;
  for (const hash of hashes) {
    if (existsSync(`/sys/class/net/gantry${hash}`)) continue;
    const { code } = await runProgram([nft, 'delete', 'table', 'inet', `gantry_${hash}`]);
    if (code === 0) removed += 1;
  }
  return removed;
}

/** Removes what a generation's network left on the host; answers whether there was anything. */
export async function removeNetwork(options: {
  readonly generation: string;
  readonly ip: string;
  readonly nft: string;
}): Promise<boolean> {
  const names = networkNames(options.generation);
  const isThere = existsSync(`/sys/class/net/${names.bridge}`);
  if (isThere) await runProgram([options.ip, 'link', 'delete', 'dev', names.bridge]);
  const rules = await runProgram([options.nft, 'delete', 'table', 'inet', names.table]);
  await removeDockerRules(options.nft, names);
  return isThere || rules.code === 0;
}

function ruleset(names: NetworkNames, network: string, resolvers: readonly string[]): string {
  const bridge = `"${names.bridge}"`;
  const refused = [...metadataAddresses, rangeCidr].join(', ');
  const toResolvers =
    resolvers.length === 0
      ? []
      : [`iifname ${bridge} ip daddr { ${resolvers.join(', ')} } meta l4proto { tcp, udp } th dport 53 accept`];
  return `table inet ${names.table} {
  chain input {
    type filter hook input priority filter; policy accept;
    iifname ${bridge} meta l4proto tcp reject with tcp reset
    iifname ${bridge} reject with icmpx type admin-prohibited
  }
  chain forward {
    type filter hook forward priority filter; policy accept;
    iifname != ${bridge} oifname != ${bridge} accept
    iifname ${bridge} ip saddr != ${network} drop
    ${toResolvers.join('\n    ')}
    iifname ${bridge} ip daddr { ${refused} } meta l4proto tcp reject with tcp reset
    iifname ${bridge} ip daddr { ${refused} } reject with icmpx type admin-prohibited
    iifname ${bridge} oifname ${bridge} drop
    iifname ${bridge} accept
    oifname ${bridge} ct state established,related accept
    oifname ${bridge} drop
  }
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    ip saddr ${network} oifname != ${bridge} masquerade
  }
}
`;
}

/** dockerd drops what is forwarded unless a rule of its own chain for users accepts it; a table of ours cannot. */
async function letThroughDocker(options: JobNetworkOptions, names: NetworkNames): Promise<void> {
  const chain = await runProgram([options.nft, 'list', 'chain', 'ip', 'filter', 'DOCKER-USER']);
  if (chain.code !== 0) return;
  await runProgram([options.nft, '-f', '-'], {
    input: ['iifname', 'oifname']
      .map((way) => `insert rule ip filter DOCKER-USER ${way} "${names.bridge}" counter accept\n`)
      .join(''),
  });
}

async function removeDockerRules(nft: string, names: NetworkNames): Promise<void> {
  const chain = await runProgram([nft, '-a', 'list', 'chain', 'ip', 'filter', 'DOCKER-USER']);
  if (chain.code !== 0) return;
  for (const line of chain.stdout.split('\n')) {
    const handle = line.includes(`"${names.bridge}"`) ? /# handle (\d+)/.exec(line)?.[1] : undefined;
    if (handle) await runProgram([nft, 'delete', 'rule', 'ip', 'filter', 'DOCKER-USER', 'handle', handle]);
  }
}

/** Answers the interfaces that it was switched on for, beside the bridge. */
async function letForward(options: JobNetworkOptions, names: NetworkNames): Promise<readonly string[]> {
  const routes = await runProgram([options.ip, '-4', 'route', 'show', 'table', 'main']);
  try {
    const changed = switchOnForwarding(names.bridge, routedInterfaces(routes.stdout));
    if (changed.length > 0) {
      options.logger.info('IPv4 forwarding was switched on for the ways out of the network of jobs', {
        interfaces: changed,
      });
    }
    return changed;
  } catch (error) {
    await removeNetwork(options);
    throw cannotMake('forwarding for the job network', String(error));
  }
}

/** Makes the bridge with an address of its own; two runners that start at once must not end up on one network. */
async function makeBridge(options: JobNetworkOptions, names: NetworkNames): Promise<number> {
  for (let attempt = 0; attempt < 5; attempt += 1) {
    const firstAddress = await chooseNetwork(options, attempt);
    const gateway = `${ipText(firstAddress + 1)}/${prefixLength}`;
    const made = await runProgram([options.ip, '-batch', '-'], {
      input: [
        `link add name ${names.bridge} type bridge`,
        `link set dev ${names.bridge} alias "${options.generation}"`,
        `link set dev ${names.bridge} addrgenmode none`,
        `address add ${gateway} dev ${names.bridge}`,
        `link set dev ${names.bridge} up`,
        '',
      ].join('\n'),
    });
    const addresses = await runProgram([options.ip, '-4', '-o', 'address', 'show']);
    if (made.code === 0 && addresses.stdout.split(` ${gateway} `).length === 2) return firstAddress;
    await removeNetwork(options);
    if (made.code !== 0) throw cannotMake('a bridge for jobs', made.stderr);
  }
  throw cannotMake('a bridge for jobs', 'other runners take the same network again and again');
}

/** The first network of the range, from a place that differs by runner, that no route of the host overlaps. */
async function chooseNetwork(options: JobNetworkOptions, attempt: number): Promise<number> {
  const routes = await runProgram([options.ip, '-4', 'route', 'show', 'table', 'all']);
  const taken = [...routes.stdout.matchAll(/(\d+\.\d+\.\d+\.\d+)(?:\/(\d+))?/g)]
    .map(([, address, length]) => ({ first: ipNumber(address!), size: 2 ** (32 - Number(length ?? 32)) }))
    // Wider routes (a VPN's 10.0.0.0/8) go on working around ours.
    .filter((route) => route.size <= 65_536);
  const start = Number.parseInt(generationHash(`${options.generation}${attempt || ''}`), 16) % networkCount;
  for (let step = 0; step < networkCount; step += 1) {
    const first = rangeStart + ((start + step) % networkCount) * networkSize;
    if (!taken.some((route) => route.first < first + networkSize && first < route.first + route.size)) return first;
  }
  throw cannotMake('a bridge for jobs', `every network of ${rangeCidr} is in use on this host`);
}

interface Resolver {
  readonly text: string;
  readonly servers: readonly string[];
  readonly findings: readonly string[];
}

/** The host's resolver, as jobs can use it: one that listens on the host's loopback is out of their reach. */
export function readResolver(
  read: (path: string) => string = (path) => (existsSync(path) ? readFileSync(path, 'utf8') : ''),
): Resolver {
  // systemd-resolved keeps the servers that it asks itself in the second file.
  for (const path of ['/etc/resolv.conf', '/run/systemd/resolve/resolv.conf']) {
    const lines = read(path).split('\n');
    const servers = lines
      .map((line) => /^nameserver\s+(\S+)/.exec(line)?.[1] ?? '')
      .filter((address) => isIPv4(address) && !address.startsWith('127.') && address !== '0.0.0.0');
    if (servers.length === 0) continue;
    const kept = lines.filter((line) => /^(search|domain|options)\s/.test(line));
    const text = [...kept, ...servers.map((address) => `nameserver ${address}`), ''].join('\n');
    return { text, servers, findings: [] };
  }
  return {
    text: '',
    servers: [],
    findings: ["Names cannot be looked up in steps: the host's resolver listens on its loopback only, or on IPv6 only"],
  };
}

function cannotMake(what: string, why: string): GantryError {
  return new GantryError('RUNTIME_UNAVAILABLE', `Cannot make ${what}: ${why.trim().split('\n').slice(0, 3).join(' ')}`);
}

function ipNumber(text: string): number {
  return text.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
}

function ipText(number: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(number / 2 ** shift) % 256).join('.');
}
