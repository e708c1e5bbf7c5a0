import type { StreamEvents } from '../../src/api/stream.ts';

/** What a tab tells the holder of the stream. */
export type ToHub =
  | { readonly kind: 'topics'; readonly topics: readonly string[] }
  | { readonly kind: 'alive' }
  | { readonly kind: 'bye' };

/** What the holder of the stream tells all tabs. */
export type FromHub =
  | { readonly kind: 'happening'; readonly happening: StreamEvents['happening'] }
  | { readonly kind: 'log'; readonly piece: StreamEvents['log'] }
  | { readonly kind: 'log-gap'; readonly gap: StreamEvents['log-gap'] }
  | { readonly kind: 'reset' }
  | { readonly kind: 'signed-out' }
  | { readonly kind: 'live'; readonly live: boolean; readonly refused: readonly string[] };

interface Tab {
  topics: readonly string[];
  lastSeenMs: number;
}

/** Hidden tabs are throttled to one timer a minute, hence the wide margin. */
const tabTimeoutMs = 180_000;
/** Opening a page changes several topics at once; they share one new connection. */
const gatherMs = 40;
const firstRetryMs = 300;
const mostRetryMs = 5_000;
const maxTopics = 50;

/**
 * Holds the one event stream of a browser for all its tabs: over HTTP/1.1 a stream per tab blocks the sixth tab.
 * Runs in a SharedWorker, or in the tab that leads where there is none.
 */
export class StreamHub {
  readonly #send: (message: FromHub) => void;
  readonly #tabs = new Map<string, Tab>();
  /** How far each log came, by `log:owner/name/12/345`, so that a new connection goes on there. */
  readonly #logOffsets = new Map<string, number>();
  #stream: EventSource | undefined;
  #openTopics = '';
  #lastSequence = '';
  #isDue = false;
  #isLive = false;
  #refused: readonly string[] = [];
  #failures = 0;

  constructor(send: (message: FromHub) => void) {
    this.#send = send;
    setInterval(() => this.#forgetSilentTabs(), 60_000);
  }

  receive(tabId: string, message: ToHub): void {
    if (message.kind === 'bye') {
      this.#tabs.delete(tabId);
      this.#schedule();
      return;
    }
    const tab = this.#tabs.get(tabId) ?? { topics: [], lastSeenMs: 0 };
    tab.lastSeenMs = performance.now();
    this.#tabs.set(tabId, tab);
    if (message.kind !== 'topics') return;
    tab.topics = message.topics;
    this.#schedule();
    this.#send({ kind: 'live', live: this.#isLive, refused: this.#refused });
  }

  /** A tab that crashed says no goodbye. */
  #forgetSilentTabs(): void {
    for (const [id, tab] of this.#tabs) if (performance.now() - tab.lastSeenMs > tabTimeoutMs) this.#tabs.delete(id);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    setTimeout(() => {
      this.#isDue = false;
      this.#connect();
    }, gatherMs);
  }

  #connect(): void {
    const wanted = new Map<string, number>();
    for (const tab of this.#tabs.values())
      for (const topic of tab.topics) {
        const [name = topic, offset] = topic.split('@');
        const from = Math.max(Number(offset ?? 0), this.#logOffsets.get(name) ?? 0);
        wanted.set(name, Math.max(from, wanted.get(name) ?? 0));
      }
    for (const name of this.#logOffsets.keys()) if (!wanted.has(name)) this.#logOffsets.delete(name);
    // Newest first: when there are too many, those that were opened last are watched.
    const names = [...wanted.keys()].reverse().slice(0, maxTopics).sort();
    const openTopics = names.join(',');
    if (openTopics === this.#openTopics && this.#stream && this.#stream.readyState !== EventSource.CLOSED) return;

    this.#openTopics = openTopics;
    this.#stream?.close();
    this.#stream = undefined;
    if (names.length === 0) return;
    const topics = names.map((name) => (name.startsWith('log:') ? `${name}@${wanted.get(name)}` : name)).join(',');
    // A new EventSource cannot send Last-Event-ID itself, so the server takes it from the query as well.
    const after = this.#lastSequence === '' ? '' : `&after=${this.#lastSequence}`;
    this.#listen(new EventSource(`/api/v1/stream?topics=${encodeURIComponent(topics)}${after}`));
  }

  #listen(stream: EventSource): void {
    this.#stream = stream;
    const on = <Name extends keyof StreamEvents>(name: Name, handle: (data: StreamEvents[Name]) => void): void =>
      stream.addEventListener(name, (event) => {
        if (stream !== this.#stream) return;
        if (event.lastEventId !== '') this.#lastSequence = event.lastEventId;
        handle(JSON.parse(event.data as string) as StreamEvents[Name]);
      });
    on('ready', ({ sequence, refused }) => {
      if (this.#lastSequence === '') this.#lastSequence = String(sequence);
      this.#failures = 0;
      this.#setLive(true, refused);
    });
    on('happening', (happening) => this.#send({ kind: 'happening', happening }));
    on('log', (piece) => {
      for (const name of this.#openTopics.split(','))
        if (name.startsWith('log:') && name.endsWith(`/${piece.stepId}`))
          this.#logOffsets.set(name, piece.offset + base64Length(piece.text));
      this.#send({ kind: 'log', piece });
    });
    on('log-gap', (gap) => this.#send({ kind: 'log-gap', gap }));
    on('reset', ({ sequence }) => {
      this.#lastSequence = String(sequence);
      this.#send({ kind: 'reset' });
    });
    on('end', ({ reason }) => {
      if (reason !== 'access-withdrawn') return;
      stream.close();
      this.#setLive(false, []);
      this.#send({ kind: 'signed-out' });
    });
    stream.onerror = () => {
      if (stream !== this.#stream) return;
      // The browser retries by itself, with the address it was opened with; a fresh one knows how far the logs came.
      stream.close();
      this.#setLive(false, []);
      const longest = Math.min(mostRetryMs, firstRetryMs * 2 ** this.#failures++);
      setTimeout(() => this.#schedule(), longest * (0.5 + Math.random() / 2));
    };
  }

  #setLive(live: boolean, refused: readonly string[]): void {
    this.#isLive = live;
    this.#refused = refused;
    this.#send({ kind: 'live', live, refused });
  }
}

/** How many bytes a base64 text stands for. */
function base64Length(text: string): number {
  const padding = text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0;
  return (text.length / 4) * 3 - padding;
}
