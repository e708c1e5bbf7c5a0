import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, expect, it, onTestFinished } from 'vitest';
import { ProtocolServer } from '../../test/support/protocol-server.ts';
import { FilesystemLogs } from '../drivers/logs/filesystem/filesystem-logs.ts';
import type { ToRunner, ToServer } from '../engine/runner-protocol.ts';
import { framedSocket } from '../lib/framed-socket.ts';
import { readConfig } from './config.ts';
import { openRunnerFolder } from './runner-folder.ts';
import { livingRunners } from './runner-record.ts';
import { writeServerRecord } from './server-record.ts';
import { newRunnerSettings } from './start-runner.ts';

const program = resolve('src/cli/main.ts');

interface Ended {
  readonly exitCode: number;
  readonly stderr: string;
}

/** A server that takes runners and starts none of its own. */
async function serverWithoutRunner() {
  const folder = await mkdtemp(join(tmpdir(), 'g-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const dataFolder = join(folder, 'data');
  mkdirSync(dataFolder);
  const environment = {
    PATH: process.env['PATH'],
    HOME: folder,
    GANTRY_RUN: join(folder, 'run'),
    GANTRY_RUNTIME: 'scripted',
  };
  const { config } = readConfig({ environment, flags: { dataFolder } });
  const runnerFolder = openRunnerFolder(config);
  const logs = new FilesystemLogs(join(folder, 'logs'));
  onTestFinished(() => logs.close());
  const server = new ProtocolServer(logs);
  const listener = createServer((socket) =>
    server.accept(framedSocket<ToRunner, ToServer>(socket, { onFault: () => undefined })),
  );
  listener.listen(runnerFolder.socketPath);
  await once(listener, 'listening');
  onTestFinished(() => void listener.close());
  const leave = writeServerRecord(
    runnerFolder,
    newRunnerSettings({ config, environment, folder: runnerFolder, instanceId: 'test' }),
  );
  const words = [program, 'runner', '--data', dataFolder];
  const refused = (language = 'C'): Promise<Ended> =>
    new Promise((done) => {
      const env = { ...environment, LC_ALL: language };
      execFile(process.execPath, words, { env }, (error, _, stderr) =>
        done({ exitCode: error ? Number(error.code) : 0, stderr }),
      );
    });
  const start = async () => {
    const child = spawn(process.execPath, words, { env: environment, stdio: ['ignore', 'pipe', 'ignore'] });
    const ended = once(child, 'exit') as Promise<[number | null]>;
    onTestFinished(() => void child.kill('SIGKILL'));
    const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
    return { child, ended, runnerId: (JSON.parse(line) as { runnerId: string }).runnerId };
  };
  return { server, leave, refused, start, living: () => livingRunners(runnerFolder.recordsFolder) };
}

describe('gantry runner', () => {
  it('runs steps for the server of the data folder, and leaves when it is told to', async () => {
    const { server, start, living } = await serverWithoutRunner();
    const { child, ended, runnerId } = await start();
    await server.until(() => server.hellos.length === 1);
    expect(server.hellos[0]).toMatchObject({ runnerId, runtime: 'scripted' });
    expect(living()).toMatchObject([{ runnerId, pid: child.pid }]);
    child.kill('SIGTERM');
    expect((await ended)[0]).toBe(0);
    expect(living()).toEqual([]);
  });

  it('says which runner there is already', async () => {
    const { server, start, refused } = await serverWithoutRunner();
    const { child, runnerId } = await start();
    await server.until(() => server.hellos.length === 1);
    const inEnglish = await refused();
    expect(inEnglish.exitCode).toBe(1);
    expect(inEnglish.stderr).toContain(`has one already (${runnerId}, process ${child.pid})`);
    expect(inEnglish.stderr).toContain('RUNNER_PRESENT');
    expect((await refused('zh_CN.UTF-8')).stderr).toContain('已有一个');
  });

  it('says that no server is there', async () => {
    const { leave, refused } = await serverWithoutRunner();
    leave();
    const { exitCode, stderr } = await refused();
    expect(exitCode).toBe(1);
    expect(stderr).toContain('Cannot run steps: no server is running on the data folder');
  });
});
