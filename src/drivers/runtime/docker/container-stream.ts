import { once } from 'node:events';
import type { Socket } from 'node:net';
import type { EngineClient } from '../../container-engine/api/engine-client.ts';
import { OutputFrames } from './output-frames.ts';

/** Attaches to a container before it is started, so that nothing it says is lost. */
export function attach(client: EngineClient, container: string): Promise<Socket> {
  return client.upgrade(`/containers/${container}/attach`, {
    query: { stream: 1, stdin: 1, stdout: 1, stderr: 1 },
  });
}

/** How long a pause container may take to answer. */
const answerTimeoutMs = 30_000;
const answerLimitBytes = 4 * 2 ** 20;

/** Speaks with a program that answers each line with lines of its own, the last of them known beforehand. */
export class LineConversation {
  readonly #socket: Socket;
  readonly #frames = new OutputFrames();
  #text = '';
  #heard = Promise.withResolvers<void>();
  #isClosed = false;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (chunk: Buffer) => {
      for (const { bytes } of this.#frames.read(chunk)) this.#text += bytes.toString('latin1');
      if (this.#text.length > answerLimitBytes) socket.destroy();
      this.#wake();
    });
    socket.once('error', () => this.#wake());
    socket.once('close', () => {
      this.#isClosed = true;
      this.#wake();
    });
  }

  /** What came before the first line that is one of `lasts`, and that line. Rejects when the program has ended. */
  ask(line: string | undefined, lasts: readonly string[]): Promise<{ readonly text: string; readonly last: string }> {
    const asking = this.#turn.then(() => this.#ask(line, lasts));
    this.#turn = asking.catch(() => undefined);
    return asking;
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#socket.destroy();
    await once(this.#socket, 'close');
  }

  async #ask(
    line: string | undefined,
    lasts: readonly string[],
  ): Promise<{ readonly text: string; readonly last: string }> {
    if (line !== undefined) this.#socket.write(`${line}\n`);
    const giveUp = setTimeout(() => this.#socket.destroy(), answerTimeoutMs);
    try {
      for (;;) {
        const lines = this.#text.split('\n');
        const at = lines.findIndex((each, i) => i < lines.length - 1 && lasts.includes(each));
        if (at >= 0) {
          this.#text = lines.slice(at + 1).join('\n');
          return { text: lines.slice(0, at).join('\n'), last: lines[at]! };
        }
        if (this.#isClosed)
          throw new Error(`the pause container ended${this.#text === '' ? '' : `: ${this.#text.trim()}`}`);
        await this.#heard.promise;
      }
    } finally {
      clearTimeout(giveUp);
    }
  }

  #wake(): void {
    this.#heard.resolve();
    this.#heard = Promise.withResolvers();
  }
}
