import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chownSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';

/** A PostgreSQL server for tests. */
export interface TestPostgres {
  /** Makes an empty database and answers its address; all end with `stop`. */
  createDatabase(): Promise<string>;
  stop(): Promise<void>;
}

/** Why there is none. */
export interface MissingPostgres {
  readonly missing: string;
}

const startTimeoutMs = 30_000;
const programFolders = '/usr/lib/postgresql';

/**
 * Starts a server of its own from Debian's package (a temporary data folder, a Unix socket, no port), or uses the one
 * that `DATABASE_URL` names. Each database it makes is new, so tests may run beside each other.
 */
export async function startPostgres(
  options: { readonly isDurable?: boolean } = {},
): Promise<TestPostgres | MissingPostgres> {
  const given = process.env['DATABASE_URL'];
  if (given) return useServer(given, async () => {});
  const programs = findPrograms();
  if (!programs)
    return { missing: `no PostgreSQL in ${programFolders} (apt-get install postgresql) and no DATABASE_URL` };

  const folder = mkdtempSync(join(tmpdir(), 'gantry-postgres-'));
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  try {
    const asServer = unprivileged(folder);
    const data = join(folder, 'data');
    run(asServer, [
      join(programs, 'initdb'),
      '-D',
      data,
      '-U',
      'gantry',
      '--auth=trust',
      '--no-sync',
      '--encoding=UTF8',
      '--locale=C',
    ]);
    // What is tested is our part; the server itself does not lose power here.
    const flags = [
      '-c',
      'listen_addresses=',
      '-c',
      `fsync=${options.isDurable ? 'on' : 'off'}`,
      '-c',
      `unix_socket_directories=${folder}`,
    ];
    const server = start(asServer, [join(programs, 'postgres'), '-D', data, ...flags], remove);
    const url = `postgresql:///postgres?host=${encodeURIComponent(folder)}&user=gantry`;
    await untilItAnswers(url, server);
    return useServer(url, async () => {
      await end(server.child);
      remove();
    });
  } catch (error) {
    remove();
    throw error;
  }
}

interface Server {
  readonly child: ChildProcess;
  output(): string;
}

function findPrograms(): string | undefined {
  if (!existsSync(programFolders)) return undefined;
  return readdirSync(programFolders)
    .toSorted((a, b) => Number(b) - Number(a))
    .map((version) => join(programFolders, version, 'bin'))
    .find((folder) => existsSync(join(folder, 'postgres')) && existsSync(join(folder, 'initdb')));
}

/** PostgreSQL refuses to run as root: then it runs as the user of Debian's package, who must own the folder. */
function unprivileged(folder: string): readonly string[] {
  if (process.getuid?.() !== 0) return [];
  const entry = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'))
    .find(([name]) => name === 'postgres');
  if (!entry) throw new Error('Cannot start PostgreSQL: there is no user "postgres"');
  const [uid, gid] = [Number(entry[2]), Number(entry[3])];
  chownSync(folder, uid, gid);
  return ['setpriv', `--reuid=${uid}`, `--regid=${gid}`, '--clear-groups'];
}

function run(prefix: readonly string[], command: readonly string[]): void {
  const [program = '', ...rest] = [...prefix, ...command];
  execFileSync(program, rest, { cwd: '/', stdio: 'pipe', env: { PATH: process.env['PATH'], LC_ALL: 'C' } });
}

function start(prefix: readonly string[], command: readonly string[], remove: () => void): Server {
  const [program = '', ...rest] = [...prefix, ...command];
  const child = spawn(program, rest, {
    cwd: '/',
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { PATH: process.env['PATH'], LC_ALL: 'C' },
  });
  let text = '';
  child.stderr?.on('data', (bytes: Buffer) => {
    text = (text + bytes.toString()).slice(-4_000);
  });
  // Whatever ends the tests ends the server too, and takes its folder away.
  process.once('exit', () => {
    child.kill('SIGQUIT');
    remove();
  });
  return { child, output: () => text };
}

async function untilItAnswers(url: string, server: Server): Promise<void> {
  const deadline = performance.now() + startTimeoutMs;
  for (;;) {
    if (server.child.exitCode !== null) throw new Error(`Cannot start PostgreSQL: it ended. ${server.output()}`);
    const client = new pg.Client({ connectionString: url });
    try {
      await client.connect();
      return;
    } catch (error) {
      if (performance.now() > deadline) {
        throw new Error(`Cannot start PostgreSQL: it does not answer. ${server.output()}`, { cause: error });
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    } finally {
      await client.end();
    }
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGQUIT');
  await ended;
}

function useServer(url: string, after: () => Promise<void>): TestPostgres {
  const made: string[] = [];
  const administer = async (sql: string): Promise<void> => {
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    try {
      await client.query(sql);
    } finally {
      await client.end();
    }
  };
  return {
    async createDatabase() {
      const name = `gantry_test_${randomBytes(8).toString('hex')}`;
      await administer(`create database ${name}`);
      made.push(name);
      const address = new URL(url);
      address.pathname = `/${name}`;
      return address.toString();
    },
    async stop() {
      for (const name of made.splice(0)) await administer(`drop database if exists ${name} with (force)`);
      await after();
    },
  };
}
