import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { stepPlan } from '../../test/support/plans.ts';
import { assignmentOf, ProtocolServer } from '../../test/support/protocol-server.ts';
import { FilesystemLogs } from '../drivers/logs/filesystem/filesystem-logs.ts';
import { silentLogger } from '../lib/logger.ts';
import { isAlive } from '../lib/process-identity.ts';
import type { Config } from './config.ts';
import { openRunnerFolder } from './runner-folder.ts';
import { livingRunners, type RunnerRecord } from './runner-record.ts';
import { openRunners, type Runners } from './runners.ts';
import { stopRunner } from './start-runner.ts';

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function host(change: Partial<Config> = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'g-'));
  cleanups.push(() => rm(folder, { recursive: true, force: true }));
  const dataFolder = join(folder, 'data');
  mkdirSync(dataFolder);
  const config = {
    dataFolder,
    runFolder: join(folder, 'run'),
    runtime: 'scripted',
    slots: 2,
    logLevel: 'info',
    stepMemory: 2 ** 30,
    stepPids: 1_000,
    stepDisk: 2 ** 30,
    ...change,
  } as unknown as Config;
  cleanups.push(() => stopRunner(config));
  const logs = new FilesystemLogs(join(folder, 'logs'));
  cleanups.push(() => logs.close());
  /** Runners that the server waits for, and those of them that it heard to be dead. */
  const awaited: string[] = [];
  const gone = new Set<string>();
  const serve = async (serveChange: Partial<Config> = {}): Promise<{ server: ProtocolServer; runners: Runners }> => {
    const server = new ProtocolServer(logs);
    const runners = await openRunners({
      config: { ...config, ...serveChange },
      environment: process.env,
      instanceId: 'test',
      accept: (connection) => server.accept(connection),
      lose: (isGone) => awaited.filter(isGone).forEach((runnerId) => gone.add(runnerId)),
      logger: silentLogger,
    });
    cleanups.push(() => runners.close());
    return { server, runners };
  };
  const living = (): readonly RunnerRecord[] => livingRunners(openRunnerFolder(config).recordsFolder);
  return { config, serve, living, logs, folder, awaited, gone };
}

const claim = { workflowId: 7, attempt: 1, token: 1 };

describe('openRunners', () => {
  it('starts a runner that runs steps, and whose thread sends heartbeats over a line of its own', async () => {
    const { serve, logs, living, config } = await host();
    const { server } = await serve();
    await server.until(() => server.hellos.length === 1);
    expect(living()).toHaveLength(1);
    server.send({
      type: 'assign',
      ...claim,
      assignment: assignmentOf([stepPlan('a', { environment: { STEP_OUTPUT: 'hello' } })]),
    });
    await server.until(() => server.released.has(7));
    expect(String(await logs.read(100, 0, 100))).toBe('hello\n');
    await server.until(() => server.heardOf('heartbeat').length >= 2);
    expect(server.heardOf('heartbeat')[0]).toMatchObject({
      runnerId: server.hellos[0]!.runnerId,
      generation: server.hellos[0]!.generation,
    });
    const { folder, socketPath } = openRunnerFolder(config);
    expect((await stat(folder)).mode & 0o077).toBe(0);
    expect(Buffer.byteLength(socketPath)).toBeLessThanOrEqual(107);
  });

  it('finds the runner of an earlier server, whose steps went on meanwhile', async () => {
    const { serve, logs, living } = await host();
    const first = await serve();
    await first.server.until(() => first.server.hellos.length === 1);
    const acts = JSON.stringify([
      { do: 'write', text: 'before\n' },
      { do: 'sleep', ms: 400 },
      { do: 'write', text: 'after\n' },
    ]);
    first.server.send({
      type: 'assign',
      ...claim,
      assignment: assignmentOf([stepPlan('a', { environment: { STEP_ACTS: acts } })]),
    });
    await first.server.until(() => first.server.heardOf('running').length === 1);
    const [before] = living();
    await first.runners.close();
    expect(isAlive(before!)).toBe(true);

    const second = await serve();
    await second.server.until(() => second.server.released.has(7));
    expect(second.server.hellos[0]).toMatchObject({ runnerId: before!.runnerId, holds: [claim] });
    expect(living()).toEqual([before]);
    expect(String(await logs.read(100, 0, 100))).toBe('before\nafter\n');
    expect(second.server.outcomes.get(100)?.status).toBe('passed');
  });

  it('starts another runner when the one it has is killed', async () => {
    const { serve, living, awaited, gone } = await host();
    const { server } = await serve();
    await server.until(() => server.hellos.length === 1);
    const [before] = living();
    awaited.push(before!.runnerId, 'of-another-host');
    process.kill(before!.pid, 'SIGKILL');
    await server.until(() => server.hellos.length === 2);
    awaited.push(server.hellos[1]!.runnerId);
    expect([...gone]).toEqual([before!.runnerId]);
    expect(server.hellos[1]!.runnerId).not.toBe(before!.runnerId);
    expect(living()).toHaveLength(1);
  });

  it('tells at its start which runners died while no server was there', async () => {
    const { serve, living, awaited, gone } = await host();
    const first = await serve();
    await first.server.until(() => first.server.hellos.length === 1);
    const [before] = living();
    await first.runners.close();
    process.kill(before!.pid, 'SIGKILL');
    while (isAlive(before!)) await new Promise((wait) => setTimeout(wait, 20));
    awaited.push(before!.runnerId, 'of-another-host');
    await serve();
    expect([...gone]).toEqual([before!.runnerId]);
  });

  it('misses a runner that dies after it was found and before it has called, and starts another', async () => {
    const { serve, living, awaited, gone } = await host();
    const first = await serve();
    await first.server.until(() => first.server.hellos.length === 1);
    const [before] = living();
    awaited.push(before!.runnerId);
    // Stopped, it cannot call the next server; its process is there all the same.
    process.kill(before!.pid, 'SIGSTOP');
    await first.runners.close();
    const { server } = await serve();
    expect([...gone]).toEqual([]);
    process.kill(before!.pid, 'SIGKILL');
    await server.until(() => server.hellos.length === 1);
    expect([...gone]).toEqual([before!.runnerId]);
    expect(server.hellos[0]!.runnerId).not.toBe(before!.runnerId);
  });

  it('starts another runner when the one that it found is killed', async () => {
    const { serve, living } = await host();
    const first = await serve();
    await first.server.until(() => first.server.hellos.length === 1);
    await first.runners.close();
    const { server } = await serve();
    await server.until(() => server.hellos.length === 1);
    process.kill(living()[0]!.pid, 'SIGKILL');
    await server.until(() => server.hellos.length === 2);
  });

  it('lets a runner of other settings finish what it has, and gives new work to a new one', async () => {
    const { serve, living } = await host();
    const first = await serve();
    await first.server.until(() => first.server.hellos.length === 1);
    first.server.send({
      type: 'assign',
      ...claim,
      assignment: assignmentOf([stepPlan('a', { environment: { STEP_SLEEP: '500ms' } })]),
    });
    await first.server.until(() => first.server.heardOf('running').length === 1);
    const [old] = living();
    await first.runners.close();

    const { server } = await serve({ slots: 3 });
    await server.until(() => server.hellos.length >= 2);
    const hellos = new Map(server.hellos.map((hello) => [hello.runnerId, hello]));
    expect(hellos.get(old!.runnerId)).toMatchObject({ isDraining: true, holds: [claim] });
    expect([...hellos.values()].find(({ runnerId }) => runnerId !== old!.runnerId)).toMatchObject({
      slots: 3,
      holds: [],
    });
    while (isAlive(old!)) await new Promise((wait) => setTimeout(wait, 20));
    expect(server.outcomes.get(100)?.status).toBe('passed');
  });

  it('leaves nothing behind when its runner is stopped', async () => {
    const { serve, living, config } = await host();
    const { server, runners } = await serve();
    await server.until(() => server.hellos.length === 1);
    server.send({
      type: 'assign',
      ...claim,
      assignment: assignmentOf([stepPlan('a', { environment: { STEP_HANG: '1' } })]),
    });
    await server.until(() => server.heardOf('running').length === 1);
    const [runner] = living();
    await runners.close();
    await stopRunner(config);
    expect(isAlive(runner!)).toBe(false);
    expect(await readdir(openRunnerFolder(config).recordsFolder)).toEqual([]);
    await stopRunner(config);
  });

  it('finds another place for its socket when the run folder is too deep', async () => {
    const { serve, config } = await host({ runFolder: join(tmpdir(), 'x'.repeat(90)) });
    const { server } = await serve();
    await server.until(() => server.hellos.length === 1);
    expect(openRunnerFolder(config).folder.startsWith(join(tmpdir(), 'gantry-'))).toBe(true);
    cleanups.push(() => rm(openRunnerFolder(config).folder, { recursive: true, force: true }));
  });
});

describe('startHeartbeat', () => {
  it('goes on while the program around it is busy', async () => {
    const { serve } = await host();
    const { server } = await serve();
    await server.until(() => server.hellos.length === 1);
    const { config } = await host();
    const { socketPath } = openRunnerFolder(config);
    const beats = new ProtocolServer(new FilesystemLogs(config.dataFolder));
    const { createServer } = await import('node:net');
    const { framedSocket } = await import('../lib/framed-socket.ts');
    const listener = createServer((socket) => beats.accept(framedSocket(socket)));
    await new Promise<void>((ready) => listener.listen(socketPath, ready));
    cleanups.push(() => new Promise((closed) => listener.close(closed)));
    const program = `
      import { writeSync } from 'node:fs';
      import { startHeartbeat } from ${JSON.stringify(resolve('src/runner/heartbeat.ts'))};
      const heartbeat = startHeartbeat({ socketPath: ${JSON.stringify(socketPath)}, runnerId: 'r', generation: 'g' });
      heartbeat.useLease(300);
      process.stdin.once('data', () => {
        writeSync(1, 'busy');
        for (;;);
      });
    `;
    const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    cleanups.push(async () => child.kill('SIGKILL'));
    await beats.until(() => beats.heardOf('heartbeat').length === 1);
    child.stdin.write('be busy');
    await once(child.stdout, 'data');
    const before = { beats: beats.heardOf('heartbeat').length, cpuMs: cpuMsOf(child.pid!) };
    await beats.until(() => beats.heardOf('heartbeat').length === before.beats + 10);
    // Of its own time and not of the clock's: others may be using the machine.
    expect(cpuMsOf(child.pid!) - before.cpuMs).toBeLessThan(1_500);
  });
});

/** Time that a process has had of a processor (proc(5), stat, field 14). */
function cpuMsOf(pid: number): number {
  const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  return Number(text.slice(text.lastIndexOf(')') + 2).split(' ')[11]) * 10;
}

describe('the runner process', () => {
  it('loads no validation, no web framework and no query builder', async () => {
    const seen = new Set<string>();
    const outside = new Set<string>();
    const visit = async (path: string): Promise<void> => {
      if (seen.has(path)) return;
      seen.add(path);
      const text = await readFile(path, 'utf8');
      for (const [, from] of text.matchAll(/^(?:import|export) (?!type )[^;]*?from '([^']+)'|import\('([^']+)'\)/gms)) {
        if (from === undefined) continue;
        if (from.startsWith('.')) await visit(join(dirname(path), from));
        else if (!from.startsWith('node:')) outside.add(from);
      }
    };
    await visit(resolve('src/app/run-runner.ts'));
    await visit(resolve('src/drivers/runtime/sandbox/sandbox-runtime.ts'));
    await visit(resolve('src/app/images.ts'));
    expect(seen.size).toBeGreaterThan(40);
    expect([...outside].filter((name) => /^(zod|hono|@hono\/.*|kysely|pg)(\/|$)/.test(name))).toEqual([]);
  });
});
