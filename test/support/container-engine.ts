import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { request } from 'node:http';
import { homedir, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { createComposedImages, hostEnvironment } from '../../src/app/images.ts';
import type { ComposedImages } from '../../src/core/image.ts';

export type EngineKind = 'docker' | 'podman';

const programs: Record<EngineKind, { readonly path: string; readonly debianPackage: string }> = {
  docker: { path: '/usr/sbin/dockerd', debianPackage: 'docker.io' },
  podman: { path: '/usr/bin/podman', debianPackage: 'podman' },
};
const patienceMs = 60_000;
/** Of the networks that are for tests of devices (RFC 2544): no container is given one. */
const relayHost = '198.18.0.1';

/** Why an engine cannot be tested here; `undefined` when it can. */
export function findEngineHindrance(kind: EngineKind): string | undefined {
  if (process.platform !== 'linux') return 'container engines are for Linux';
  if (process.getuid?.() !== 0) return 'a private container engine needs root';
  const { path, debianPackage } = programs[kind];
  if (!existsSync(path)) return `${path} is not there (apt-get install ${debianPackage})`;
  if (!existsSync('/usr/sbin/runc') && !existsSync('/usr/bin/runc')) return 'runc is not installed';
  return undefined;
}

/** The base images, as the runner has them. */
export function composedImages(): ComposedImages {
  return createComposedImages({
    cacheFolder:
      process.env['GANTRY_CACHE'] ?? join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'gantry'),
    hostEnvironment: hostEnvironment(process.env),
  });
}

/**
 * A container engine of its own in a temporary folder and a network and mount namespaces of its own: its tables,
 * bridges, rules and mounts go with it, and nothing beside it notices.
 */
export class ContainerEngine {
  readonly kind: EngineKind;
  readonly folder: string;
  readonly #cgroup: string;
  readonly #relays: ChildProcess[] = [];
  #child: ChildProcess | undefined;
  #output = '';

  readonly #hasDefaultBridge: boolean;

  private constructor(kind: EngineKind, hasDefaultBridge: boolean) {
    this.kind = kind;
    this.#hasDefaultBridge = hasDefaultBridge;
    this.folder = mkdtempSync(join(tmpdir(), `gantry-${kind}-`));
    this.#cgroup = `gantry-test-${randomBytes(4).toString('hex')}`;
    if (kind === 'podman') this.#writePodmanSettings();
    // The host's own settings are none of this engine's.
    else writeFileSync(join(this.folder, 'none.json'), '{}');
  }

  /** `hasDefaultBridge`: with the network that Docker puts containers on which name none; ours always name one. */
  static async start(
    kind: EngineKind,
    { hasDefaultBridge = false }: { readonly hasDefaultBridge?: boolean } = {},
  ): Promise<ContainerEngine> {
    const engine = new ContainerEngine(kind, hasDefaultBridge);
    try {
      await engine.start();
      return engine;
    } catch (error) {
      await engine.dispose();
      throw error;
    }
  }

  get socketPath(): string {
    return join(this.folder, 'engine.sock');
  }

  get address(): string {
    return `unix://${this.socketPath}`;
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  /** Again after `kill` or `stop`, on what it left. */
  async start(): Promise<void> {
    const [program, ...args] = this.#command();
    // It dies with the test, however that ends.
    const child = spawn(
      'setpriv',
      [
        '--pdeathsig',
        'KILL',
        'unshare',
        '-nm',
        '--propagation',
        'private',
        'sh',
        '-c',
        launch[this.kind],
        program!,
        ...args,
      ],
      {
        // Podman's monitor leaves a file "oom" where it runs when a container was out of memory.
        cwd: this.folder,
        stdio: ['ignore', 'pipe', 'pipe'],
        env: {
          ...process.env,
          CONTAINERS_CONF: join(this.folder, 'containers.conf'),
          CONTAINERS_REGISTRIES_CONF: join(this.folder, 'registries.conf'),
          TMPDIR: this.folder,
        },
      },
    );
    this.#child = child;
    const keep = (bytes: Buffer): void => {
      this.#output = (this.#output + bytes.toString()).slice(-20_000);
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    const giveUpAt = performance.now() + patienceMs;
    for (;;) {
      if (await this.#isUp()) return;
      if (child.exitCode !== null || performance.now() > giveUpAt)
        throw new Error(`the ${this.kind} engine did not come up:\n${this.#output}`);
      await sleep(50);
    }
  }

  /**
   * An address that its containers reach, of the kind `host:port`: what they send there comes out at a socket of the file
   * system. They are in a network of their own, from which nothing else leads anywhere.
   */
  async relay(socketPath: string): Promise<string> {
    const inside = ['--target', `${this.pid}`, '--net'];
    execFileSync('nsenter', [...inside, 'ip', 'address', 'add', `${relayHost}/32`, 'dev', 'lo']);
    const program = fileURLToPath(new URL('relay-child.ts', import.meta.url));
    const child = spawn('nsenter', [...inside, process.execPath, program, relayHost, socketPath], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    this.#relays.push(child);
    const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
    return `${relayHost}:${(JSON.parse(line) as { readonly port: number }).port}`;
  }

  /** A plain call, for what a test looks at or does behind the driver's back. */
  call<Answer = unknown>(
    method: string,
    path: string,
    body?: object,
    headers?: Readonly<Record<string, string>>,
  ): Promise<Answer> {
    return callEngine<Answer>(this.address, method, path, body, headers);
  }

  /** Ends it as a host that shuts down does. */
  async stop(): Promise<void> {
    await this.#end('SIGTERM');
  }

  /** It answers nothing any more, until `resume`. */
  pause(): void {
    this.#child?.kill('SIGSTOP');
  }

  resume(): void {
    this.#child?.kill('SIGCONT');
  }

  /** Ends it without a word. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL');
    // Its containerd dies with it; where nobody reaps that, the next one would take it for alive.
    rmSync(join(this.folder, 'exec/containerd/containerd.pid'), { force: true });
  }

  /** Takes away everything that it made on this host. */
  async dispose(): Promise<void> {
    for (const relay of this.#relays) relay.kill('SIGKILL');
    await this.#end('SIGTERM');
    killLeftBehind(this.folder);
    for (const target of mountsBelow(this.folder)) execFileSync('umount', ['-l', target], { stdio: 'ignore' });
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
    // What BuildKit ran has neither a shim nor our folder in its command line.
    if (this.kind === 'docker') killCgroups(this.#cgroup);
    removeCgroups(this.kind === 'docker' ? this.#cgroup : 'libpod_parent');
  }

  #command(): readonly string[] {
    const { folder } = this;
    if (this.kind === 'podman')
      return [
        programs.podman.path,
        '--root',
        join(folder, 'data'),
        '--runroot',
        join(folder, 'run'),
        '--cgroup-manager',
        'cgroupfs',
        '--network-config-dir',
        join(folder, 'networks'),
        'system',
        'service',
        '--time=0',
        `unix://${this.socketPath}`,
      ];
    return [
      programs.docker.path,
      '--data-root',
      join(folder, 'data'),
      '--exec-root',
      join(folder, 'exec'),
      '--host',
      this.address,
      '--pidfile',
      join(folder, 'pid'),
      '--cgroup-parent',
      `/${this.#cgroup}`,
      ...(this.#hasDefaultBridge ? [] : ['--bridge', 'none']),
      '--config-file',
      join(folder, 'none.json'),
    ];
  }

  /** Podman raises limits that a host may not let it raise, and its default runtime refuses hybrid control groups. */
  #writePodmanSettings(): void {
    const limits = read('/proc/self/limits');
    const hardLimit = (name: string, most: number): number =>
      Math.min(most, Number(new RegExp(`^${name} +\\S+ +(\\d+)`, 'm').exec(limits)?.[1] ?? most));
    const [files, processes] = [hardLimit('Max open files', 1_048_576), hardLimit('Max processes', 32_768)];
    mkdirSync(join(this.folder, 'networks'), { recursive: true });
    // Docker takes loopback addresses for plain HTTP by itself.
    writeFileSync(join(this.folder, 'registries.conf'), '[[registry]]\nlocation = "127.0.0.1"\ninsecure = true\n');
    writeFileSync(
      join(this.folder, 'containers.conf'),
      `[containers]
default_ulimits = ["nofile=${files}:${files}", "nproc=${processes}:${processes}"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
lock_type = "file"
tmp_dir = "${join(this.folder, 'tmp')}"
`,
    );
  }

  async #isUp(): Promise<boolean> {
    return this.call('GET', '/_ping').then(
      () => true,
      () => false,
    );
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill(signal);
    child.kill('SIGCONT');
    const giveUp = setTimeout(() => child.kill('SIGKILL'), 30_000);
    await ended;
    clearTimeout(giveUp);
  }
}

/** A plain call to an engine on a socket. */
export function callEngine<Answer>(
  address: string,
  method: string,
  path: string,
  body?: object,
  headers: Readonly<Record<string, string>> = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request(
      {
        socketPath: address.replace('unix://', ''),
        method,
        path: `/v1.41${path}`,
        headers: { ...headers, ...(body === undefined ? {} : { 'Content-Type': 'application/json' }) },
      },
      (response) => {
        let text = '';
        response.on('data', (bytes: Buffer) => {
          text += bytes.toString();
        });
        response.on('end', () => {
          if ((response.statusCode ?? 500) >= 400)
            reject(new Error(`${method} ${path}: ${response.statusCode} ${text}`));
          // Some answers are a row of documents, and logs are none.
          else resolve((/^[[{].*[\]}]\n?$/.test(text) ? JSON.parse(text) : text) as Answer);
        });
      },
    );
    sent.on('error', reject);
    sent.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

/** Podman keeps leases of addresses and namespaces where every Podman of the host does: here nobody else sees them. */
const launch: Record<EngineKind, string> = {
  docker: 'ip link set lo up; exec "$0" "$@"',
  podman: `ip link set lo up
for folder in /var/lib/cni /run/netns; do mkdir -p $folder; mount -t tmpfs tmpfs $folder; done
exec "$0" "$@"`,
};

/** Shims, monitors and what they ran: found by the folder that their command line or root names. */
function killLeftBehind(folder: string): void {
  for (let round = 0; round < 20; round += 1) {
    const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid);
    const left = pids.filter((pid) => read(`/proc/${pid}/cmdline`).includes(folder));
    if (left.length === 0) return;
    for (const pid of left) {
      try {
        process.kill(Number(pid), 'SIGKILL');
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
      }
    }
  }
}

function mountsBelow(folder: string): readonly string[] {
  return read('/proc/self/mounts')
    .split('\n')
    .map((line) => line.split(' ')[1] ?? '')
    .filter((target) => target.startsWith(`${folder}/`))
    .toReversed();
}

function killCgroups(name: string): void {
  const groups = readdirSync('/sys/fs/cgroup', { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .flatMap(({ name: root }) => {
      const top = `/sys/fs/cgroup/${root}/${name}`;
      if (!existsSync(top)) return [];
      const below = readdirSync(top, { recursive: true, encoding: 'utf8' });
      return [top, ...below.filter((path) => path.endsWith('cgroup.procs')).map((path) => dirname(join(top, path)))];
    });
  const pids = new Set(groups.flatMap((group) => read(join(group, 'cgroup.procs')).split('\n').filter(Boolean)));
  for (const pid of pids)
    try {
      process.kill(Number(pid), 'SIGKILL');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
}

function removeCgroups(name: string): void {
  const roots = readdirSync('/sys/fs/cgroup', { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => `/sys/fs/cgroup/${entry.name}/${name}`);
  for (const root of [...roots, `/sys/fs/cgroup/${name}`]) removeCgroup(root);
}

function removeCgroup(path: string): void {
  if (!existsSync(path)) return;
  for (const entry of readdirSync(path, { withFileTypes: true }))
    if (entry.isDirectory()) removeCgroup(join(path, entry.name));
  try {
    rmdirSync(path);
  } catch (error) {
    // Something still leaves it: an empty folder is no harm.
    if ((error as NodeJS.ErrnoException).code !== 'EBUSY') throw error;
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
