import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Received {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** What a request is answered: a status, or a function that does as it likes with the answer. */
export type Reaction = number | ((response: ServerResponse, request: Received) => void);

/** A program that webhooks are sent to: remembers what came, and answers as a test says. */
export class WebhookReceiver {
  readonly received: Received[] = [];
  /** In order; the last one goes on. */
  reactions: Reaction[] = [200];
  readonly #server: Server;
  #waiting: { readonly count: number; readonly resolve: () => void }[] = [];

  constructor() {
    this.#server = createServer(async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      const { url: path = '', headers } = request;
      const received = { path, headers, body: Buffer.concat(chunks).toString('utf8') };
      this.received.push(received);
      const reaction = (this.reactions.length > 1 ? this.reactions.shift() : this.reactions[0]) ?? 200;
      if (typeof reaction === 'number') response.writeHead(reaction).end(`answer ${reaction}`);
      else reaction(response, received);
      for (const { count, resolve } of this.#waiting) if (this.received.length >= count) resolve();
    });
  }

  async start(): Promise<string> {
    await new Promise<void>((done) => this.#server.listen(0, '127.0.0.1', done));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Resolves once so many requests have come. */
  async count(count: number): Promise<void> {
    if (this.received.length >= count) return;
    await new Promise<void>((resolve) => this.#waiting.push({ count, resolve }));
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((done) => this.#server.close(done));
  }
}

/** Whether a request is signed with a secret, by the web's own cryptography and after the specification's text. */
export async function isSignedAsSpecified(secret: string, { headers, body }: Received): Promise<boolean> {
  const key = await crypto.subtle.importKey(
    'raw',
    Uint8Array.from(atob(secret.replace(/^whsec_/, '')), (letter) => letter.charCodeAt(0)),
    { name: 'HMAC', hash: 'SHA-256' },
    false,
    ['verify'],
  );
  const content = new TextEncoder().encode(`${headers['webhook-id']}.${headers['webhook-timestamp']}.${body}`);
  const signatures = String(headers['webhook-signature']).split(' ');
  const verdicts = await Promise.all(
    signatures.map(async (signature) => {
      const [version, text = ''] = signature.split(',');
      const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
      return version === 'v1' && (await crypto.subtle.verify('HMAC', key, bytes, content));
    }),
  );
  return verdicts.includes(true);
}
