import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { GantryError } from '../core/errors.ts';
import { FilesystemLogs } from '../drivers/logs/filesystem/filesystem-logs.ts';
import { ensureSetupKey } from '../features/accounts/index.ts';
import { systemClock } from '../lib/clock.ts';
import { armFailpoints } from '../lib/failpoint.ts';
import { jsonLogger, type Logger } from '../lib/logger.ts';
import { rootFolder } from '../lib/root-folder.ts';
import { listen } from '../server/listen.ts';
import { createServer } from '../server/server.ts';
import { uiFolder } from './build-ui.ts';
import type { Config } from './config.ts';
import { createFeatures } from './features.ts';
import { instanceId } from './instance-id.ts';
import { openData } from './open-data.ts';
import { openRunners } from './runners.ts';

export interface ServeOptions {
  readonly config: Config;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly logger?: Logger;
}

export interface Serving {
  /** Address to reach it on this host. */
  readonly url: string;
  /** One-time link to create the first admin; only while there is nobody. */
  readonly setupLink: string | undefined;
  /** Resolves when the server can no longer vouch for what it writes: the program must end. */
  readonly whenFailed: Promise<Error>;
  /** Ends requests and streams, then everything behind them. Steps go on: the next server finds their runner. */
  close(): Promise<void>;
}

/** Starts a server on a data folder: it takes requests once what a crash may have left is put right. */
export async function serve({
  config,
  environment,
  logger = jsonLogger(config.logLevel),
}: ServeOptions): Promise<Serving> {
  armFailpoints(config.failpoints);
  const clock = systemClock;
  const data = await openData(config, { clock, logger });
  const undo: (() => Promise<unknown>)[] = [data.close];
  const close = async (): Promise<void> => {
    for (const step of undo.splice(0).reverse()) await step();
  };
  try {
    // The port comes first: with port 0 nobody knows the address before.
    let app: ReturnType<typeof createServer> | undefined;
    const door: Pick<ReturnType<typeof createServer>, 'fetch'> = {
      fetch: (request, env, context) => app?.fetch(request, env, context) ?? stillStarting(),
    };
    const listening = await listen(door, { hostname: config.host, port: config.port });
    const publicUrl = config.publicUrl?.replace(/\/$/, '') ?? listening.url;
    const stopping = new AbortController();

    const { store } = data;
    const id = await instanceId(store);
    const logs = new FilesystemLogs(join(config.dataFolder, 'logs'));
    const version = readVersion();
    const features = createFeatures({
      config,
      store,
      logs,
      clock,
      logger,
      publicUrl,
      version,
      instanceId: id,
      configHome: environment['XDG_CONFIG_HOME'],
    });
    undo.push(() => features.compiler.close());
    for (const feature of features.all) {
      await feature.start?.();
      if (feature.stop) undo.push(() => feature.stop!());
    }
    const setupKey = await ensureSetupKey({ store });
    app = createServer({
      features: features.all,
      findJob: features.pipelines.findJob,
      store,
      happenings: store.happenings,
      logs: features.pipelines.logBus,
      config: { publicUrl, trustedProxies: config.trustedProxies, version },
      clock,
      logger,
      uiFolder,
      stopping: stopping.signal,
    });
    undo.push(async () => {
      stopping.abort();
      await listening.close();
    });
    const runners = await openRunners({
      config,
      environment,
      instanceId: id,
      accept: (connection) => features.pipelines.acceptRunner(connection),
      lose: (isGone) => features.pipelines.loseRunners(isGone),
      logger: logger.child({ part: 'runners' }),
    });
    undo.push(() => runners.close());
    return {
      url: listening.url,
      setupLink: setupKey && `${publicUrl}/setup?key=${setupKey}`,
      whenFailed: store.whenSuspect,
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

function stillStarting(): Response {
  const { code, message, hint } = new GantryError('SERVER_BUSY', 'Cannot take requests: the server is starting');
  return Response.json({ code, detail: message, hint }, { status: 503, headers: { 'Retry-After': '1' } });
}

function readVersion(): string {
  return (JSON.parse(readFileSync(join(rootFolder, 'package.json'), 'utf8')) as { version: string }).version;
}
