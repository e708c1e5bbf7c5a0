import { formatTopic, type StreamEvents, streamPath, type Topic } from '../api/stream.ts';
import type { Session } from './cli.ts';

export type StreamMessage = {
  [Name in keyof StreamEvents]: { readonly event: Name; readonly data: StreamEvents[Name] };
}[keyof StreamEvents];

/** One connection to the server's event stream; ends when the server ends it, throws when it breaks. */
export async function* openEventStream(
  session: Session,
  topics: readonly Topic[],
  signal: AbortSignal,
): AsyncGenerator<StreamMessage> {
  const search = new URLSearchParams({ topics: topics.map(formatTopic).join(',') });
  const response = await fetch(`${session.url}${streamPath}?${search}`, {
    headers: { ...session.headers, Accept: 'text/event-stream' },
    signal,
  });
  if (!response.ok || !response.body) throw new Error(`The event stream answered ${response.status}`);
  yield* readMessages(response.body.pipeThrough(new TextDecoderStream()));
}

/** Server-sent events as the HTML standard (9.2.6) reads them, as far as our server writes them. */
export async function* readMessages(chunks: AsyncIterable<string>): AsyncGenerator<StreamMessage> {
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
