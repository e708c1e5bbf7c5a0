import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Hono } from 'hono';
import { type OperationId, operations } from '../../src/api/operations.ts';
import { hashOfCredential, newCredential } from '../../src/core/credential.ts';
import { GantryError } from '../../src/core/errors.ts';
import type { LogBus, LogPiece } from '../../src/core/events.ts';
import type { GitLoginVault } from '../../src/core/git-login.ts';
import type { Role, Scope } from '../../src/core/permission.ts';
import type { Person } from '../../src/core/person.ts';
import type { Project } from '../../src/core/project.ts';
import type { SecretVault } from '../../src/core/secret-vault.ts';
import type { Visibility } from '../../src/core/visibility.ts';
import { accountsFeature, createPasswords, createTokenFor } from '../../src/features/accounts/index.ts';
import type { Feature, OperationHandlers, RawRoute } from '../../src/features/feature.ts';
import { secretsFeature } from '../../src/features/secrets/index.ts';
import { settingsFeature } from '../../src/features/settings/index.ts';
import type { Clock } from '../../src/lib/clock.ts';
import { jsonLogger } from '../../src/lib/logger.ts';
import type { ServerEnv } from '../../src/server/incoming.ts';
import { createServer, type ServerDeps } from '../../src/server/server.ts';
import { openStore, type Store, type StoreLocation } from '../../src/store/open-store.ts';

/** A clock that stands until it is told to go on. */
export interface HeldClock extends Clock {
  advance(ms: number): void;
}

export function heldClock(start = new Date('2026-11-25T12:00:00.000Z')): HeldClock {
  let passedMs = 0;
  return {
    now: () => new Date(start.getTime() + passedMs),
    monotonicMs: () => passedMs,
    advance(ms) {
      passedMs += ms;
    },
  };
}

/** Live output that a test writes by hand. */
export class HandLogBus implements LogBus {
  readonly #listeners = new Map<number, Set<(piece: LogPiece) => void>>();

  subscribe(stepId: number, listener: (piece: LogPiece) => void): () => void {
    const present = this.#listeners.get(stepId) ?? new Set();
    this.#listeners.set(stepId, present.add(listener));
    return () => void present.delete(listener);
  }

  publish(piece: LogPiece): void {
    for (const listener of this.#listeners.get(piece.stepId) ?? []) listener(piece);
  }

  countOf(stepId: number): number {
    return this.#listeners.get(stepId)?.size ?? 0;
  }
}

export interface ServerWorld {
  readonly app: Hono<ServerEnv>;
  readonly store: Store;
  readonly clock: HeldClock;
  readonly logs: HandLogBus;
  readonly vault: SecretVault & GitLoginVault;
  readonly keyFilePath: string;
  /** Every line that the server logged. */
  readonly lines: string[];
  /** Begins to stop the server. */
  readonly stopping: AbortController;
  /** Ids of the operations that the probe was reached with. */
  readonly reached: OperationId[];
  request(path: string, init?: RequestInit & { readonly from?: string }): Promise<Response>;
  json(path: string, init?: RequestInit): Promise<Record<string, unknown>>;
  person(name: string, options?: { readonly isSiteAdmin?: boolean; readonly password?: string }): Promise<Person>;
  project(owner: string, name: string, options?: { readonly visibility?: Visibility }): Promise<Project>;
  organisation(name: string): Promise<number>;
  setRole(project: Project, person: Person, role: Role | undefined): Promise<void>;
  token(person: Person, scopes?: readonly Scope[], projects?: readonly Project[]): Promise<string>;
  /** The cookie of a session made in the database, without the cost of a password. */
  session(person: Person): Promise<string>;
  close(): Promise<void>;
}

export const bearer = (token: string): Record<string, string> => ({ Authorization: `Bearer ${token}` });
export const basic = (token: string, name = 'x'): Record<string, string> => ({
  Authorization: `Basic ${Buffer.from(`${name}:${token}`).toString('base64')}`,
});
export const cookie = (session: string, name = 'gantry'): Record<string, string> => ({ Cookie: `${name}=${session}` });
export const jsonBody = (body: unknown): RequestInit => ({
  body: JSON.stringify(body),
  headers: { 'Content-Type': 'application/json' },
});

/**
 * The server with its real store, accounts and secrets. Operations of other features are answered by a probe: it refuses
 * with SERVER_BUSY, which nothing else here does, so that a test sees whether the shell let a request through.
 */
export async function openServerWorld(
  options: {
    readonly location?: StoreLocation;
    readonly keyFilePath?: string;
    readonly clock?: HeldClock;
    readonly config?: Partial<ServerDeps['config']>;
    readonly uiFolder?: string;
    readonly routes?: readonly RawRoute[] | ((store: Store) => readonly RawRoute[]);
    readonly handlers?: OperationHandlers;
    /** The probe answers every operation: what a test asks is who may, not what happens. */
    readonly isProbeOnly?: boolean;
    readonly findJob?: ServerDeps['findJob'];
  } = {},
): Promise<ServerWorld> {
  const clock = options.clock ?? heldClock();
  const lines: string[] = [];
  const logger = jsonLogger('debug', (line) => void lines.push(line));
  // Made only where it is needed: a process that is killed leaves nothing of its own behind.
  const folder = options.keyFilePath === undefined ? mkdtempSync(join(tmpdir(), 'gantry-server-')) : undefined;
  const keyFilePath = options.keyFilePath ?? join(folder ?? '', 'keys', 'key');
  const store = await openStore(options.location ?? { kind: 'memory' }, { clock, logger });
  const config = { publicUrl: 'http://gantry.test', trustedProxies: [], version: '0.0.0-test', ...options.config };
  const passwords = createPasswords({ logN: 4, blockSize: 1, parallelism: 1 });
  const accounts = accountsFeature({ store, clock, passwords, publicUrl: config.publicUrl, version: config.version });
  const secrets = secretsFeature({ store, clock, keyFilePath });

  const reached: OperationId[] = [];
  const given = options.handlers ?? {};
  const real: readonly Feature[] = options.isProbeOnly ? [] : [accounts, secrets, settingsFeature({ store, clock })];
  const known = new Set(real.flatMap((feature) => Object.keys(feature.operations ?? {})));
  const probe: Feature = {
    name: 'probe',
    operations: Object.fromEntries(
      (Object.keys(operations) as OperationId[])
        .filter((id) => !known.has(id) && !(id in given))
        .map((id) => [
          id,
          async () => {
            reached.push(id);
            throw new GantryError('SERVER_BUSY', `Cannot do ${id}: this is the probe`);
          },
        ]),
    ),
    routes: typeof options.routes === 'function' ? options.routes(store) : (options.routes ?? []),
  };

  const logs = new HandLogBus();
  const stopping = new AbortController();
  async function close(): Promise<void> {
    stopping.abort();
    await store.close();
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  }
  let app: ServerWorld['app'];
  try {
    await secrets.start?.();
    app = createServer({
      features: [...real, probe, { name: 'given', operations: given }],
      findJob: options.findJob ?? (() => undefined),
      store,
      happenings: store.happenings,
      logs,
      config,
      clock,
      logger,
      uiFolder: options.uiFolder,
      stopping: stopping.signal,
    });
  } catch (error) {
    await close();
    throw error;
  }

  const world: ServerWorld = {
    app,
    store,
    clock,
    logs,
    vault: secrets.vault,
    keyFilePath,
    lines,
    stopping,
    reached,
    async request(path, init = {}) {
      const { from, ...rest } = init;
      const headers = new Headers(rest.headers);
      if (!headers.has('host')) headers.set('host', 'gantry.test');
      return app.request(
        `http://gantry.test${path}`,
        { ...rest, headers },
        { incoming: { socket: { remoteAddress: from ?? '192.0.2.1' } } },
      );
    },
    async json(path, init) {
      return (await (await world.request(path, init)).json()) as Record<string, unknown>;
    },
    async person(name, { isSiteAdmin = false, password } = {}) {
      const passwordHash = password === undefined ? '-' : await passwords.hash(password);
      return store.write((stores) =>
        stores.people.create({
          name,
          displayName: '',
          email: `${name}@example.org`,
          isSiteAdmin,
          passwordHash,
          createdAt: clock.now(),
        }),
      );
    },
    async project(owner, name, { visibility = 'private' } = {}) {
      return store.write(async (stores) => {
        const found = (await stores.people.findByName(owner)) ?? (await stores.organisations.findByName(owner));
        const project = await stores.projects.create({
          ownerId: found!.id,
          name,
          description: '',
          visibility,
          defaultBranch: 'main',
          protectedRefs: [],
          stepTimeoutMs: 3_600_000,
          createdAt: clock.now(),
        });
        await stores.happenings.append(
          [{ type: 'project-created', projectId: project.id, slug: `${owner}/${name}` }],
          clock.now(),
        );
        return project;
      });
    },
    async organisation(name) {
      return store.write(
        async (stores) => (await stores.organisations.create({ name, displayName: '', createdAt: clock.now() })).id,
      );
    },
    async setRole(project, person, role) {
      await store.write(async (stores) => {
        await stores.projects.setRole(project.id, person.id, role);
        await stores.happenings.append([{ type: 'members-changed', projectId: project.id }], clock.now());
      });
    },
    async token(person, scopes = ['*'], projects) {
      const projectIds = projects?.map(({ id }) => id);
      return (await createTokenFor({ store, clock }, person, { name: 'test', scopes, projectIds, expiresInDays: 90 }))
        .secret;
    },
    async session(person) {
      const secret = newCredential('ses');
      await store.write((stores) =>
        stores.sessions.create({
          id: `ses_${Math.round(performance.now() * 1_000)}_${person.id}`,
          personId: person.id,
          createdAt: clock.now(),
          lastUsedAt: clock.now(),
          expiresAt: new Date(clock.now().getTime() + 30 * 24 * 3_600_000),
          userAgent: 'test',
          remoteAddress: '192.0.2.1',
          sha256: hashOfCredential(secret),
        }),
      );
      return secret;
    },
    close,
  };
  return world;
}
