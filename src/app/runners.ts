import { rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import type { Connection, ToRunner, ToServer } from '../engine/runner-protocol.ts';
import { framedSocket } from '../lib/framed-socket.ts';
import type { Logger } from '../lib/logger.ts';
import { isAlive } from '../lib/process-identity.ts';
import type { Config } from './config.ts';
import { openRunnerFolder } from './runner-folder.ts';
import { livingRunners, type RunnerRecord } from './runner-record.ts';
import { writeServerRecord } from './server-record.ts';
import { ensureRunner, isOfThisHost, newRunnerSettings } from './start-runner.ts';

export interface RunnersOptions {
  readonly config: Config;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly instanceId: string;
  readonly accept: (connection: Connection<ToRunner, ToServer>) => void;
  /** Told which runners of this host do not live any more: nobody need wait for the end of their lease. */
  readonly lose: (isGone: (runnerId: string) => boolean) => void;
  readonly logger: Logger;
}

export interface Runners {
  /** Hangs up. Runners go on, and call the next server. */
  close(): Promise<void>;
}

/** How often runners that an earlier server started are looked after until they are gone: no child of ours, nobody tells. */
const watchMs = 500;

const restart = { firstMs: 200, mostMs: 30_000, steadyMs: 30_000 };

/** Listens for the runners of this host, and sees to it that one lives for as long as the server does. */
export async function openRunners(options: RunnersOptions): Promise<Runners> {
  const { config, logger } = options;
  const folder = openRunnerFolder(config);
  const sockets = new Set<Socket>();
  let isClosed = false;
  let isChildAlive = false;
  let delayMs = restart.firstMs;
  let startedMs = 0;
  let timer: NodeJS.Timeout | undefined;
  let watch: NodeJS.Timeout | undefined;

  const ensure = (): void => {
    try {
      const { runnerId, isNew } = ensureRunner({ ...options, folder, onExit: noteExit });
      if (isNew) {
        isChildAlive = true;
        startedMs = performance.now();
      }
      logger.info(isNew ? 'A runner was started' : 'A runner was found', { runnerId });
    } catch (error) {
      logger.error('A runner could not be started', { error });
      ensureLater();
    }
  };
  /** One that dies at once is started ever more slowly: whatever ails it is not cured by hurry. */
  const ensureLater = (): void => {
    if (isClosed || timer) return;
    timer = setTimeout(() => {
      timer = undefined;
      if (isClosed) return;
      tellOfGone();
      if (isChildAlive || livingRunners(folder.recordsFolder).length > 0) return;
      delayMs =
        performance.now() - startedMs > restart.steadyMs ? restart.firstMs : Math.min(delayMs * 2, restart.mostMs);
      ensure();
    }, delayMs);
    timer.unref();
  };
  /** Its record is written before its first call and is there for as long as it lives. */
  const tellOfGone = (): void => {
    const living = new Set(livingRunners(folder.recordsFolder).map(({ runnerId }) => runnerId));
    options.lose((runnerId) => isOfThisHost(runnerId) && !living.has(runnerId));
  };
  /** One that dies before it has called leaves no line behind that could break. */
  const watchFound = (found: readonly RunnerRecord[]): void => {
    if (isClosed || found.length === 0) return;
    watch = setTimeout(() => {
      const living = found.filter((runner) => isAlive(runner));
      if (living.length < found.length) {
        tellOfGone();
        ensureLater();
      }
      watchFound(living);
    }, watchMs);
    watch.unref();
  };
  const noteExit = (how: { readonly code: number | null; readonly signal: string | null }): void => {
    isChildAlive = false;
    if (isClosed) return;
    if (how.code !== 0) logger.warn('The runner ended', { ...how, output: `${config.dataFolder}/runner.log` });
    ensureLater();
  };

  const server = createServer((socket) => {
    sockets.add(socket);
    socket.once('close', () => {
      sockets.delete(socket);
      // One that an earlier server started is no child of this one: its line tells of its end.
      ensureLater();
    });
    options.accept(
      framedSocket<ToRunner, ToServer>(socket, {
        onFault: (error) => logger.warn('The line to a runner broke', { error }),
      }),
    );
  });
  // Before anybody can call: a runner of an older build must know that it is to take nothing new.
  const found = livingRunners(folder.recordsFolder);
  ensure();
  // Whoever holds the data folder is the server: what an earlier one left of the socket is void.
  rmSync(folder.socketPath, { force: true });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(folder.socketPath, resolve);
  });
  tellOfGone();
  watchFound(found);
  const removeRecord = writeServerRecord(folder, newRunnerSettings({ ...options, folder }));

  return {
    async close() {
      isClosed = true;
      removeRecord();
      clearTimeout(timer);
      clearTimeout(watch);
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
