import { closeSync, writeSync } from 'node:fs';
import { Socket } from 'node:net';
import type { LaunchPipes } from './namespace-holder.ts';

type Listener = (stream: 'stdout' | 'stderr', bytes: Buffer) => void | Promise<void>;

/** At most this much of what a launcher says before the gate opens is kept. */
const complaintLimitBytes = 4_096;
/** A step can write to its gate's status pipe if it looks for it: what it says is bounded and only about itself. */
const statusLimitBytes = 16_384;

/** Our ends of a step's pipes: output with back-pressure, the gate, and what the gate says. */
export class StepPipes {
  readonly #outputEnded: Promise<void>;
  #waitingForListener = 0;
  #readCount = 0;
  readonly #streams: readonly Socket[];
  readonly #gate: GatePipe;
  readonly #status: Socket;
  #listener: Listener | undefined;
  #complaint = '';
  #statusText = '';
  #statusLines: readonly string[] = [];
  #onReady: (() => void) | undefined;
  readonly #statusEnded: Promise<void>;

  constructor(pipes: LaunchPipes) {
    const out = new Socket({ fd: pipes.out, readable: true, writable: false });
    const err = new Socket({ fd: pipes.err, readable: true, writable: false });
    this.#streams = [out, err];
    this.#gate = new GatePipe(pipes.gate);
    this.#status = new Socket({ fd: pipes.status, readable: true, writable: false });
    this.#outputEnded = Promise.all([this.#read(out, 'stdout'), this.#read(err, 'stderr')]).then(() => undefined);
    this.#statusEnded = endOf(this.#status);
    this.#status.on('data', (bytes: Buffer) => this.#hear(bytes));
  }

  /** Calls once the gate waits inside the sandbox. */
  onReady(listener: () => void): void {
    this.#onReady = listener;
    if (this.#statusLines.includes('ready')) listener();
  }

  /** What the launcher said before the gate opened: only it could write then. */
  get complaint(): string {
    return this.#complaint.trim();
  }

  /** How the gate says that the step ended; `undefined` when it said nothing, as when it was killed. */
  async end(): Promise<StepEnd | undefined> {
    await Promise.race([this.#statusEnded, new Promise((resolve) => setTimeout(resolve, 100).unref())]);
    for (const line of this.#statusLines) {
      const [word, ...rest] = line.split(' ');
      if (word === 'fault') return { kind: 'fault', message: rest.join(' ') };
      if (word === 'exit') return { kind: 'exit', code: Number(rest[0]) & 0xff };
      if (word === 'signal') return { kind: 'signal', number: Number(rest[0]) & 0x7f };
    }
    return undefined;
  }

  /**
   * Waits for the end of the output. After the exit of the step something that is not its process may still hold the
   * pipes: then it is the end once nothing came for `idleMs`. Bytes that wait for a slow listener are never cut.
   */
  async drain(idleMs: number): Promise<void> {
    let isEnded = false;
    const ended = this.#outputEnded.then(() => {
      isEnded = true;
    });
    for (;;) {
      const seen = this.#readCount;
      let timer: NodeJS.Timeout | undefined;
      await Promise.race([
        ended,
        new Promise((resolve) => {
          timer = setTimeout(resolve, idleMs);
        }),
      ]);
      clearTimeout(timer);
      if (isEnded || (this.#readCount === seen && this.#waitingForListener === 0)) return;
    }
  }

  /** Sends the release; from now on output belongs to the step. */
  release(frame: Buffer, listener: Listener): void {
    this.#listener = listener;
    this.#gate.write(frame);
  }

  /** Asks the gate to send SIGTERM to everything in the sandbox. */
  terminate(): void {
    this.#gate.write(Buffer.from('T'));
  }

  close(): void {
    for (const socket of [...this.#streams, this.#status]) socket.destroy();
    this.#gate.close();
  }

  #hear(bytes: Buffer): void {
    if (this.#statusText.length < statusLimitBytes) this.#statusText += bytes.toString('utf8');
    this.#statusLines = this.#statusText.split('\n').slice(0, -1);
    if (this.#onReady && this.#statusLines.includes('ready')) {
      this.#onReady();
      this.#onReady = undefined;
    }
  }

  async #read(socket: Socket, stream: 'stdout' | 'stderr'): Promise<void> {
    let pending: Promise<void> = Promise.resolve();
    socket.on('data', (bytes: Buffer) => {
      this.#readCount += 1;
      if (!this.#listener) {
        if (this.#complaint.length < complaintLimitBytes) this.#complaint += bytes.toString('utf8');
        return;
      }
      const taken = this.#listener(stream, bytes);
      if (!taken) return;
      // Not read means that the step waits in write(): nothing is cut and nothing piles up.
      socket.pause();
      this.#waitingForListener += 1;
      pending = taken
        .catch(() => undefined)
        .then(() => {
          this.#waitingForListener -= 1;
          socket.resume();
        });
    });
    await endOf(socket);
    await pending;
  }
}

/** Writes to a gate. Nearly all that is ever written fits the pipe: then no stream is made for it. */
class GatePipe {
  readonly #fd: number;
  #stream: Socket | undefined;
  #isClosed = false;

  constructor(fd: number) {
    this.#fd = fd;
  }

  /** Whoever does not read any more is not told: how the step ended is said elsewhere. */
  write(bytes: Buffer): void {
    if (this.#isClosed) return;
    if (this.#stream) {
      this.#stream.write(bytes);
      return;
    }
    const written = this.#writeNow(bytes);
    if (written === bytes.length) return;
    this.#stream = new Socket({ fd: this.#fd, readable: false, writable: true });
    this.#stream.on('error', () => this.#stream?.destroy());
    this.#stream.write(bytes.subarray(written));
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    if (this.#stream) this.#stream.destroy();
    else closeSync(this.#fd);
  }

  /** How much the pipe took at once; the descriptor does not wait. */
  #writeNow(bytes: Buffer): number {
    try {
      return writeSync(this.#fd, bytes);
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'EAGAIN') return 0;
      return bytes.length;
    }
  }
}

export type StepEnd =
  | { readonly kind: 'exit'; readonly code: number }
  | { readonly kind: 'signal'; readonly number: number }
  | { readonly kind: 'fault'; readonly message: string };

function endOf(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    socket.once('end', () => resolve());
    socket.once('close', () => resolve());
    socket.on('error', () => resolve());
  });
}
