import { Agent, type ClientRequest, type IncomingMessage, type RequestOptions, request } from 'node:http';
import { request as tlsRequest } from 'node:https';
import type { Socket } from 'node:net';
import type { Readable } from 'node:stream';
import type { EngineAddress } from './engine-address.ts';
import { EngineError, EngineUnreachable } from './engine-error.ts';

export interface CallOptions {
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>;
  /** An object becomes JSON; a stream or bytes go as a tar. */
  readonly body?: object | Readable | Buffer | undefined;
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  /** From the call to the end of the answer; for streams, the longest silence. Default: a minute. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal | undefined;
}

type Method = 'GET' | 'HEAD' | 'POST' | 'PUT' | 'DELETE';

/** Newest version of the API that this client was written for; the engine's own is used where that is older. */
const newestVersion = '1.43';
const defaultTimeoutMs = 60_000;
/** Answers that are read whole are small: lists of some thousand containers at most. */
const answerLimitBytes = 64 * 2 ** 20;
const messageLimitBytes = 4_096;

/**
 * Speaks the Docker Engine API (1.41 and newer; Podman's compatible service too) over a socket or a port. Every call
 * ends within its time. Rejects with EngineError where the engine refuses, EngineUnreachable where it does not answer.
 */
export class EngineClient {
  readonly #address: EngineAddress;
  readonly #agent = new Agent({ keepAlive: true, maxFreeSockets: 4, timeout: 30_000 });
  #version: Promise<string> | undefined;

  constructor(address: EngineAddress) {
    this.#address = address;
  }

  /** The answer as JSON; `undefined` where it is empty. */
  async call<Answer>(method: Method, path: string, options: CallOptions = {}): Promise<Answer> {
    const response = await this.#request(method, await this.#versioned(path), options);
    const text = await readWhole(response, answerLimitBytes).catch((error: unknown) => {
      throw unreachable(method, path, error);
    });
    if ((response.statusCode ?? 500) >= 400) throw refusal(response.statusCode ?? 500, text);
    return (text === '' ? undefined : parseJson(text)) as Answer;
  }

  /** The answer's body as it comes. The caller reads it to its end or destroys it. */
  async stream(method: Method, path: string, options: CallOptions = {}): Promise<IncomingMessage> {
    const response = await this.#request(method, await this.#versioned(path), options);
    if ((response.statusCode ?? 500) < 400) return response;
    throw refusal(response.statusCode ?? 500, await readWhole(response, messageLimitBytes));
  }

  /** A connection that carries bytes both ways from now on: `attach`, and (`h2c`) the session of a build. */
  async upgrade(path: string, options: CallOptions & { readonly protocol?: 'tcp' | 'h2c' } = {}): Promise<Socket> {
    const versioned = await this.#versioned(path);
    const { timeoutMs = defaultTimeoutMs, signal, protocol = 'tcp' } = options;
    return new Promise((resolve, reject) => {
      const sent = this.#open('POST', versioned, {
        ...options,
        headers: { ...options.headers, Connection: 'Upgrade', Upgrade: protocol },
        agent: false,
      });
      const timer = setTimeout(() => sent.destroy(silence('POST', path, timeoutMs)), timeoutMs);
      const onAbort = (): void => void sent.destroy(new EngineUnreachable('The call was given up'));
      signal?.addEventListener('abort', onAbort, { once: true });
      const settled = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', onAbort);
      };
      const take = (_response: IncomingMessage, socket: Socket, head: Buffer): void => {
        settled();
        // What came with the answer is the beginning of the stream.
        if (head.length > 0) socket.unshift(head);
        socket.setTimeout(0);
        socket.setNoDelay(true);
        resolve(socket);
      };
      sent.once('upgrade', take);
      sent.once('response', (response) => {
        settled();
        readWhole(response, messageLimitBytes).then(
          (text) => reject(refusal(response.statusCode ?? 500, text)),
          (error: unknown) => reject(unreachable('POST', path, error)),
        );
      });
      sent.once('error', (error) => {
        settled();
        reject(unreachable('POST', path, error));
      });
      sent.end();
    });
  }

  close(): void {
    this.#agent.destroy();
  }

  /** `/v1.41/containers/json`: the lower of our newest version and the engine's. */
  async #versioned(path: string): Promise<string> {
    this.#version ??= this.#negotiate();
    // An engine that was away when it was asked is asked again.
    this.#version.catch(() => {
      this.#version = undefined;
    });
    return `/v${await this.#version}${path}`;
  }

  async #negotiate(): Promise<string> {
    const response = await this.#request('GET', '/version', { timeoutMs: 10_000 });
    const text = await readWhole(response, answerLimitBytes);
    const { ApiVersion } = parseJson(text) as { ApiVersion?: unknown };
    if (typeof ApiVersion !== 'string')
      throw new EngineError(500, `The engine tells no version: ${text.slice(0, 200)}`);
    return isNewer(ApiVersion, newestVersion) ? newestVersion : ApiVersion;
  }

  #request(method: Method, path: string, options: CallOptions): Promise<IncomingMessage> {
    const { timeoutMs = defaultTimeoutMs, signal, body } = options;
    return new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(new EngineUnreachable('The call was given up'));
        return;
      }
      const sent = this.#open(method, path, options);
      let timer = setTimeout(() => give(silence(method, path, timeoutMs)), timeoutMs);
      const give = (error: Error): void => void sent.destroy(error);
      const onAbort = (): void => give(new EngineUnreachable('The call was given up'));
      signal?.addEventListener('abort', onAbort, { once: true });
      const settled = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', onAbort);
      };
      const again = (): void => {
        clearTimeout(timer);
        timer = setTimeout(() => give(silence(method, path, timeoutMs)), timeoutMs);
      };
      sent.once('response', (response) => {
        again();
        response.on('data', again);
        // Whoever reads decides when it flows.
        response.pause();
        response.once('close', settled);
        response.once('error', settled);
        resolve(response);
      });
      sent.once('error', (error) => {
        settled();
        reject(unreachable(method, path, error));
      });
      if (body !== undefined && !Buffer.isBuffer(body) && 'pipe' in body) {
        // While a body is being sent the engine need not say a word.
        body.on('data', again);
        body.once('error', give);
        body.pipe(sent);
      } else if (body === undefined || Buffer.isBuffer(body)) sent.end(body);
      else sent.end(JSON.stringify(body));
    });
  }

  #open(method: Method, path: string, options: CallOptions & { readonly agent?: false }): ClientRequest {
    const { query = {}, body, headers } = options;
    const isJson = body !== undefined && !Buffer.isBuffer(body) && !('pipe' in body);
    const target: RequestOptions = {
      method,
      path: `${path}${queryText(query)}`,
      agent: options.agent ?? (this.#address.kind === 'network' && this.#address.isTls ? undefined : this.#agent),
      headers: {
        Host: 'engine',
        ...(body === undefined ? {} : { 'Content-Type': isJson ? 'application/json' : 'application/x-tar' }),
        ...headers,
      },
    };
    if (this.#address.kind === 'socket') return request({ ...target, socketPath: this.#address.path });
    const { host, port, isTls } = this.#address;
    return isTls ? tlsRequest({ ...target, host, port }) : request({ ...target, host, port });
  }
}

function queryText(query: NonNullable<CallOptions['query']>): string {
  const chosen = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== undefined) chosen.set(name, String(value));
  const text = chosen.toString();
  return text === '' ? '' : `?${text}`;
}

async function readWhole(response: Readable, limitBytes: number): Promise<string> {
  const pieces: Buffer[] = [];
  let length = 0;
  for await (const piece of response) {
    const bytes = piece as Buffer;
    length += bytes.length;
    if (length > limitBytes) throw new EngineError(500, `The engine's answer has more than ${limitBytes} bytes`);
    pieces.push(bytes);
  }
  return Buffer.concat(pieces).toString('utf8');
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Podman answers some calls with plain words where Docker says nothing.
    return undefined;
  }
}

/** `{"message": …}`, or (Podman) with a `cause` beside it. */
function refusal(status: number, text: string): EngineError {
  const answer = parseJson(text) as { message?: unknown } | undefined;
  const message = typeof answer?.message === 'string' ? answer.message : text;
  return new EngineError(status, message.trim().slice(0, messageLimitBytes) || `status ${status}`);
}

function unreachable(method: string, path: string, error: unknown): Error {
  if (error instanceof EngineUnreachable || error instanceof EngineError) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new EngineUnreachable(`The container engine does not answer (${method} ${path}): ${message}`, {
    cause: error,
  });
}

function silence(method: string, path: string, timeoutMs: number): EngineUnreachable {
  return new EngineUnreachable(
    `The container engine did not answer for ${Math.round(timeoutMs / 1_000)} s (${method} ${path})`,
  );
}

function isNewer(version: string, other: string): boolean {
  const [[major = 0, minor = 0], [otherMajor = 0, otherMinor = 0]] = [version, other].map((text) =>
    text.split('.').map(Number),
  ) as [number[], number[]];
  return major === otherMajor ? minor > otherMinor : major > otherMajor;
}
