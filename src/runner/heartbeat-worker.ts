import { connect } from 'node:net';
import { parentPort, workerData } from 'node:worker_threads';
import type { ToRunner, ToServer } from '../engine/runner-protocol.ts';
import { framedSocket } from '../lib/framed-socket.ts';
import type { HeartbeatFrom } from './heartbeat.ts';

/**
 * Tells the server that the runner lives, over a line of its own and from a thread of its own: neither a busy loop nor
 * a flood of output in the runner delays it.
 */
const { socketPath, runnerId, generation } = workerData as HeartbeatFrom;
let everyMs = 1_000;
let timer: NodeJS.Timeout | undefined;
let line: ReturnType<typeof openLine> | undefined;

function openLine() {
  const opened = framedSocket<ToServer, ToRunner>(connect(socketPath));
  opened.onMessage(() => {});
  opened.onClose(() => {
    line = undefined;
  });
  return opened;
}

function beat(): void {
  line ??= openLine();
  line.send({ type: 'heartbeat', runnerId, generation });
  timer = setTimeout(beat, everyMs);
  timer.unref();
}

// The port keeps the thread alive, and ends with the runner. Each greeting of a server is answered by a beat at once.
parentPort?.on('message', (intervalMs: number) => {
  everyMs = intervalMs;
  clearTimeout(timer);
  beat();
});
