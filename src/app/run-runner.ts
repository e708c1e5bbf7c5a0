import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { secretsOf } from '../core/network-settings.ts';
import type { ToRunner, ToServer } from '../engine/runner-protocol.ts';
import { systemClock } from '../lib/clock.ts';
import { framedSocket } from '../lib/framed-socket.ts';
import { jsonLogger, type Logger } from '../lib/logger.ts';
import { ownIdentity, type ProcessIdentity } from '../lib/process-identity.ts';
import { systemTimers } from '../lib/timers.ts';
import { startHeartbeat } from '../runner/heartbeat.ts';
import { type ServerConnection, startRunner } from '../runner/runner.ts';
import { knownLabels } from './known-labels.ts';
import { openBuilder } from './open-builder.ts';
import type { RunnerRecord } from './runner-record.ts';
import type { RunnerSettings } from './runner-settings.ts';
import { openRuntimes } from './runtime.ts';
import { watchRuntimes, withheldOf } from './watch-runtimes.ts';

/**
 * Is the runner process of this host, until it leaves. It outlives the server that started it: steps go on while a server is restarted or
 * upgraded. SIGUSR2: finish what there is, take nothing new, leave; a server may say so again. SIGTERM: the same, and a
 * second one, or SIGINT: leave at once.
 */
export async function runRunner(settings: RunnerSettings): Promise<void> {
  const identity = ownIdentity();
  const logger = jsonLogger(settings.logLevel).child({ runnerId: settings.runnerId });
  writeRecord(settings, identity);
  process.on('exit', () => rmSync(settings.recordPath, { force: true }));

  const { instanceId } = settings;
  const examined = await openRuntimes(settings.runtimes, { instanceId, ...identity }, { clock: systemClock, logger });
  for (const { name, isOffered, probe } of examined) {
    if (probe.isUsable) continue;
    const { findings } = probe;
    if (isOffered) logger.error('Steps cannot be run on this host', { runtime: name, findings });
    else logger.info('A runtime is not offered', { runtime: name, findings });
  }
  const [runtime, ...furtherRuntimes] = examined.flatMap((each) => each.runtime ?? []);
  if (!runtime) throw new Error('Cannot run steps: no runtime was opened');
  const generation = `${identity.pid}.${identity.startTicks}.${identity.bootId}`;
  const heartbeat = startHeartbeat({ socketPath: settings.socketPath, runnerId: settings.runnerId, generation });
  const runner = startRunner({
    connect: () => callServer(settings.socketPath, logger),
    runtime,
    furtherRuntimes,
    withheld: withheldOf(examined),
    slots: settings.slots,
    runnerId: settings.runnerId,
    generation,
    labels: { host: 'local', ...knownLabels() },
    ownLabels: settings.labels,
    stepLimits: settings.stepLimits,
    build: await openBuilder(settings.builder, { clock: systemClock, logger }),
    serviceReadyLimitMs: settings.serviceReadyLimitMs,
    leaveAfterMs: settings.leaveAfterMs,
    alwaysMasked: settings.runtimes.flatMap((each) => (each.kind === 'scripted' ? [] : secretsOf(each.network))),
    clock: systemClock,
    timers: systemTimers,
    logger,
    onWelcome: heartbeat.useLease,
  });

  const stopWatching = watchRuntimes({ examined, offer: runner.offer.bind(runner), timers: systemTimers, logger });

  let isDraining = false;
  process.on('SIGUSR2', () => runner.drain());
  process.on('SIGTERM', () => {
    if (isDraining) void runner.stop();
    else runner.drain();
    isDraining = true;
  });
  process.on('SIGINT', () => void runner.stop());
  // The terminal of the server is no business of its runner.
  process.on('SIGHUP', () => undefined);
  // Between two calls to a server that is away nothing else would keep the process.
  const stay = setInterval(() => undefined, 2 ** 30);
  await runner.left;
  stopWatching();
  clearInterval(stay);
  await heartbeat.stop();
}

function callServer(socketPath: string, logger: Logger): Promise<ServerConnection> {
  return new Promise((resolve, reject) => {
    const socket = connect(socketPath);
    socket.once('error', reject);
    // One turn later: what signals said before the server listened is heard by then, and our greeting tells of it.
    const greet = (): void => {
      socket.removeListener('error', reject);
      resolve(
        framedSocket<ToServer, ToRunner>(socket, {
          onFault: (error) => logger.warn('The line to the server broke', { error }),
        }),
      );
    };
    socket.once('connect', () => setImmediate(greet));
  });
}

/** Whole or not at all: a server reads it at any time. */
function writeRecord({ recordPath, runnerId, build }: RunnerSettings, identity: ProcessIdentity): void {
  const record: RunnerRecord = { runnerId, build, ...identity };
  writeFileSync(`${recordPath}.new`, JSON.stringify(record), { mode: 0o600 });
  renameSync(`${recordPath}.new`, recordPath);
}
