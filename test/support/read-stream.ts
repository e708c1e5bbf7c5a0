import type { StreamEvents } from '../../src/api/stream.ts';

export interface SentEvent<Name extends keyof StreamEvents = keyof StreamEvents> {
  readonly name: Name;
  readonly id: string | undefined;
  readonly data: StreamEvents[Name];
}

/** Reads server-sent events one after the other, as an EventSource would. */
export class StreamReader {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #decoder = new TextDecoder();
  #text = '';
  /** Comments and events without data that came so far. */
  readonly quiet: string[] = [];

  constructor(response: Response) {
    this.#reader = response.body!.getReader() as ReadableStreamDefaultReader<Uint8Array>;
  }

  /** `undefined` at the end of the stream. */
  async next(): Promise<SentEvent | undefined> {
    for (;;) {
      const end = this.#text.indexOf('\n\n');
      if (end < 0) {
        const { done, value } = await this.#reader.read();
        if (done) return undefined;
        this.#text += this.#decoder.decode(value, { stream: true });
        continue;
      }
      const block = this.#text.slice(0, end);
      this.#text = this.#text.slice(end + 2);
      const fields = Object.fromEntries(
        block.split('\n').map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1).trim()]),
      );
      if (fields['data'] === undefined) {
        this.quiet.push(block);
        continue;
      }
      return {
        name: fields['event'] as keyof StreamEvents,
        id: fields['id'],
        data: JSON.parse(fields['data']) as never,
      };
    }
  }

  /** The next event, which must have this name. */
  async expect<Name extends keyof StreamEvents>(name: Name): Promise<StreamEvents[Name]> {
    const event = await this.next();
    if (event?.name !== name) throw new Error(`Expected the event ${name}, and got ${JSON.stringify(event)}`);
    return event.data as StreamEvents[Name];
  }

  async close(): Promise<void> {
    await this.#reader.cancel();
  }
}
