import type { Context, Hono } from 'hono';
import { GantryError } from '../core/errors.ts';
import { type Action, actions } from '../core/permission.ts';
import type { UnitOfWork } from '../core/unit-of-work.ts';
import type { RawRoute, RequestContext, ResourceName } from '../features/feature.ts';
import type { Access, Identity } from './access.ts';
import { isAbout } from './access.ts';
import { requestContext, type ServerEnv } from './incoming.ts';
import { noteDenial } from './note-denial.ts';
import type { RefusalRecord } from './refusal-record.ts';

export interface RawRouteDeps {
  readonly store: UnitOfWork;
  readonly access: Access;
  readonly refusals: RefusalRecord;
  readonly identify: (context: Context<ServerEnv>) => Promise<Identity | undefined>;
  /** Throws RATE_LIMITED. */
  readonly limit: (context: Context<ServerEnv>, identity: Identity | undefined) => void;
}

/** A route of the shell itself, which needs more of the credential than a feature may see. */
export type ShellRoute = Omit<RawRoute, 'handle'> & {
  readonly handle: (
    context: Context<ServerEnv>,
    request: RequestContext,
    identity: Identity | undefined,
  ) => Promise<Response> | Response;
};

/** Mounts routes outside the API table. Each is authorised from the request alone, before its handler sees anything. */
export function mountRawRoutes(app: Hono<ServerEnv>, routes: readonly ShellRoute[], deps: RawRouteDeps): void {
  const taken = new Set<string>();
  for (const route of routes) {
    const name = `${route.method} ${route.path}`;
    if (typeof route.policy !== 'function') throw new TypeError(`Cannot start: the route ${name} has no policy`);
    if (taken.has(name)) throw new TypeError(`Cannot start: the route ${name} is there twice`);
    taken.add(name);

    app.on(route.method, route.path, async (context) => {
      const { incoming } = context.var;
      incoming.route = route.path;
      incoming.challenge = route.challenge;
      const identity = await deps.identify(context);
      deps.limit(context, identity);

      const answerHeaders: [string, string][] = [];
      const request = requestContext(context, deps, identity, (header, value) => {
        answerHeaders.push([header, value]);
      });
      const { action, resource } = route.policy({ params: context.req.param(), url: new URL(context.req.url) });
      if (!isAbout(action, resource.on))
        throw new TypeError(`Cannot authorise ${name}: ${action} is not about a ${resource.on}`);
      try {
        await authorizeRoute(deps.access, request, route.challenge, action, resource);
      } catch (error) {
        const isTelling = !actions[action].scope.endsWith(':read');
        if (isTelling) await noteDenial({ error, action, resource, request, details: { route: name }, deps });
        throw error;
      }

      const response = await route.handle(context, request, identity);
      for (const [header, value] of answerHeaders) response.headers.append(header, value);
      if (context.req.method !== 'HEAD') return response;
      // Nobody will read it: what stands behind it must not wait for a reader.
      await response.body?.cancel();
      return new Response(null, response);
    });
  }
}

/**
 * A git client shows its credentials only when it is asked for them: a stranger is asked for what is not there, too,
 * and so learns nothing from being asked.
 */
async function authorizeRoute(
  access: Access,
  { actor }: RequestContext,
  challenge: RawRoute['challenge'],
  action: Action,
  resource: ResourceName,
): Promise<void> {
  try {
    await access.authorize(actor, action, resource);
  } catch (error) {
    const isHidden = error instanceof GantryError && error.kind === 'not-found';
    if (challenge !== 'basic' || actor.kind !== 'anonymous' || !isHidden) throw error;
    throw new GantryError('SIGN_IN_REQUIRED', `Cannot do ${action}: nobody is signed in`, { cause: error });
  }
}
