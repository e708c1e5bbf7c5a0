import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { GantryError } from '../../../core/errors.ts';
import type { RegistryCredentials } from '../../../core/image.ts';
import type { Reference } from './reference.ts';

const manifestTypes = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.docker.distribution.manifest.v2+json',
];

/** distribution-spec 1.1 asks registries to take manifests of 4 MiB; none that we pull is larger. */
const manifestLimitBytes = 4 * 2 ** 20;
/** Tokens that are kept; with more all are asked for again. */
const maxTokens = 10_000;

export interface RegistryClientOptions {
  /** Hosts spoken to without TLS; loopback addresses are among them anyway. */
  readonly plainHttpHosts: readonly string[];
  /** Pauses before the second, third … try of a request that failed in passing. */
  readonly retryAfterMs: readonly number[];
}

/** Pulls from one registry under the pull rules: transient faults are tried again, a wrong digest is final. */
export class RegistryClient {
  readonly #options: RegistryClientOptions;
  /** Authorization by host, repository and login: a token for one is not shown to another. */
  readonly #tokens = new Map<string, string>();

  constructor(options: RegistryClientOptions) {
    this.#options = options;
  }

  /** The manifest's bytes, media type and digest; verified when the reference carries a digest. */
  async manifest(
    reference: Reference,
    credentials: readonly RegistryCredentials[],
    signal?: AbortSignal,
  ): Promise<{ readonly bytes: Buffer; readonly mediaType: string; readonly digest: string }> {
    const wanted = reference.digest ?? reference.tag ?? 'latest';
    const response = await this.#get(
      reference,
      `manifests/${wanted}`,
      { accept: manifestTypes.join(', ') },
      credentials,
      signal,
    );
    const bytes = await readCapped(response, manifestLimitBytes, reference);
    const digest = sha256(bytes);
    if (reference.digest !== undefined && digest !== reference.digest)
      throw new GantryError(
        'IMAGE_INVALID',
        `Cannot use the manifest of ${nameOf(reference)}: its digest is ${digest}`,
      );
    return { bytes, mediaType: response.headers.get('content-type')?.split(';')[0] ?? '', digest };
  }

  async smallBlob(
    reference: Reference,
    digest: string,
    limitBytes: number,
    credentials: readonly RegistryCredentials[],
    signal?: AbortSignal,
  ): Promise<Buffer> {
    const response = await this.#get(reference, `blobs/${digest}`, {}, credentials, signal);
    const bytes = await readCapped(response, limitBytes, reference);
    if (sha256(bytes) !== digest)
      throw new GantryError(
        'IMAGE_INVALID',
        `Cannot use a blob of ${nameOf(reference)}: it does not have the digest ${digest}`,
      );
    return bytes;
  }

  /**
   * The bytes of a blob. A connection that breaks in the middle is resumed by range; the digest is verified at the end,
   * and a wrong one fails the stream.
   */
  async *blob(
    reference: Reference,
    blob: { readonly digest: string; readonly sizeBytes: number },
    credentials: readonly RegistryCredentials[],
    signal?: AbortSignal,
  ): AsyncGenerator<Uint8Array> {
    const hash = createHash('sha256');
    let received = 0;
    for (let attempt = 0; ; attempt += 1) {
      const headers = received > 0 ? { range: `bytes=${received}-` } : {};
      const response = await this.#get(reference, `blobs/${blob.digest}`, headers, credentials, signal);
      // A registry that ignores the range starts again: what we have is skipped.
      let skip = response.status === 206 ? 0 : received;
      try {
        for await (const piece of response.body ?? []) {
          const bytes = skip > 0 ? piece.subarray(Math.min(skip, piece.length)) : piece;
          skip -= piece.length - bytes.length;
          received += bytes.length;
          if (received > blob.sizeBytes)
            throw new GantryError(
              'IMAGE_INVALID',
              `Cannot pull ${nameOf(reference)}: a blob is longer than its manifest says`,
            );
          hash.update(bytes);
          if (bytes.length > 0) yield bytes;
        }
        if (received >= blob.sizeBytes) break;
        throw new Error(`the connection ended after ${received} of ${blob.sizeBytes} bytes`);
      } catch (error) {
        if (error instanceof GantryError) throw error;
        const pauseMs = this.#options.retryAfterMs[attempt];
        if (pauseMs === undefined || signal?.aborted) throw pullFailed(reference, error);
        await sleep(pauseMs, undefined, signal ? { signal } : {});
      }
    }
    const digest = `sha256:${hash.digest('hex')}`;
    if (digest !== blob.digest)
      throw new GantryError(
        'IMAGE_INVALID',
        `Cannot pull ${nameOf(reference)}: a blob has the digest ${digest}, not ${blob.digest}`,
      );
  }

  async #get(
    reference: Reference,
    path: string,
    headers: Record<string, string>,
    credentials: readonly RegistryCredentials[],
    signal?: AbortSignal,
  ): Promise<Response> {
    const url = `${this.#origin(reference.host)}/v2/${reference.repository}/${path}`;
    const login = findCredentials(reference, credentials);
    // A password enters the key: who has a wrong one must not live on the token of who has the right one.
    const tokenKey = JSON.stringify([reference.host, reference.repository, login?.username, login?.password]);
    let isRefreshed = false;
    for (let attempt = 0; ; attempt += 1) {
      const token = this.#tokens.get(tokenKey);
      const response = await fetch(url, {
        headers: { ...headers, ...(token ? { authorization: token } : {}) },
        ...(signal ? { signal } : {}),
      }).catch((error: unknown) => error as Error);

      if (response instanceof Response && response.status === 401 && !isRefreshed) {
        isRefreshed = true;
        await response.body?.cancel();
        if (this.#tokens.size >= maxTokens) this.#tokens.clear();
        this.#tokens.set(tokenKey, await this.#authenticate(reference, response, login, signal));
        attempt -= 1;
        continue;
      }
      if (response instanceof Response && response.ok) return response;
      const transient = !(response instanceof Response) || response.status === 429 || response.status >= 500;
      const pauseMs =
        transient && !signal?.aborted && !isFinal(response) ? this.#options.retryAfterMs[attempt] : undefined;
      if (response instanceof Response) await response.body?.cancel();
      if (pauseMs === undefined) throw refusal(reference, response);
      await sleep(pauseMs, undefined, signal ? { signal } : {});
    }
  }

  /** Answers the challenge of a 401: Basic, or a bearer token fetched from the realm (distribution-spec, "token"). */
  async #authenticate(
    reference: Reference,
    challenge: Response,
    login: RegistryCredentials | undefined,
    signal?: AbortSignal,
  ): Promise<string> {
    const header = challenge.headers.get('www-authenticate') ?? '';
    const basic = login && `Basic ${Buffer.from(`${login.username}:${login.password}`).toString('base64')}`;
    if (/^basic\b/i.test(header)) {
      if (!basic) throw refusal(reference, challenge);
      return basic;
    }
    const parameter = (name: string): string | undefined => new RegExp(`${name}="([^"]*)"`, 'i').exec(header)?.[1];
    const realm = parameter('realm');
    if (!/^bearer\b/i.test(header) || realm === undefined || !URL.canParse(realm)) throw refusal(reference, challenge);
    const url = new URL(realm);
    const scheme = this.#origin(reference.host).split(':')[0];
    // A realm elsewhere gets our password only over TLS: CVE-2026-33540 was a realm that collected them.
    if (url.protocol !== 'https:' && !(scheme === 'http' && url.hostname === reference.host.split(':')[0]))
      throw new GantryError('IMAGE_PULL_FAILED', `Cannot sign in to ${reference.host}: it sends us to "${url.origin}"`);
    const service = parameter('service');
    if (service) url.searchParams.set('service', service);
    url.searchParams.set('scope', `repository:${reference.repository}:pull`);
    const response = await fetch(url, {
      headers: basic ? { authorization: basic } : {},
      ...(signal ? { signal } : {}),
    });
    if (!response.ok) throw refusal(reference, response);
    const answer = (await response.json()) as { token?: string; access_token?: string };
    return `Bearer ${answer.token ?? answer.access_token ?? ''}`;
  }

  #origin(named: string): string {
    // The name that people write is not the host that serves it.
    const host = named === 'docker.io' ? 'registry-1.docker.io' : named;
    const name = host.replace(/:\d+$/, '');
    const isLoopback = name === 'localhost' || name === '[::1]' || name.startsWith('127.');
    return `${isLoopback || this.#options.plainHttpHosts.includes(host) ? 'http' : 'https'}://${host}`;
  }
}

/** The longest match of host and path wins. */
export function findCredentials(
  reference: Reference,
  all: readonly RegistryCredentials[],
): RegistryCredentials | undefined {
  const name = `${reference.host}/${reference.repository}`;
  return all
    .filter(({ registry }) => name === registry || name.startsWith(`${registry.replace(/\/$/, '')}/`))
    .sort((a, b) => b.registry.length - a.registry.length)[0];
}

/** A name that does not resolve stays so for the next seconds. */
function isFinal(failure: Response | Error): boolean {
  const cause = failure instanceof Error ? (failure.cause as NodeJS.ErrnoException | undefined) : undefined;
  return cause?.code === 'ENOTFOUND';
}

function refusal(reference: Reference, failure: Response | Error): GantryError {
  if (!(failure instanceof Response)) return pullFailed(reference, failure);
  if (failure.status === 404)
    return new GantryError('IMAGE_NOT_FOUND', `Cannot pull ${nameOf(reference)}: ${reference.host} has no such image`);
  if (failure.status === 401 || failure.status === 403)
    return new GantryError(
      'IMAGE_NOT_FOUND',
      `Cannot pull ${nameOf(reference)}: ${reference.host} refuses us (HTTP ${failure.status}); it does not exist, or needs other credentials`,
    );
  return pullFailed(reference, new Error(`${reference.host} answered HTTP ${failure.status}`));
}

function pullFailed(reference: Reference, error: unknown): GantryError {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  return new GantryError(
    'IMAGE_PULL_FAILED',
    `Cannot pull ${nameOf(reference)}: ${cause instanceof Error ? cause.message : String(cause)}`,
    { cause: error },
  );
}

function nameOf({ host, repository, tag, digest }: Reference): string {
  return `${host}/${repository}${tag ? `:${tag}` : ''}${digest ? `@${digest}` : ''}`;
}

async function readCapped(response: Response, limitBytes: number, reference: Reference): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  let size = 0;
  for await (const piece of response.body ?? []) {
    size += piece.length;
    if (size > limitBytes)
      throw new GantryError(
        'IMAGE_INVALID',
        `Cannot pull ${nameOf(reference)}: a document of it is larger than ${limitBytes} bytes`,
      );
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

function sha256(bytes: Buffer): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}
