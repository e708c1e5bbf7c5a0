import type { Context } from 'hono';
import { getCookie } from 'hono/cookie';
import { sessionCookieName } from '../api/session-cookie.ts';
import { GantryError } from '../core/errors.ts';
import type { Actor } from '../core/permission.ts';
import type { RequestContext } from '../features/feature.ts';
import { networkOf } from '../lib/network-of.ts';
import { type Access, anonymous, type Identity } from './access.ts';
import type { Language } from './language.ts';
import type { Peer } from './peer.ts';
import type { RateLimiter } from './rate-limiter.ts';
import type { RefusalRecord } from './refusal-record.ts';

/** What the shell knows of a request before any route looks at it. */
export interface Incoming {
  readonly requestId: string;
  readonly language: Language;
  readonly peer: Peer;
  /** Pattern of the route that answers, for the metrics; set by the route. */
  route: string;
  /** How a refusal is said; set by the route. */
  challenge: 'basic' | 'problem';
}

export interface ServerEnv {
  Variables: { incoming: Incoming };
  Bindings: {
    incoming?: { readonly url?: string | undefined; readonly socket?: { readonly remoteAddress?: string | undefined } };
  };
}

interface IdentifyDeps {
  readonly access: Access;
  readonly publicUrl: string;
  /** Wrong tokens per address: guessing 256 bits is hopeless, and must not be free either. */
  readonly wrongTokens: RateLimiter;
}

/** The credential shown by `Authorization` (Bearer, or Basic with the token as password), else by the session's cookie. */
export async function identify(context: Context<ServerEnv>, deps: IdentifyDeps): Promise<Identity | undefined> {
  const { access, publicUrl, wrongTokens } = deps;
  const authorization = context.req.header('authorization');
  if (authorization !== undefined) {
    try {
      return await access.identifyToken(tokenOf(authorization));
    } catch (error) {
      const retryAfterMs = wrongTokens.take(networkOf(context.var.incoming.peer.address));
      if (retryAfterMs === 0 || !(error instanceof GantryError)) throw error;
      throw new GantryError('RATE_LIMITED', 'Cannot check the token: too many wrong ones came from this address', {
        details: { retryAfterMs },
      });
    }
  }
  const cookie = getCookie(context, sessionCookieName(publicUrl));
  return cookie === undefined ? undefined : access.identifySession(cookie);
}

/** The secret in an Authorization header. The name that comes with Basic says nothing: the token does. */
function tokenOf(authorization: string): string {
  const [scheme = '', value = ''] = authorization.split(' ', 2);
  switch (scheme.toLowerCase()) {
    case 'bearer':
      return value;
    case 'basic': {
      const text = Buffer.from(value, 'base64').toString('utf8');
      return text.slice(text.indexOf(':') + 1);
    }
    default:
      return '';
  }
}

/** The session's secret is sent by the browser on its own; a token is always meant. */
export function mayBeForged(context: Context<ServerEnv>): boolean {
  return !/^bearer /i.test(context.req.header('authorization') ?? '');
}

/** What handlers learn of the request. */
export function requestContext(
  context: Context<ServerEnv>,
  { access, refusals }: { readonly access: Access; readonly refusals: RefusalRecord },
  identity: Identity | undefined,
  setHeader: RequestContext['setHeader'],
): RequestContext {
  const { requestId, language, peer } = context.var.incoming;
  const actor: Actor = identity?.actor ?? anonymous;
  const renew = (): Promise<Identity | undefined> | undefined => identity && access.renew(identity);
  return {
    actor,
    requestId,
    remoteAddress: peer.address,
    userAgent: (context.req.header('user-agent') ?? '').slice(0, 300),
    language,
    idempotencyKey: context.req.header('idempotency-key'),
    // A push or a stream asks long after it began: whoever lost their credential since may do nothing more.
    async authorize(action, resource) {
      const present = await renew();
      if (identity && !present)
        throw new GantryError('TOKEN_INVALID', `Cannot do ${action}: the credential was revoked, or has expired`);
      await access.authorize(present?.actor ?? anonymous, action, resource);
    },
    async may(action, resource) {
      const present = await renew();
      if (identity && !present) return false;
      return access.may(present?.actor ?? anonymous, action, resource);
    },
    noteRefusal: (action, subject) =>
      refusals.note({ actor, action, subject, remoteAddress: peer.address, requestId, details: {} }),
    setHeader,
  };
}
