import type { Context } from 'hono';
import { GantryError } from '../../core/errors.ts';
import type { Actor } from '../../core/permission.ts';
import type { Project } from '../../core/project.ts';
import type { UnitOfWork } from '../../core/unit-of-work.ts';
import { flushPkt, pktLine } from '../../lib/pkt-line.ts';
import type { RawRoute, RequestContext } from '../feature.ts';
import { zeroObject } from './push-commands.ts';
import type { Pusher, PushReceiver } from './receive-push.ts';
import type { RefCache } from './ref-cache.ts';
import { hiddenRefPrefixes, keptRefPrefixes } from './ref-name.ts';
import type { RepositoryFolders } from './repository-folders.ts';
import { requestBody } from './request-body.ts';
import type { FetchServer } from './serve-fetch.ts';

export interface GitRoutesDeps {
  readonly unitOfWork: UnitOfWork;
  readonly folders: RepositoryFolders;
  readonly refs: RefCache;
  readonly fetches: FetchServer;
  readonly pushes: PushReceiver;
  readonly maxPushBytes: number;
  readonly onPushBegin: () => void;
}

const repositoryPath = '/:owner/:project{[^/]+\\.git}';
/** Wants and haves of a fetch: 100,000 references need 5 MiB. */
const maxFetchRequestBytes = 32 * 2 ** 20;
const idleMs = 120_000;

/** What our receive-pack understands; git's own list of it, but for what we do not offer. */
const pushCapabilities =
  'report-status report-status-v2 delete-refs side-band-64k quiet atomic ofs-delta push-options object-format=sha1 agent=git/gantry';

/** Git over smart HTTP at `/<owner>/<project>.git`. */
export function gitRoutes(deps: GitRoutesDeps): readonly RawRoute[] {
  return [
    {
      method: 'GET',
      path: `${repositoryPath}/info/refs`,
      summary: 'References, for a git client that fetches or pushes',
      policy: ({ params, url }) => policyOf(params, url.searchParams.get('service') === 'git-receive-pack'),
      challenge: 'basic',
      handle: (context) => advertise(deps, context),
    },
    {
      method: 'POST',
      path: `${repositoryPath}/git-upload-pack`,
      summary: 'Clone or fetch with a git client',
      policy: ({ params }) => policyOf(params, false),
      challenge: 'basic',
      handle: (context, request) => fetchPack(deps, context, request),
    },
    {
      method: 'POST',
      path: `${repositoryPath}/git-receive-pack`,
      summary: 'Push with a git client',
      policy: ({ params }) => policyOf(params, true),
      challenge: 'basic',
      handle: (context, request) => receivePack(deps, context, request),
    },
    {
      method: 'GET',
      path: `${repositoryPath}/*`,
      summary: 'Files of a repository are not served: git clients speak the smart protocol',
      policy: () => ({ action: 'site:visit', resource: { on: 'anyone' } }),
      challenge: 'problem',
      handle: () => {
        throw new GantryError(
          'ROUTE_NOT_FOUND',
          'Cannot serve this: repositories are read by the smart protocol alone',
        );
      },
    },
  ];
}

function policyOf(params: Readonly<Record<string, string>>, isPush: boolean): ReturnType<RawRoute['policy']> {
  const { owner, name } = slugOf(params);
  return { action: isPush ? 'code:write' : 'code:read', resource: { on: 'project', owner, name } };
}

function slugOf(params: Readonly<Record<string, string>>): { owner: string; name: string } {
  return { owner: params['owner'] ?? '', name: (params['project'] ?? '').replace(/\.git$/, '') };
}

async function advertise(deps: GitRoutesDeps, context: Context): Promise<Response> {
  const services = context.req.queries('service') ?? [];
  const [service] = services;
  if (services.length !== 1 || (service !== 'git-upload-pack' && service !== 'git-receive-pack'))
    throw new GantryError(
      'ROUTE_NOT_FOUND',
      'Cannot list references: the request names no service of the smart protocol',
    );
  const project = await getProject(deps, context);
  const protocol = context.req.header('git-protocol');
  const body =
    service === 'git-receive-pack' ? await advertisePush(deps, project) : await advertiseFetch(deps, project, protocol);
  return answer(`application/x-${service}-advertisement`, body);
}

async function advertiseFetch(deps: GitRoutesDeps, project: Project, protocol: string | undefined): Promise<Buffer> {
  const body = await deps.fetches.advertise(project.id, protocol);
  // gitprotocol-http: version 2 has no service line.
  return body.subarray(4, 13).toString('latin1') === 'version 2'
    ? body
    : Buffer.concat([pktLine('# service=git-upload-pack\n'), flushPkt, body]);
}

/** In process: the list is at hand, and a push begins with it. */
async function advertisePush(deps: GitRoutesDeps, project: Project): Promise<Buffer> {
  deps.onPushBegin();
  const refs = (await deps.refs.list(project.id)).filter(
    ({ name }) => ![...hiddenRefPrefixes, ...keptRefPrefixes].some((prefix) => name.startsWith(prefix)),
  );
  const lines = refs.map(({ object, name }) => `${object} ${name}`);
  if (lines.length === 0) lines.push(`${zeroObject} capabilities^{}`);
  return Buffer.concat([
    pktLine('# service=git-receive-pack\n'),
    flushPkt,
    ...lines.map((line, index) => pktLine(index === 0 ? `${line}\0${pushCapabilities}\n` : `${line}\n`)),
    flushPkt,
  ]);
}

async function fetchPack(deps: GitRoutesDeps, context: Context, request: RequestContext): Promise<Response> {
  requireContentType(context, 'git-upload-pack');
  const project = await getProject(deps, context);
  const body = requestBody(context, { maxBytes: maxFetchRequestBytes, idleMs });
  const pack = await deps.fetches.serve(project, body, context.req.header('git-protocol'), () =>
    mayStill(deps, request, 'code:read', project.id),
  );
  return answer('application/x-git-upload-pack-result', pack);
}

async function receivePack(deps: GitRoutesDeps, context: Context, request: RequestContext): Promise<Response> {
  requireContentType(context, 'git-receive-pack');
  const project = await getProject(deps, context);
  const { actor } = request;
  // The policy has let only people write; anything else here is our own mistake.
  if (actor.kind !== 'person') throw new GantryError('SIGN_IN_REQUIRED', 'Cannot push: nobody is signed in');
  const body = requestBody(context, { maxBytes: deps.maxPushBytes, idleMs });
  const report = await deps.pushes.receive(project, body, pusherOf(deps, project, actor, request));
  return answer('application/x-git-receive-pack-result', report);
}

/** Who pushes to this project by this request, and what they may. */
export function pusherOf(
  deps: Pick<GitRoutesDeps, 'unitOfWork'>,
  project: Project,
  { person, projectIds }: Extract<Actor, { kind: 'person' }>,
  request: RequestContext,
): Pusher {
  return {
    personName: person.name,
    personId: person.id,
    tokenProjectIds: projectIds,
    remoteAddress: request.remoteAddress,
    requestId: request.requestId,
    mayStillWrite: () => mayStill(deps, request, 'code:write', project.id),
    mayForce: () => request.may('code:force', { on: 'project', owner: project.ownerName, name: project.name }),
  };
}

async function getProject(deps: GitRoutesDeps, context: Context): Promise<Project> {
  const { owner, name } = slugOf(context.req.param());
  const project = await deps.unitOfWork.read.projects.findBySlug(owner, name);
  if (!project)
    throw new GantryError(
      'PROJECT_NOT_FOUND',
      `Cannot find project ${owner}/${name}: there is none, or you may not see it`,
    );
  await deps.folders.ensure(project);
  return project;
}

/** Asks again, of the project as it is called now: a rename takes no rights away. */
async function mayStill(
  deps: Pick<GitRoutesDeps, 'unitOfWork'>,
  request: RequestContext,
  action: 'code:read' | 'code:write',
  projectId: number,
): Promise<boolean> {
  const project = await deps.unitOfWork.read.projects.find(projectId);
  return project !== undefined && request.may(action, { on: 'project', owner: project.ownerName, name: project.name });
}

/** The service stands in path, content type and (for references) query: they must say the same. */
function requireContentType(context: Context, service: string): void {
  const type = context.req.header('content-type');
  if (type !== `application/x-${service}-request`)
    throw new GantryError('GIT_REQUEST_INVALID', `Cannot serve ${service}: the request's content type is not its own`);
}

function answer(contentType: string, body: Buffer | ReadableStream<Uint8Array>): Response {
  return new Response((body instanceof Buffer ? new Uint8Array(body) : body) as BodyInit, {
    headers: { 'content-type': contentType, 'cache-control': 'no-cache, max-age=0, must-revalidate' },
  });
}
