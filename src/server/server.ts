import { type Context, Hono } from 'hono';
import { openApi } from '../api/openapi.ts';
import { GantryError } from '../core/errors.ts';
import type { HappeningBus, LogBus } from '../core/events.ts';
import type { UnitOfWork } from '../core/unit-of-work.ts';
import type { Feature } from '../features/feature.ts';
import type { Clock } from '../lib/clock.ts';
import { sortableId } from '../lib/ids.ts';
import type { Logger } from '../lib/logger.ts';
import { networkOf } from '../lib/network-of.ts';
import { createAccess, type FindJob, type Identity } from './access.ts';
import { isCrossSite } from './cross-site.ts';
import { createEventStream } from './event-stream.ts';
import { identify, mayBeForged, type ServerEnv } from './incoming.ts';
import { languageOf } from './language.ts';
import { type Gauge, Metrics } from './metrics.ts';
import { mountOperations } from './operation-routes.ts';
import { peerOf, trustedProxyList } from './peer.ts';
import { problemResponse } from './problem.ts';
import { RateLimiter } from './rate-limiter.ts';
import { mountRawRoutes, type ShellRoute } from './raw-routes.ts';
import { RefusalRecord } from './refusal-record.ts';
import { isPagePath, isUnambiguousPath, pathOfTarget } from './request-path.ts';
import { setSecurityHeaders } from './security-headers.ts';
import { createStaticUi } from './static-ui.ts';

export interface ServerConfig {
  /** The address that people use, e.g. `https://gantry.example.org`: decides on cookies and on what is cross-site. */
  readonly publicUrl: string;
  /** Addresses and networks whose `X-Forwarded-*` headers are believed; none by default. */
  readonly trustedProxies: readonly string[];
  readonly version: string;
}

export interface ServerDeps {
  readonly features: readonly Feature[];
  readonly findJob: FindJob;
  readonly store: UnitOfWork;
  readonly happenings: HappeningBus;
  /** Absent where no step runs: log topics then wait in silence. */
  readonly logs?: LogBus | undefined;
  readonly config: ServerConfig;
  readonly clock: Clock;
  readonly logger: Logger;
  /** The built web interface. */
  readonly uiFolder?: string | undefined;
  /** Further figures for /metrics: queue lengths and the like. */
  readonly gauges?: readonly Gauge[] | undefined;
  /** Whether requests can be served; asked by /readyz. */
  readonly isReady?: (() => boolean | Promise<boolean>) | undefined;
  /** Aborted when the server begins to stop: streams end, and /readyz says so. */
  readonly stopping?: AbortSignal | undefined;
}

/** Requests that change something, per credential: far above what people and pipelines do, far below what hurts. */
const changesPerHour = { capacity: 5_000, perSecond: 5_000 / 3_600 };
/** Requests without a credential, per address. */
const strangersBucket = { capacity: 2_000, perSecond: 100 };
const wrongTokensBucket = { capacity: 50, perSecond: 0.5 };

/**
 * Everything that Gantry serves over HTTP: the operations of the API table, the features' own routes, the event stream,
 * the web interface. Throws a sentence when an operation has no handler or a route no policy: such a server never starts.
 */
export function createServer(deps: ServerDeps): Hono<ServerEnv> {
  const { features, store, findJob, happenings, config, clock, logger, stopping } = deps;
  const access = createAccess({ store, findJob, happenings, clock, logger });
  const trusted = trustedProxyList(config.trustedProxies);
  const metrics = new Metrics(deps.gauges);
  const changes = new RateLimiter(clock, changesPerHour);
  const strangers = new RateLimiter(clock, strangersBucket);
  const wrongTokens = new RateLimiter(clock, wrongTokensBucket);
  const refusals = new RefusalRecord({ store, clock, logger });
  stopping?.addEventListener('abort', () => void refusals.close());
  const stream = createEventStream({ ...deps, access });
  const ui = deps.uiFolder === undefined ? undefined : createStaticUi(deps.uiFolder);

  const app = new Hono<ServerEnv>();

  app.use(async (context, next) => {
    const startedMs = clock.monotonicMs();
    const header = (name: string): string | undefined => context.req.header(name);
    const peer = peerOf(context.env?.incoming?.socket?.remoteAddress, header, trusted);
    const given = peer.isTrusted ? header('x-request-id') : undefined;
    const requestId = given && /^[\w-]{8,64}$/.test(given) ? given : sortableId('req', clock.now());
    const language = languageOf(header('accept-language'));
    const incoming = { requestId, language, peer, route: 'none', challenge: 'problem' as 'basic' | 'problem' };
    context.set('incoming', incoming);

    const path = pathOfTarget(context.env?.incoming?.url ?? context.req.url);
    if (!isUnambiguousPath(path)) {
      context.res = problemResponse(
        new GantryError('REQUEST_INVALID', 'Cannot find what the address means: it can be read in more than one way'),
        incoming,
      );
    } else await next();

    context.res.headers.set('X-Request-Id', requestId);
    setSecurityHeaders(context.res.headers, config.publicUrl);
    metrics.countRequest(context.req.method, incoming.route, context.res.status, clock.monotonicMs() - startedMs);
  });

  app.use(async (context, next) => {
    const isSafe = ['GET', 'HEAD', 'OPTIONS'].includes(context.req.method);
    const { host } = context.var.incoming.peer;
    if (!isSafe && mayBeForged(context) && isCrossSite((name) => context.req.header(name), host, config.publicUrl))
      throw new GantryError('CROSS_SITE_REQUEST', 'Cannot do this: the request comes from a page of another site');
    await next();
  });

  const shared = {
    store,
    refusals,
    access,
    identify: (context: Context<ServerEnv>) => identify(context, { access, publicUrl: config.publicUrl, wrongTokens }),
    limit(context: Context<ServerEnv>, identity: Identity | undefined) {
      const isRead = ['GET', 'HEAD'].includes(context.req.method);
      const retryAfterMs = !identity
        ? strangers.take(networkOf(context.var.incoming.peer.address))
        : isRead
          ? 0
          : changes.take(identity.hash);
      if (retryAfterMs > 0)
        throw new GantryError('RATE_LIMITED', 'Cannot serve the request: too many came in a short time', {
          details: { retryAfterMs },
        });
    },
  };

  const shellRoutes: ShellRoute[] = [
    {
      method: 'GET',
      path: '/healthz',
      summary: 'Whether the process answers',
      policy: () => ({ action: 'site:visit', resource: { on: 'anyone' } }),
      challenge: 'problem',
      handle: () => new Response('ok\n', { headers: { 'Content-Type': 'text/plain; charset=utf-8' } }),
    },
    {
      method: 'GET',
      path: '/readyz',
      summary: 'Whether requests are taken',
      policy: () => ({ action: 'site:visit', resource: { on: 'anyone' } }),
      challenge: 'problem',
      async handle() {
        if (stopping?.aborted || !((await deps.isReady?.()) ?? true))
          throw new GantryError('SERVER_BUSY', 'Cannot take requests: the server is starting or stopping');
        return new Response('ready\n', { headers: { 'Content-Type': 'text/plain; charset=utf-8' } });
      },
    },
    {
      method: 'GET',
      path: '/metrics',
      summary: 'Figures for Prometheus',
      policy: () => ({ action: 'site:administer', resource: { on: 'site' } }),
      challenge: 'problem',
      handle: async () =>
        new Response(await metrics.write(), {
          headers: { 'Content-Type': 'text/plain; version=0.0.4; charset=utf-8' },
        }),
    },
    {
      method: 'GET',
      path: '/api/v1/openapi.json',
      summary: 'The description of this API',
      policy: () => ({ action: 'site:visit', resource: { on: 'anyone' } }),
      challenge: 'problem',
      handle: () => Response.json(openApi(config.version), { headers: { 'Cache-Control': 'no-cache' } }),
    },
    stream,
  ];

  mountOperations(app, { features, clock, logger, ...shared });
  mountRawRoutes(app, [...shellRoutes, ...features.flatMap((feature) => feature.routes ?? [])], shared);

  app.notFound(async (context) => {
    const { path, method } = context.req;
    const isPage = (method === 'GET' || method === 'HEAD') && isPagePath(path);
    const page = isPage ? await ui?.(path, context.req.raw.headers) : undefined;
    if (page) {
      context.var.incoming.route = 'page';
      return page;
    }
    throw new GantryError('ROUTE_NOT_FOUND', `Cannot find ${method} ${path}: there is nothing at this address`, {
      details: { path },
    });
  });

  app.onError((error, context) => {
    const { requestId } = context.var.incoming;
    if (!(error instanceof GantryError))
      logger.error('A request failed by our mistake', { error, requestId, route: context.var.incoming.route });
    else if (error.kind === 'unavailable')
      logger.warn('A request could not be served', { error, requestId, route: context.var.incoming.route });
    return problemResponse(error, context.var.incoming);
  });

  return app;
}
