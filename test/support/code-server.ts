import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createAdaptorServer } from '@hono/node-server';
import { type Context, Hono } from 'hono';
import { GantryError } from '../../src/core/errors.ts';
import type { Event, PushIntent } from '../../src/core/event.ts';
import { type Actor, can } from '../../src/core/permission.ts';
import type { Person } from '../../src/core/person.ts';
import type { Project } from '../../src/core/project.ts';
import { type CodeFeature, type CodeFeatureDeps, codeFeature } from '../../src/features/code/index.ts';
import type { RequestContext, ResourceName } from '../../src/features/feature.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { jsonLogger, type Logger } from '../../src/lib/logger.ts';
import { httpStatus } from '../../src/server/problem.ts';
import { openStore, type Store, type StoreLocation } from '../../src/store/open-store.ts';

/** Projects and git of a Gantry, alone on a small HTTP server. Passwords are the names; rights are the real ones. */
export interface CodeServer {
  readonly url: string;
  readonly port: number;
  readonly store: Store;
  readonly feature: CodeFeature;
  readonly dataFolder: string;
  readonly lines: string[];
  readonly stop: () => Promise<void>;
}

export async function startCodeServer(
  options: {
    readonly dataFolder?: string;
    readonly location?: StoreLocation;
    readonly port?: number;
    readonly deps?: Partial<CodeFeatureDeps>;
  } = {},
): Promise<CodeServer> {
  const lines: string[] = [];
  const logger: Logger = jsonLogger('debug', (line) => void lines.push(line));
  const dataFolder = options.dataFolder ?? (await mkdtemp(join(tmpdir(), 'gantry-code-')));
  const store = await openStore(options.location ?? { kind: 'memory' }, { clock: systemClock, logger });
  let url = '';
  const publicUrl = (): string => url;
  const feature = codeFeature({
    unitOfWork: store,
    happenings: store.happenings,
    clock: systemClock,
    logger,
    dataFolder,
    publicUrl,
    ...options.deps,
  });
  await feature.start?.();
  const server = createAdaptorServer({ fetch: serve(store, feature).fetch });
  server.listen(options.port ?? 0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  url = `http://127.0.0.1:${port}`;
  return {
    url,
    port,
    store,
    feature,
    dataFolder,
    lines,
    async stop() {
      if ('closeAllConnections' in server) server.closeAllConnections();
      server.close();
      await feature.stop?.();
      await store.close();
      if (!options.dataFolder) await rm(dataFolder, { recursive: true, force: true });
    },
  };
}

/** What the database says of a project's pushes: plain data, so that it can be told between processes. */
export interface PushRecord {
  readonly events: readonly Pick<Event, 'key' | 'ref' | 'before' | 'after' | 'personName'>[];
  readonly intents: readonly PushIntent[];
  readonly lastSeen: readonly (readonly [string, string])[];
}

export async function readRecord(store: Store, projectId: number): Promise<PushRecord> {
  const { events } = store.read;
  return {
    events: (await events.listByProject(projectId, 10_000)).toReversed(),
    intents: await events.listIntents(),
    lastSeen: [...(await events.lastSeenRefs(projectId))],
  };
}

export async function addPerson(store: Store, name: string, isSiteAdmin = false): Promise<Person> {
  const at = systemClock.now();
  return store.write((stores) =>
    stores.people.create({ name, displayName: name, email: '', isSiteAdmin, passwordHash: '-', createdAt: at }),
  );
}

export async function addProject(
  store: Store,
  owner: Person,
  name: string,
  more: Partial<Pick<Project, 'visibility' | 'protectedRefs'>> = {},
): Promise<Project> {
  return store.write((stores) =>
    stores.projects.create({
      ownerId: owner.id,
      name,
      description: '',
      visibility: more.visibility ?? 'private',
      defaultBranch: 'main',
      protectedRefs: more.protectedRefs ?? [],
      stepTimeoutMs: 3_600_000,
      createdAt: systemClock.now(),
    }),
  );
}

function serve(store: Store, feature: CodeFeature): Hono {
  const app = new Hono();
  app.onError((error) => {
    if (!(error instanceof GantryError)) return new Response(`${error.stack}\n`, { status: 500 });
    return new Response(`${error.message}\n`, {
      status: httpStatus[error.kind],
      headers: {
        'content-type': 'text/plain; charset=utf-8',
        ...(error.kind === 'unauthenticated' ? { 'www-authenticate': 'Basic realm="Gantry"' } : {}),
      },
    });
  });
  for (const route of feature.routes ?? [])
    app.on(route.method, route.path, async (context) => {
      const request = await requestFor(store, await actorOf(store, context));
      const policy = route.policy({ params: context.req.param(), url: new URL(context.req.url) });
      await request.authorize(policy.action, policy.resource);
      return route.handle(context, request);
    });
  return app;
}

async function actorOf(store: Store, context: Context): Promise<Actor> {
  const basic = /^Basic (.+)$/.exec(context.req.header('authorization') ?? '')?.[1];
  if (basic === undefined) return { kind: 'anonymous' };
  const [name = ''] = Buffer.from(basic, 'base64').toString('utf8').split(':');
  return asPerson(store, name);
}

export async function asPerson(store: Store, name: string): Promise<Actor> {
  const person = await store.read.people.findByName(name);
  if (!person) throw new GantryError('CREDENTIALS_INVALID', `Cannot sign in as ${name}: there is nobody of this name`);
  return { kind: 'person', person, via: 'token', credentialId: 'test', scopes: ['*'] };
}

/** What a handler is given, with the real permission rule behind it. */
export async function requestFor(
  store: Store,
  actor: Actor,
  headers: Map<string, string> = new Map(),
): Promise<RequestContext> {
  const decide = async (
    action: Parameters<typeof can>[1],
    resource: ResourceName,
  ): Promise<GantryError | undefined> => {
    if (resource.on !== 'project') return undefined;
    const project = await store.read.projects.findBySlug(resource.owner, resource.name);
    const notFound = new GantryError('PROJECT_NOT_FOUND', `Cannot find project ${resource.owner}/${resource.name}`);
    const signIn = new GantryError('SIGN_IN_REQUIRED', 'Cannot do this: sign in first');
    if (!project) return actor.kind === 'anonymous' ? signIn : notFound;
    const role = actor.kind === 'person' ? await store.read.projects.roleOf(project.id, actor.person.id) : undefined;
    const decision = can(actor, action, {
      on: 'project',
      id: project.id,
      slug: `${project.ownerName}/${project.name}`,
      visibility: project.visibility,
      isArchived: project.archivedAt !== undefined,
      role,
    });
    if (decision.allowed) return undefined;
    if (actor.kind === 'anonymous') return signIn;
    if (decision.because === 'invisible') return notFound;
    if (decision.because === 'archived')
      return new GantryError('PROJECT_ARCHIVED', 'Cannot push: the project is archived');
    return new GantryError('ACCESS_DENIED', `Cannot do this: it needs ${decision.needs}`);
  };
  return {
    actor,
    requestId: 'req_test',
    remoteAddress: '127.0.0.1',
    userAgent: 'test',
    language: 'en',
    idempotencyKey: undefined,
    async authorize(action, resource) {
      const refusal = await decide(action, resource);
      if (refusal) throw refusal;
    },
    may: async (action, resource) => (await decide(action, resource)) === undefined,
    noteRefusal: async () => {},
    setHeader: (name, value) => void headers.set(name.toLowerCase(), value),
  };
}

export interface GitRun {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** The real git client, with nothing of the tester's own configuration. */
export function gitClient(args: readonly string[], cwd: string, more: Record<string, string> = {}): Promise<GitRun> {
  const { promise, resolve } = Promise.withResolvers<GitRun>();
  execFile(
    'git',
    ['-c', 'protocol.version=2', '-c', 'init.defaultBranch=main', '-c', 'gc.auto=0', ...args],
    {
      cwd,
      maxBuffer: 64 * 2 ** 20,
      env: {
        PATH: '/usr/local/bin:/usr/bin:/bin',
        HOME: '/nonexistent',
        LC_ALL: 'C.UTF-8',
        GIT_CONFIG_NOSYSTEM: '1',
        GIT_CONFIG_GLOBAL: '/dev/null',
        GIT_TERMINAL_PROMPT: '0',
        GIT_AUTHOR_NAME: 'Mei',
        GIT_AUTHOR_EMAIL: 'mei@example.org',
        GIT_COMMITTER_NAME: 'Mei',
        GIT_COMMITTER_EMAIL: 'mei@example.org',
        ...more,
      },
    },
    (error, stdout, stderr) =>
      resolve({ exitCode: error ? (typeof error.code === 'number' ? error.code : 1) : 0, stdout, stderr }),
  );
  return promise;
}

/** As `gitClient`, for what must work. Answers its output without the end of line. */
export async function mustGit(
  args: readonly string[],
  cwd: string,
  more: Record<string, string> = {},
): Promise<string> {
  const run = await gitClient(args, cwd, more);
  if (run.exitCode !== 0) throw new Error(`git ${args.join(' ')} ended with ${run.exitCode}: ${run.stderr}`);
  return run.stdout.trim();
}

/** Writes an object as its bytes are, whatever git thinks of them. Answers its id. */
export async function hashObject(tree: string, kind: string, bytes: Buffer): Promise<string> {
  const path = join(tree, '.git', `object-${bytes.length}-${kind}`);
  await writeFile(path, bytes);
  return mustGit(['hash-object', '-t', kind, '-w', '--literally', path], tree);
}
