import { GantryError } from '../core/errors.ts';
import type { RegistryCredentials } from '../core/image.ts';
import type { EcrRequest } from '../engine/ecr-request.ts';
import { signedHeaders } from '../lib/aws-signature.ts';
import type { Clock } from '../lib/clock.ts';

/** Where and when AWS is asked. */
export interface EcrPlace {
  /** Address instead of that of AWS in the region, such as an endpoint inside a private network. */
  readonly endpoint?: string | undefined;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

const timeoutMs = 30_000;
const maxAnswerBytes = 65_536;
const apiPrefix = 'AmazonEC2ContainerRegistry_V20150921';

/** What AWS said no to; its message is for the step's log. */
export class EcrRefusal extends Error {
  override readonly name = 'EcrRefusal';
}

/**
 * Asks AWS for a login of its container registry (GetAuthorizationToken), and makes the repositories of the request that
 * are not there. Throws EcrRefusal where AWS says no, and GantryError of an unavailable kind where it does not answer.
 */
export async function askEcrLogin(request: EcrRequest, place: EcrPlace): Promise<RegistryCredentials> {
  const answer = await call(request, 'GetAuthorizationToken', {}, place);
  if (answer.status !== 200) throw refusal('log in to the registry of AWS', answer);
  const login = readLogin(answer.fields);
  if (!login) throw unavailable('its answer names no login');
  for (const name of request.create) {
    const made = await call(
      request,
      'CreateRepository',
      { repositoryName: name, imageScanningConfiguration: { scanOnPush: request.scansOnPush } },
      place,
    );
    if (made.status !== 200 && !faultOf(made).includes('RepositoryAlreadyExistsException'))
      throw refusal(`make the repository ${name}`, made);
  }
  return { ...login, registry: request.registry ?? login.registry };
}

interface Answer {
  readonly status: number;
  readonly fields: Readonly<Record<string, unknown>>;
}

async function call(request: EcrRequest, action: string, body: object, place: EcrPlace): Promise<Answer> {
  const url = new URL(place.endpoint ?? addressOf(request.region));
  const text = JSON.stringify(body);
  const headers = signedHeaders(
    {
      method: 'POST',
      url,
      headers: { 'content-type': 'application/x-amz-json-1.1', 'x-amz-target': `${apiPrefix}.${action}` },
      body: text,
      region: request.region,
      service: 'ecr',
      at: place.clock.now(),
    },
    request.keys,
  );
  const signal = AbortSignal.any([place.signal, AbortSignal.timeout(timeoutMs)]);
  try {
    const response = await fetch(url, { method: 'POST', headers, body: text, redirect: 'error', signal });
    const fields = readFields(await readCapped(response));
    if (response.status >= 500 || response.status === 429) throw unavailable(`it answers with ${response.status}`);
    return { status: response.status, fields };
  } catch (error) {
    place.signal.throwIfAborted();
    if (error instanceof GantryError) throw error;
    throw unavailable(`${url.host}: ${causeOf(error)}`, error);
  }
}

function addressOf(region: string): string {
  return `https://api.ecr.${region}.amazonaws.com${region.startsWith('cn-') ? '.cn' : ''}/`;
}

async function readCapped(response: Response): Promise<string> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  for await (const piece of response.body ?? []) {
    length += piece.length;
    if (length > maxAnswerBytes) throw unavailable(`its answer has more than ${maxAnswerBytes / 1024} KiB`);
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString('utf8');
}

function readFields(text: string): Answer['fields'] {
  try {
    const value: unknown = JSON.parse(text);
    return isFields(value) ? value : {};
  } catch {
    // A proxy in between answers with a page: the status says enough.
    return {};
  }
}

function readLogin({ authorizationData: list }: Answer['fields']): RegistryCredentials | undefined {
  const data: unknown = Array.isArray(list) ? list[0] : undefined;
  if (!isFields(data)) return undefined;
  const { authorizationToken: token, proxyEndpoint } = data;
  if (typeof token !== 'string' || typeof proxyEndpoint !== 'string') return undefined;
  const pair = /^([^:]+):(.+)$/s.exec(Buffer.from(token, 'base64').toString('utf8'));
  const registry = proxyEndpoint.replace(/^https?:\/\//, '').replace(/\/+$/, '');
  return pair ? { registry, username: pair[1]!, password: pair[2]! } : undefined;
}

function isFields(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** `UnrecognizedClientException: The security token … is invalid.` */
function faultOf({ fields, status }: Answer): string {
  const { __type: type = `status ${status}`, message = fields['Message'] } = fields;
  return [type, message]
    .filter((part) => typeof part === 'string')
    .map((part) => part.replace(/^.*#/, '').slice(0, 500))
    .join(': ');
}

function refusal(what: string, answer: Answer): EcrRefusal {
  return new EcrRefusal(`Cannot ${what}: ${faultOf(answer)}`);
}

function unavailable(because: string, cause?: unknown): GantryError {
  return new GantryError('RUNTIME_UNAVAILABLE', `Cannot log in to the registry of AWS: ${because}`, { cause });
}

function causeOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === 'TimeoutError') return `it does not answer within ${timeoutMs / 1_000} s`;
  return error.cause instanceof Error ? error.cause.message : error.message;
}
