import { once } from 'node:events';
import { createServer, request as httpRequest, type Server } from 'node:http';
import { connect } from 'node:net';

const login = { name: 'robot', password: 'proxy-hunter-43' };

/** A proxy with a password, at a socket of the file system: where its clients find it is theirs to say. */
export class ForwardProxy {
  /** `METHOD address`, as it was asked. */
  readonly asked: string[] = [];
  readonly password = login.password;
  readonly #server: Server;

  private constructor() {
    const welcome = `Basic ${Buffer.from(`${login.name}:${login.password}`).toString('base64')}`;
    this.#server = createServer((incoming, outgoing) => {
      this.asked.push(`${incoming.method} ${incoming.url}`);
      if (incoming.headers['proxy-authorization'] !== welcome)
        return void outgoing.writeHead(407, { 'Proxy-Authenticate': 'Basic realm="proxy"' }).end();
      const { 'proxy-authorization': _, ...headers } = incoming.headers;
      const forwarded = httpRequest(incoming.url ?? '', { method: incoming.method, headers }, (answer) => {
        outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(outgoing);
      });
      forwarded.on('error', () => outgoing.destroy());
      incoming.pipe(forwarded);
    });
    this.#server.on('connect', (incoming, socket, head) => {
      this.asked.push(`CONNECT ${incoming.url}`);
      socket.on('error', () => undefined);
      if (incoming.headers['proxy-authorization'] !== welcome)
        return void socket.end(
          'HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm="proxy"\r\nContent-Length: 0\r\n\r\n',
        );
      const { hostname, port } = new URL(`http://${incoming.url}`);
      const onward = connect({ host: hostname, port: Number(port || '80') }, () => {
        socket.write('HTTP/1.1 200 Connection Established\r\n\r\n');
        onward.write(head);
        socket.pipe(onward).pipe(socket);
      });
      onward.on('error', () => socket.destroy());
      socket.on('close', () => onward.destroy());
    });
  }

  static async start(socketPath: string): Promise<ForwardProxy> {
    const proxy = new ForwardProxy();
    proxy.#server.listen(socketPath);
    await once(proxy.#server, 'listening');
    return proxy;
  }

  /** Its address with its login, for clients that reach it at this host and port. */
  addressAt(host: string): string {
    return `http://${login.name}:${login.password}@${host}`;
  }

  async stop(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }
}
