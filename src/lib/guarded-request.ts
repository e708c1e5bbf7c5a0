import { lookup as lookupName } from 'node:dns/promises';
import { type ClientRequest, request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { isIP, type LookupFunction } from 'node:net';
import type { AddressGuard } from './address-guard.ts';

/** A request whose address somebody else chose. */
export interface GuardedRequest {
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly guard: AddressGuard;
  /** For all of it: the name, the connection, and the answer. */
  readonly timeoutMs: number;
  /** So much of the answer's body is kept; the rest is not read. */
  readonly keepBytes: number;
  /** Certificates to trust instead of the system's, as PEM. */
  readonly ca?: string | undefined;
  /** Cuts it off. */
  readonly signal?: AbortSignal | undefined;
  /** Addresses of a name. */
  readonly resolve?: ((name: string) => Promise<readonly string[]>) | undefined;
}

export interface GuardedAnswer {
  readonly status: number;
  readonly retryAfter: string | undefined;
  readonly body: Buffer;
}

/** Why there was no answer. */
export type NoAnswerReason = 'address-refused' | 'name-unknown' | 'timed-out' | 'connection-failed';

export class NoAnswer extends Error {
  override readonly name = 'NoAnswer';
  readonly reason: NoAnswerReason;

  constructor(reason: NoAnswerReason, message: string, cause?: unknown) {
    super(message, cause === undefined ? {} : { cause });
    this.reason = reason;
  }
}

/**
 * Sends a POST to where somebody else wants it to go. All addresses of the name are judged, and one of those that were
 * judged is connected to, whatever the name means a moment later. Redirects are answers like any other: nobody follows
 * them. Throws NoAnswer.
 */
export async function sendGuarded(request: GuardedRequest): Promise<GuardedAnswer> {
  const { url, timeoutMs } = request;
  const time = new AbortController();
  const timer = setTimeout(() => time.abort(), timeoutMs);
  const cutOff = (): void => time.abort();
  request.signal?.addEventListener('abort', cutOff);
  if (request.signal?.aborted) cutOff();
  const late = new Promise<never>((_, reject) => {
    const end = (): void => reject(new NoAnswer('timed-out', `no whole answer within ${timeoutMs / 1_000} s`));
    if (time.signal.aborted) end();
    time.signal.addEventListener('abort', end);
  });
  // Nobody may be waiting for it any more when it comes.
  late.catch(() => undefined);
  try {
    const addresses = await Promise.race([judgedAddresses(request), late]);
    return await Promise.race([exchange(request, addresses, time.signal), late]);
  } catch (error) {
    if (error instanceof NoAnswer) throw error;
    throw new NoAnswer('connection-failed', `${url.host}: ${(error as Error).message}`, error);
  } finally {
    clearTimeout(timer);
    request.signal?.removeEventListener('abort', cutOff);
    // Whatever is still open ends with the answer.
    time.abort();
  }
}

/** The addresses of a URL's host, if all of them may be reached. Throws NoAnswer. */
export async function judgedAddresses({
  url,
  guard,
  resolve = addressesOf,
}: Pick<GuardedRequest, 'url' | 'guard' | 'resolve'>): Promise<readonly string[]> {
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const addresses = isIP(host) === 0 ? await findAddresses(host, resolve) : [host];
  const refused = addresses.find((address) => !guard.mayReach(address));
  if (refused !== undefined)
    throw new NoAnswer(
      'address-refused',
      refused === host
        ? `the address ${host} is not a public one`
        : `${host} is ${refused}, which is not a public address`,
    );
  return addresses;
}

async function findAddresses(
  name: string,
  resolve: NonNullable<GuardedRequest['resolve']>,
): Promise<readonly string[]> {
  try {
    const addresses = await resolve(name);
    if (addresses.length > 0) return addresses;
  } catch (error) {
    throw new NoAnswer('name-unknown', `the name ${name} could not be found (${codeOf(error)})`, error);
  }
  throw new NoAnswer('name-unknown', `the name ${name} has no address`);
}

async function addressesOf(name: string): Promise<readonly string[]> {
  return (await lookupName(name, { all: true })).map(({ address }) => address);
}

function exchange(
  { url, headers, body, keepBytes, ca }: GuardedRequest,
  addresses: readonly string[],
  signal: AbortSignal,
): Promise<GuardedAnswer> {
  const found = addresses.map((address) => ({ address, family: isIP(address) }));
  const lookup: LookupFunction = (_name, options, done) => {
    if (options.all) done(null, found);
    else done(null, found[0]!.address, found[0]!.family);
  };
  const bytes = Buffer.from(body, 'utf8');
  const options = {
    method: 'POST',
    headers: { ...headers, 'Content-Length': String(bytes.length), Connection: 'close' },
    lookup,
    signal,
    // A connection of its own: one that is kept could lead to where the name once led.
    agent: false as const,
    ...(ca === undefined ? {} : { ca }),
  };
  return new Promise((resolve, reject) => {
    const sent: ClientRequest = (url.protocol === 'https:' ? requestHttps : requestHttp)(url, options, (response) => {
      const chunks: Buffer[] = [];
      let keptBytes = 0;
      const answer = (): void => {
        resolve({
          status: response.statusCode ?? 0,
          retryAfter: response.headers['retry-after'],
          body: Buffer.concat(chunks).subarray(0, keepBytes),
        });
        response.destroy();
      };
      response.on('data', (chunk: Buffer) => {
        chunks.push(chunk);
        keptBytes += chunk.length;
        if (keptBytes >= keepBytes) answer();
      });
      response.on('end', answer);
      response.on('error', (error) =>
        reject(new NoAnswer('connection-failed', `the answer broke off (${codeOf(error)})`, error)),
      );
    });
    sent.on('error', (error) =>
      reject(new NoAnswer('connection-failed', `no connection to ${url.host} (${codeOf(error)})`, error)),
    );
    sent.end(bytes);
  });
}

function codeOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return code ?? message;
}
