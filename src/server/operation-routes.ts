import { createHash } from 'node:crypto';
import type { Context, Hono } from 'hono';
import type { Operation } from '../api/operation.ts';
import { type OperationId, operations } from '../api/operations.ts';
import { GantryError } from '../core/errors.ts';
import { actions } from '../core/permission.ts';
import type { UnitOfWork } from '../core/unit-of-work.ts';
import type { Feature, RequestContext, ResourceName } from '../features/feature.ts';
import type { Clock } from '../lib/clock.ts';
import type { Logger } from '../lib/logger.ts';
import type { Access, Identity } from './access.ts';
import { entityTag, namesTag } from './entity-tag.ts';
import { requestContext, type ServerEnv } from './incoming.ts';
import { noteDenial } from './note-denial.ts';
import { parsePart, refusePart } from './parse-part.ts';
import { InvalidRequest } from './problem.ts';
import type { RefusalRecord } from './refusal-record.ts';
import { readJson, refuseLargeBody } from './request-body.ts';

type Handler = (input: Input, request: RequestContext) => Promise<unknown>;

interface Input {
  readonly params: unknown;
  readonly query: unknown;
  readonly body: unknown;
}

export interface OperationRouteDeps {
  readonly features: readonly Feature[];
  readonly access: Access;
  readonly refusals: RefusalRecord;
  readonly store: UnitOfWork;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly identify: (context: Context<ServerEnv>) => Promise<Identity | undefined>;
  /** Throws RATE_LIMITED. */
  readonly limit: (context: Context<ServerEnv>, identity: Identity | undefined) => void;
}

/** Mounts every operation of the API table. Throws a sentence for one that has no handler or cannot be authorised. */
export function mountOperations(app: Hono<ServerEnv>, deps: OperationRouteDeps): void {
  const handlers = collectHandlers(deps.features);
  const locks = new PathLocks();
  for (const [id, operation] of Object.entries(operations) as [OperationId, Operation][]) {
    checkPolicy(id, operation);
    const handle = handlers.get(id)!;
    const reader = operation.hasEtag && operation.method !== 'get' ? readerOf(operation, handlers) : undefined;
    const path = operation.path.replace(/\{(\w+)\}/g, ':$1');
    app.on(operation.method.toUpperCase(), path, async (context) => {
      context.var.incoming.route = operation.path;
      refuseLargeBody(context.req.raw.headers);
      const identity = await deps.identify(context);
      deps.limit(context, identity);
      return answerOperation({ id, operation, handle, reader, context, identity, deps, locks });
    });
  }
}

interface Call {
  readonly id: OperationId;
  readonly operation: Operation;
  readonly handle: Handler;
  /** Answers the resource as it stands, for `If-Match`. */
  readonly reader: { readonly operation: Operation; readonly handle: Handler } | undefined;
  readonly context: Context<ServerEnv>;
  readonly identity: Identity | undefined;
  readonly deps: OperationRouteDeps;
  readonly locks: PathLocks;
}

async function answerOperation(call: Call): Promise<Response> {
  const { id, operation, context, identity, deps } = call;
  const headers = new Headers({ 'Cache-Control': operation.hasEtag ? 'private, no-cache' : 'no-store' });
  const request = requestContext(context, deps, identity, (name, value) =>
    name.toLowerCase() === 'set-cookie' ? headers.append(name, value) : headers.set(name, value),
  );
  try {
    return await answerRequest(call, request, headers);
  } catch (error) {
    if (operation.method !== 'get') {
      const resource = resourceOf(operation, context, undefined);
      const params = context.req.param();
      await noteDenial({
        error,
        action: operation.action,
        resource,
        request,
        details: { operation: id, params },
        deps,
      });
    }
    throw error;
  }
}

async function answerRequest(call: Call, request: RequestContext, headers: Headers): Promise<Response> {
  const { id, operation, reader, context, identity } = call;

  // Only what names the owner is read before we know that the asker may ask.
  const isOwnerInBody = operation.ownerFrom === 'body';
  if (isOwnerInBody && !identity) await request.authorize('account:read', { on: 'self' });
  const early = isOwnerInBody ? await readBody(operation, context) : undefined;
  await request.authorize(operation.action, resourceOf(operation, context, early));

  const input: Input = {
    params: operation.params ? parsePart('path', operation.params, context.req.param()) : undefined,
    query: readQuery(operation, context),
    body: isOwnerInBody ? early : await readBody(operation, context),
  };

  const ifMatch = context.req.header('if-match');
  const run = (): Promise<Answer> => once(call, input, request);
  const { status, body, next } =
    reader && ifMatch !== undefined
      ? await call.locks.hold(context.req.path, async () => {
          const present = stripped(reader.operation, await reader.handle({ ...input, body: undefined }, request));
          if (!namesTag(ifMatch, entityTag(present.body)))
            throw new GantryError('PRECONDITION_FAILED', `Cannot do ${id}: it changed since you fetched it`);
          return run();
        })
      : reader
        ? await call.locks.hold(context.req.path, run)
        : await run();

  if (typeof next === 'string') headers.set('Link', linkTo(context.req.url, next));
  if (operation.hasEtag) {
    const tag = entityTag(body);
    headers.set('ETag', tag);
    const ifNoneMatch = context.req.header('if-none-match');
    if (operation.method === 'get' && ifNoneMatch !== undefined && namesTag(ifNoneMatch, tag))
      return new Response(null, { status: 304, headers });
  }
  if (operation.ok === undefined) return new Response(null, { status, headers });
  headers.set('Content-Type', 'application/json');
  return new Response(body, { status, headers });
}

interface Answer {
  readonly status: number;
  readonly body: string;
  /** Cursor of the next page, where the answer is a page. */
  readonly next?: unknown;
}

/** Runs the handler; with an Idempotency-Key at most once, and answers a repetition as the first time. */
async function once(call: Call, input: Input, request: RequestContext): Promise<Answer> {
  const { id, operation, handle, identity, deps } = call;
  const run = async (): Promise<Answer> => ({
    status: operation.status,
    ...stripped(operation, await handle(input, request)),
  });
  if (!operation.isIdempotent || request.idempotencyKey === undefined || identity?.actor.kind !== 'person')
    return run();
  if (!/^[\x21-\x7e]{1,255}$/.test(request.idempotencyKey))
    throw new InvalidRequest([{ pointer: 'Idempotency-Key', message: 'must have 1 to 255 printable characters' }]);

  const key = { personId: identity.actor.person.id, operation: id, key: request.idempotencyKey };
  const hash = createHash('sha256')
    .update(JSON.stringify([input.params, input.query, input.body]))
    .digest('hex');
  const claim = await deps.store.write((stores) => stores.idempotency.claim(key, hash, deps.clock.now()));
  switch (claim.state) {
    case 'same':
      return claim;
    case 'different':
      throw new GantryError(
        'IDEMPOTENCY_KEY_REUSED',
        `Cannot do ${id}: this Idempotency-Key was sent with another request`,
      );
    case 'in-flight':
      throw new GantryError(
        'IDEMPOTENCY_IN_FLIGHT',
        `Cannot do ${id}: the first request with this key is not finished`,
      );
    case 'new':
  }
  try {
    const answer = await run();
    await deps.store.write((stores) => stores.idempotency.settle(key, answer.status, answer.body));
    return answer;
  } catch (error) {
    await deps.store
      .write((stores) => stores.idempotency.release(key))
      .catch((second: unknown) => deps.logger.warn('A claimed idempotency key was not released', { error: second }));
    throw error;
  }
}

/** Only fields that the schema names leave the server. An answer that does not fit is our mistake, and becomes a 500. */
function stripped(operation: Operation, result: unknown): { body: string; next?: unknown } {
  if (operation.ok === undefined) return { body: '' };
  const answer = operation.ok.parse(result) as { next?: unknown };
  return { body: JSON.stringify(answer), next: answer.next };
}

function readQuery(operation: Operation, context: Context<ServerEnv>): unknown {
  const given: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
  for (const [name, values] of Object.entries(context.req.queries()))
    given[name] = values.length > 1 ? values : values[0];
  if (operation.query) return parsePart('query', operation.query, { ...given });
  refusePart('query', given);
  return undefined;
}

async function readBody(operation: Operation, context: Context<ServerEnv>): Promise<unknown> {
  const body = operation.method === 'get' ? undefined : await readJson(context.req.raw);
  if (operation.body) return parsePart('body', operation.body, body);
  refusePart('body', body);
  return undefined;
}

function resourceOf(operation: Operation, context: Context<ServerEnv>, body: unknown): ResourceName {
  const { on } = actions[operation.action];
  switch (on) {
    case 'project':
      return { on, owner: context.req.param('owner') ?? '', name: context.req.param('project') ?? '' };
    case 'owner':
      return {
        on,
        name:
          operation.ownerFrom === 'body'
            ? ((body as { owner: string } | undefined)?.owner ?? '')
            : (context.req.param('owner') ?? ''),
      };
    default:
      return { on };
  }
}

/** A route whose policy cannot be decided from its path would be open, or closed, by accident. */
function checkPolicy(id: OperationId, operation: Operation): void {
  const rule = actions[operation.action];
  if (rule === undefined) throw new TypeError(`Cannot start: the operation ${id} names no action that exists`);
  const has = (name: string): boolean => operation.path.includes(`{${name}}`);
  if (rule.on === 'project' && !(has('owner') && has('project')))
    throw new TypeError(`Cannot start: the operation ${id} is about a project, and its path names none`);
  if (rule.on === 'owner' && !has('owner') && operation.ownerFrom !== 'body')
    throw new TypeError(`Cannot start: the operation ${id} is about an owner, and nothing names one`);
  if (rule.on !== 'project' && has('project'))
    throw new TypeError(
      `Cannot start: the operation ${id} names a project, and its action ${operation.action} ignores it`,
    );
}

function collectHandlers(features: readonly Feature[]): ReadonlyMap<OperationId, Handler> {
  const handlers = new Map<OperationId, Handler>();
  for (const feature of features) {
    for (const [id, handle] of Object.entries(feature.operations ?? {})) {
      if (handle === undefined) continue;
      if (!Object.hasOwn(operations, id))
        throw new TypeError(`Cannot start: ${feature.name} handles "${id}", which the API does not have`);
      if (handlers.has(id as OperationId))
        throw new TypeError(`Cannot start: ${feature.name} handles "${id}", which another feature handles already`);
      handlers.set(id as OperationId, handle as Handler);
    }
  }
  const missing = Object.keys(operations).filter((id) => !handlers.has(id as OperationId));
  if (missing.length > 0) throw new TypeError(`Cannot start: nobody handles the operations ${missing.join(', ')}`);
  return handlers;
}

function readerOf(operation: Operation, handlers: ReadonlyMap<OperationId, Handler>): Call['reader'] {
  const found = (Object.entries(operations) as [OperationId, Operation][]).find(
    ([, other]) => other.method === 'get' && other.path === operation.path && other.hasEtag,
  );
  if (!found) throw new TypeError(`Cannot start: ${operation.path} takes If-Match, and nothing reads it`);
  return { operation: found[1], handle: handlers.get(found[0])! };
}

function linkTo(url: string, next: string): string {
  const { pathname, searchParams } = new URL(url);
  searchParams.set('after', next);
  return `<${pathname}?${searchParams}>; rel="next"`;
}

/** Changes of one resource follow each other, so that what `If-Match` saw is what is changed. */
class PathLocks {
  readonly #last = new Map<string, Promise<unknown>>();

  async hold<T>(path: string, work: () => Promise<T>): Promise<T> {
    const key = path.toLowerCase();
    const before = this.#last.get(key) ?? Promise.resolve();
    const mine = before.then(work, work);
    this.#last.set(key, mine);
    try {
      return await mine;
    } finally {
      if (this.#last.get(key) === mine) this.#last.delete(key);
    }
  }
}
