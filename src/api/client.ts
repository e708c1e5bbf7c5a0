import type { z } from 'zod';
import type { Problem } from './operation.ts';
import type { OperationId, operations } from './operations.ts';
import { routes } from './routes.ts';

type Table = typeof operations;

/** As the server reads it, with the keys optional that have a default. */
type Given<S extends z.ZodType> = { [K in keyof z.input<S>]: K extends keyof z.output<S> ? z.output<S>[K] : never };
type Part<O, K extends 'params' | 'query'> =
  O extends Record<K, infer S extends z.ZodType>
    ? Record<never, never> extends Given<S>
      ? { readonly [P in K]?: Given<S> }
      : { readonly [P in K]: Given<S> }
    : unknown;
type Body<O> = O extends { body: infer S extends z.ZodType } ? { readonly body: z.input<S> } : unknown;

interface RequestOptions {
  readonly signal?: AbortSignal | undefined;
  /** Makes the repetition of a request harmless, where the operation starts something. */
  readonly idempotencyKey?: string | undefined;
  /** ETag of what is about to be changed: refused with PRECONDITION_FAILED when it changed meanwhile. */
  readonly ifMatch?: string | undefined;
  /** For what only the headers tell: ETag, Link. */
  readonly onResponse?: (response: Response) => void;
}

export type ClientRequest<Id extends OperationId> = Part<Table[Id], 'params'> &
  Part<Table[Id], 'query'> &
  Body<Table[Id]> &
  RequestOptions;

export type ClientResult<Id extends OperationId> = Table[Id] extends { ok: infer S extends z.ZodType }
  ? z.output<S>
  : undefined;

/** What follows the id: the request, which may be left out where nothing in it is required. */
export type ClientArguments<Id extends OperationId> =
  Record<never, never> extends ClientRequest<Id> ? [request?: ClientRequest<Id>] : [request: ClientRequest<Id>];

/** Calls an operation by its id. Throws `ApiError` when the server refuses, and what `fetch` throws when it is not reached. */
export type Client = <Id extends OperationId>(id: Id, ...request: ClientArguments<Id>) => Promise<ClientResult<Id>>;

/** The server's refusal; its message is the problem's `detail`. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly problem: Problem;

  constructor(problem: Problem) {
    super(problem.detail);
    this.problem = problem;
  }
}

/**
 * `base` is the server's address without a slash at its end, or empty for the one that served this page.
 * `headers` is asked for each request: the token, the language.
 */
export function createClient(base: string, headers: () => Readonly<Record<string, string>> = () => ({})): Client {
  return async (id, ...[request]) => {
    const { params, query, body, signal, idempotencyKey, ifMatch, onResponse } = (request ?? {}) as RequestOptions & {
      readonly params?: Record<string, string | number>;
      readonly query?: Record<string, unknown>;
      readonly body?: unknown;
    };
    const route = routes[id];
    const path = route.path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(String(params?.[name])));
    const search = new URLSearchParams(
      Object.entries(query ?? {}).flatMap(([name, value]) =>
        (Array.isArray(value) ? value : [value]).filter((one) => one !== undefined).map((one) => [name, String(one)]),
      ),
    );
    const response = await fetch(`${base}${path}${search.size > 0 ? `?${search}` : ''}`, {
      method: route.method,
      headers: {
        Accept: 'application/json',
        ...headers(),
        ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
        ...(idempotencyKey === undefined ? {} : { 'Idempotency-Key': idempotencyKey }),
        ...(ifMatch === undefined ? {} : { 'If-Match': ifMatch }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...(signal ? { signal } : {}),
    });
    onResponse?.(response);
    const text = await response.text();
    if (!response.ok) throw new ApiError(readProblem(response, text));
    if (response.status === 204) return undefined as ClientResult<typeof id>;
    if (!isJson(response)) throw new ApiError(readProblem(response, text));
    return JSON.parse(text) as ClientResult<typeof id>;
  };
}

/** A sign-in page of the network in between is a 200, too. */
function isJson(response: Response): boolean {
  return /^application\/json\b/.test(response.headers.get('content-type') ?? '');
}

/** What answered may be a proxy that knows nothing of problem documents. */
function readProblem(response: Response, text: string): Problem {
  if (response.headers.get('content-type')?.includes('application/problem+json')) return JSON.parse(text) as Problem;
  return {
    type: 'about:blank',
    title: response.statusText,
    status: response.status,
    code: 'ANSWER_UNREADABLE',
    detail: `Cannot read the answer of ${new URL(response.url).host}: it is a ${response.status} that Gantry did not write`,
    hint: 'Check the address, and the proxy in front of Gantry.',
    requestId: response.headers.get('x-request-id') ?? '',
  };
}
