import { formatTopic, type StreamEvents, streamPath, type Topic } from './stream.ts';

/** A server, and as whom it is spoken to. */
export interface StreamServer {
  /** Address without a slash at its end. */
  readonly url: string;
  /** The token, the language. */
  readonly headers: Readonly<Record<string, string>>;
}

type StreamMessage = {
  [Name in keyof StreamEvents]: { readonly event: Name; readonly data: StreamEvents[Name] };
}[keyof StreamEvents];

/**
 * Yields whenever what the topics name may have changed: at once, and with each message of the event stream. Look after
 * each: what happens between two looks is told, so nothing is missed. While there is no stream (a server that restarts, a
 * proxy that holds it back) it yields every `pollMs`. Ends with the signal, and never by itself.
 */
export async function* changesOf(
  server: StreamServer,
  topics: readonly Topic[],
  { signal, pollMs }: { readonly signal: AbortSignal; readonly pollMs: number },
): AsyncGenerator<void> {
  while (!signal.aborted) {
    const connection = new AbortController();
    try {
      for await (const { event } of openEventStream(server, topics, AbortSignal.any([signal, connection.signal]))) {
        if (event !== 'log') yield;
        if (event === 'end') break;
      }
    } catch {
      // It broke or was never there; why does not matter to who goes on without it.
    } finally {
      connection.abort();
    }
    if (signal.aborted) return;
    yield;
    await pause(pollMs, signal);
  }
}

/** One connection to the server's event stream; ends when the server ends it, throws when it breaks. */
async function* openEventStream(
  server: StreamServer,
  topics: readonly Topic[],
  signal: AbortSignal,
): AsyncGenerator<StreamMessage> {
  const search = new URLSearchParams({ topics: topics.map(formatTopic).join(',') });
  const response = await fetch(`${server.url}${streamPath}?${search}`, {
    headers: { ...server.headers, Accept: 'text/event-stream' },
    signal,
  });
  if (!response.ok || !response.body) throw new Error(`The event stream answered ${response.status}`);
  yield* readMessages(response.body.pipeThrough(new TextDecoderStream()));
}

/** Server-sent events as the HTML standard (9.2.6) reads them, as far as our server writes them. */
async function* readMessages(chunks: AsyncIterable<string>): AsyncGenerator<StreamMessage> {
  let rest = '';
  for await (const chunk of chunks) {
    const blocks = (rest + chunk).split(/\r?\n\r?\n/);
    rest = blocks.pop() ?? '';
    for (const block of blocks) {
      let event = 'message';
      const data: string[] = [];
      for (const line of block.split(/\r?\n/)) {
        const [, field, value = ''] = /^(\w+)(?:: ?(.*))?$/.exec(line) ?? [];
        if (field === 'event') event = value;
        else if (field === 'data') data.push(value);
      }
      if (data.length > 0) yield { event, data: JSON.parse(data.join('\n')) } as StreamMessage;
    }
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(done, ms);
    function done(): void {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    }
    signal.addEventListener('abort', done);
  });
}
