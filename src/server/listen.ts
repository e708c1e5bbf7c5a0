import type { IncomingMessage, Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { createAdaptorServer } from '@hono/node-server';
import type { Hono } from 'hono';
import { GantryError } from '../core/errors.ts';
import type { ServerEnv } from './incoming.ts';

export interface Listening {
  /** Address to reach it on this host: `http://127.0.0.1:3000`. */
  readonly url: string;
  readonly port: number;
  /**
   * Takes no new connections, lets requests that run finish for `graceMs` (default 10 s), then cuts them.
   * Streams must have been told to end before: see `stopping` of the server.
   */
  close(graceMs?: number): Promise<void>;
}

/** Serves the application on a TCP port; 0 picks a free one. */
export async function listen(
  app: Pick<Hono<ServerEnv>, 'fetch'>,
  { hostname, port }: { readonly hostname: string; readonly port: number },
): Promise<Listening> {
  const server = createAdaptorServer({
    fetch: app.fetch,
    hostname,
    serverOptions: {
      // Whoever sends headers slower than this is holding a connection, not using it.
      headersTimeout: 10_000,
      connectionsCheckingInterval: 2_000,
      maxHeaderSize: 16 * 1024,
      // A large push may take its time: it is the sockets' silence that ends a request, and JSON bodies have their own limit.
      requestTimeout: 0,
      keepAliveTimeout: 30_000,
      insecureHTTPParser: false,
    },
  }) as Server;
  server.timeout = 300_000;
  server.maxRequestsPerSocket = 10_000;

  // Browsers and clients open connections in advance. One that has asked nothing yet is not "idle" to Node.
  const unused = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    unused.add(socket);
    socket.once('close', () => unused.delete(socket));
  });
  server.on('request', ({ socket }: IncomingMessage) => void unused.delete(socket));

  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(
        new GantryError('CONFIG_INVALID', `Cannot listen on ${hostname}:${port}: ${whyNot(error)}`, { cause: error }),
      ),
    );
    server.listen(port, hostname, resolve);
  });
  const address = server.address() as AddressInfo;
  const host =
    hostname === '0.0.0.0'
      ? '127.0.0.1'
      : hostname === '::'
        ? '[::1]'
        : hostname.includes(':')
          ? `[${hostname}]`
          : hostname;

  return {
    url: `http://${host}:${address.port}`,
    port: address.port,
    async close(graceMs = 10_000) {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeIdleConnections();
      const timer = setTimeout(() => server.closeAllConnections(), graceMs);
      // A connection that becomes idle only now would be kept for its next request.
      const idle = setInterval(() => {
        server.closeIdleConnections();
        for (const socket of unused) socket.destroy();
      }, 50);
      try {
        await closed;
      } finally {
        clearTimeout(timer);
        clearInterval(idle);
      }
    },
  };
}

function whyNot(error: NodeJS.ErrnoException): string {
  switch (error.code) {
    case 'EADDRINUSE':
      return 'another program uses this port';
    case 'EACCES':
      return 'this user may not use such a port';
    default:
      return error.message;
  }
}
