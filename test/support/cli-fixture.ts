import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import type { CliIo, OutputStream } from '../../src/cli/cli-io.ts';
import { runCli } from '../../src/cli/run-cli.ts';

export interface SeenRequest {
  readonly line: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage['headers'];
  readonly body: unknown;
}

/** Answers a request: a value as JSON, or the response as it likes. */
export type Answer = (request: SeenRequest, response: ServerResponse) => unknown;

export interface FixtureServer {
  readonly url: string;
  readonly requests: readonly SeenRequest[];
  close(): Promise<void>;
}

/** A refusal as the server writes it. */
export class Refused {
  readonly status: number;
  readonly problem: Readonly<Record<string, unknown>>;

  constructor(status: number, code: string, detail: string, more: Readonly<Record<string, unknown>> = {}) {
    this.status = status;
    this.problem = {
      type: `about:${code}`,
      title: code,
      status,
      code,
      detail,
      hint: 'Try again.',
      requestId: 'req_1',
      ...more,
    };
  }
}

/** A small server on a free port that answers by `METHOD /path`; anything else is a 404 of its own. */
export async function startFixture(answers: Readonly<Record<string, Answer>>): Promise<FixtureServer> {
  const requests: SeenRequest[] = [];
  const server = createServer((incoming, response) => {
    void (async () => {
      const { pathname, searchParams } = new URL(incoming.url ?? '/', 'http://fixture');
      const pieces: Buffer[] = [];
      for await (const piece of incoming) pieces.push(piece as Buffer);
      const text = Buffer.concat(pieces).toString();
      const request: SeenRequest = {
        line: `${incoming.method} ${decodeURIComponent(pathname)}`,
        query: searchParams,
        headers: incoming.headers,
        body: text === '' ? undefined : JSON.parse(text),
      };
      requests.push(request);
      const answer = answers[request.line] ?? (() => new Refused(404, 'ROUTE_NOT_FOUND', `no ${request.line}`));
      const value = await answer(request, response);
      if (response.headersSent || value === response) return;
      if (value instanceof Refused) {
        response.writeHead(value.status, { 'Content-Type': 'application/problem+json' });
        response.end(JSON.stringify(value.problem));
      } else if (value === undefined) response.writeHead(204).end();
      else {
        response.writeHead(200, { 'Content-Type': 'application/json' });
        response.end(JSON.stringify(value));
      }
    })();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    async close() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

export interface RunOptions {
  readonly environment?: Readonly<Record<string, string>>;
  readonly folder?: string;
  readonly stdin?: string;
  /** Whether stdout and stderr are terminals, 80 columns wide. */
  readonly isTerminal?: boolean;
  /** Given a function that sends the command a signal. */
  readonly onStart?: (send: (signal: 'SIGINT' | 'SIGTERM') => void) => void;
  /** Told which page is shown; without it there is no browser. */
  readonly onBrowser?: (address: string) => void;
  /** Told how long the command waits, which it does not really do. */
  readonly onWait?: (ms: number) => void | Promise<void>;
  /** Told everything that is written to stderr, as it is. */
  readonly onNote?: (text: string, send: (signal: 'SIGINT' | 'SIGTERM') => void) => void;
  /** Told everything that is written to stdout. */
  readonly onAnswer?: (text: string) => void;
}

export interface RunResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command in this process, with a world of its own. */
export async function runCommand(words: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  const text = { stdout: '', stderr: '' };
  const listeners = { SIGINT: new Set<() => void>(), SIGTERM: new Set<() => void>() };
  const send = (signal: 'SIGINT' | 'SIGTERM'): void => {
    // A listener may put another in its place, which this signal is not for.
    for (const listener of Array.from(listeners[signal])) listener();
  };
  const stream = (name: 'stdout' | 'stderr'): OutputStream => ({
    isTerminal: options.isTerminal ?? false,
    columns: 80,
    async write(bytes) {
      const written = typeof bytes === 'string' ? bytes : Buffer.from(bytes).toString();
      text[name] += written;
      if (name === 'stderr') options.onNote?.(written, send);
      else options.onAnswer?.(written);
    },
  });
  const io: CliIo = {
    environment: { HOME: '/nonexistent', XDG_CONFIG_HOME: '/nonexistent', ...options.environment },
    workingFolder: options.folder ?? tmpdir(),
    stdout: stream('stdout'),
    stderr: stream('stderr'),
    stdin: { isTerminal: false, readAll: async () => options.stdin ?? '' },
    async openBrowser(address) {
      options.onBrowser?.(address);
      return options.onBrowser !== undefined;
    },
    async wait(ms) {
      await options.onWait?.(ms);
    },
    onSignal(signal, listener) {
      listeners[signal].add(listener);
      return () => void listeners[signal].delete(listener);
    },
  };
  options.onStart?.(send);
  const code = await runCli(words, io);
  return { code, ...text };
}
