import type { GantryProcess } from '../support/gantry-process.ts';

export interface StreamEvent {
  readonly event: string;
  readonly data: Readonly<Record<string, unknown>>;
  /** When it was read here. */
  readonly atMs: number;
}

/** A client of the event stream, as the browser's worker is one. */
export class StreamReader {
  readonly #abort = new AbortController();
  readonly #events: StreamEvent[] = [];
  #wake: () => void = () => {};
  #isEnded = false;

  /** Resolves once the stream is ready: from then on nothing is missed. */
  static async open(gantry: GantryProcess, topics: readonly string[]): Promise<StreamReader> {
    const reader = new StreamReader();
    const response = await fetch(`${gantry.url}/api/v1/stream?topics=${topics.map(encodeURIComponent).join(',')}`, {
      headers: { Authorization: `Bearer ${gantry.token}` },
      signal: reader.#abort.signal,
    });
    if (!response.ok || !response.body) throw new Error(`The stream answered ${response.status}`);
    void reader.#read(response.body);
    await reader.until(({ event }) => event === 'ready');
    return reader;
  }

  async until(isIt: (event: StreamEvent) => boolean): Promise<StreamEvent> {
    for (;;) {
      const next = this.#events.shift();
      if (next && isIt(next)) return next;
      if (next) continue;
      if (this.#isEnded) throw new Error('The stream ended');
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  close(): void {
    this.#abort.abort();
  }

  async #read(body: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder();
    let text = '';
    try {
      for await (const bytes of body) {
        text += decoder.decode(bytes, { stream: true });
        const blocks = text.split('\n\n');
        text = blocks.pop() ?? '';
        const atMs = performance.now();
        for (const block of blocks) {
          const event = /^event: (.*)$/m.exec(block)?.[1];
          const data = /^data: (.*)$/m.exec(block)?.[1];
          if (event && data) this.#events.push({ event, data: JSON.parse(data) as Record<string, unknown>, atMs });
        }
        this.#wake();
      }
    } catch (error) {
      if (!this.#abort.signal.aborted) throw error;
    } finally {
      this.#isEnded = true;
      this.#wake();
    }
  }
}
