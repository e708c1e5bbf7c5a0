import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { GantryError } from '../../src/core/errors.ts';
import { type Event, eventKinds } from '../../src/core/event.ts';
import type { RegistryCredentials } from '../../src/core/image.ts';
import type { Person } from '../../src/core/person.ts';
import { isFinished, type Pipeline, type Step } from '../../src/core/pipeline.ts';
import type { Project } from '../../src/core/project.ts';
import { type PullRequestFacts, pullRequestRef } from '../../src/core/pull-request.ts';
import type { PullRequestOrigin } from '../../src/core/pull-request-origin.ts';
import type { RuntimePolicy } from '../../src/core/runtime-choice.ts';
import type { SecretLimits } from '../../src/core/secret-record.ts';
import type { SecretVault } from '../../src/core/secret-vault.ts';
import type { UnitOfWork } from '../../src/core/unit-of-work.ts';
import { FilesystemLogs } from '../../src/drivers/logs/filesystem/filesystem-logs.ts';
import { compilePipeline } from '../../src/engine/compile.ts';
import { openValue } from '../../src/engine/encrypted-value.ts';
import { lintPipelineFile } from '../../src/engine/lint.ts';
import { resolveFiles } from '../../src/engine/resolve-files.ts';
import type { ToRunner, ToServer } from '../../src/engine/runner-protocol.ts';
import { refusalOfOrigin, refusalToPipeline, refusalToStep } from '../../src/engine/secret-limits.ts';
import type { RequestContext } from '../../src/features/feature.ts';
import { type PipelinesConfig, type PipelinesFeature, pipelinesFeature } from '../../src/features/pipelines/index.ts';
import { type Logger, silentLogger } from '../../src/lib/logger.ts';
import { pairedConnection } from '../../src/lib/paired-connection.ts';
import { VirtualClock } from '../../src/lib/virtual-clock.ts';
import { openStore, type Store } from '../../src/store/open-store.ts';
import { requestOf } from './request-of.ts';
import { ScriptedRunner } from './scripted-runner.ts';
import { createPerson, createProject } from './store-world.ts';

const headCommit = 'c'.repeat(40);
export const noCommit = '0'.repeat(40);

/** A Gantry without git and without processes: the real store and features, a clock that is held, scripted runners. */
export class PipelinesWorld {
  readonly clock = new VirtualClock();
  readonly store: Store;
  readonly person: Person;
  readonly project: Project;
  /** The files at every commit of a project; by its id. */
  readonly files = new Map<number, Record<string, string>>();
  readonly secrets = new Map<string, string>();
  /** Of those secrets that are not given to everybody. */
  readonly secretLimits = new Map<string, Partial<SecretLimits>>();
  /** Keys of the project that values in its files are encrypted with. */
  fileKeys: readonly string[] = [];
  readonly registries: RegistryCredentials[] = [];
  /** Of those logins that are not for every pull request. */
  readonly loginOrigins = new Map<string, PullRequestOrigin>();
  /** What the installation says; may be changed. */
  readonly installation: { runtime?: RuntimePolicy; privilegedImages?: readonly string[] } = {};
  readonly logs: FilesystemLogs;
  readonly compiled: string[] = [];
  /** What the compiler dies of. */
  compileFailure: Error | undefined;
  feature: PipelinesFeature;
  readonly #folder: string;
  readonly #config: Partial<PipelinesConfig>;
  readonly #logger: Logger;
  #pushes = 0;
  #life = { isOver: false };

  private constructor(parts: {
    store: Store;
    person: Person;
    project: Project;
    folder: string;
    config: Partial<PipelinesConfig>;
    clock: VirtualClock;
    logger: Logger;
  }) {
    this.clock = parts.clock;
    this.store = parts.store;
    this.person = parts.person;
    this.project = parts.project;
    this.#folder = parts.folder;
    this.#config = parts.config;
    this.#logger = parts.logger;
    this.logs = new FilesystemLogs(parts.folder);
    this.feature = this.#makeFeature();
  }

  static async create(
    file: string | undefined,
    config: Partial<PipelinesConfig> = {},
    logger: Logger = silentLogger,
  ): Promise<PipelinesWorld> {
    const clock = new VirtualClock();
    const store = await openStore({ kind: 'memory' }, { clock, logger });
    const person = await createPerson(store, 'mei');
    const project = await createProject(store, person.id, 'shop');
    const folder = await mkdtemp(join(tmpdir(), 'gantry-pipelines-'));
    const world = new PipelinesWorld({ store, person, project, folder, config, clock, logger });
    if (file !== undefined) world.files.set(project.id, { '.drone.yml': file });
    await world.feature.start();
    return world;
  }

  /** A further project of the same person. */
  async addProject(name: string, file: string): Promise<Project> {
    const project = await createProject(this.store, this.person.id, name);
    this.files.set(project.id, { '.drone.yml': file });
    return project;
  }

  connect(runner: ScriptedRunner): ScriptedRunner {
    const [server, client] = pairedConnection<ToRunner, ToServer>();
    this.feature.acceptRunner(server);
    runner.connect(client);
    return runner;
  }

  /** A push as the code feature tells of it: the event and its happening in one commit. */
  async push(
    options: { project?: Project; ref?: string; after?: string; kind?: 'push' | 'tag'; isSilent?: boolean } = {},
  ): Promise<Event> {
    const project = options.project ?? this.project;
    this.#pushes += 1;
    const push = this.#pushes;
    const ref = options.ref ?? 'refs/heads/main';
    const after = options.after ?? headCommit;
    return this.store.write(async (stores) => {
      const { event } = await stores.events.create({
        projectId: project.id,
        kind: options.kind ?? 'push',
        key: `push:${project.id}:${ref}:${push}`,
        ref,
        before: noCommit,
        after,
        personName: this.person.name,
        personId: this.person.id,
        parameters: {},
        createdAt: this.clock.now(),
      });
      if (!options.isSilent)
        await stores.happenings.append(
          [{ type: 'push-received', projectId: project.id, eventId: event.id, ref, after }],
          this.clock.now(),
        );
      return event;
    });
  }

  /** A pull request that somebody opened, of a branch of the project itself or of a stranger's fork, and its event. */
  async pullRequest({ isFork }: { readonly isFork: boolean }): Promise<Event> {
    const { id: projectId, name } = this.project;
    const source = isFork
      ? await createProject(this.store, (await createPerson(this.store, 'ann')).id, name)
      : this.project;
    const author = isFork ? 'ann' : this.person.name;
    return this.store.write(async (stores) => {
      const number = await stores.pullRequests.nextNumber(projectId);
      const named = { title: 'Mend it', sourceBranch: 'mend', targetBranch: 'main', authorName: author };
      const [head, createdAt] = [headCommit, this.clock.now()];
      const opened = { ...named, projectId, number, sourceProjectId: source.id, head, authorId: undefined, createdAt };
      await stores.pullRequests.create(opened);
      const facts = { source: `${author}/${name}`, isFork, isOutsider: isFork, action: 'opened' } as const;
      const pullRequest: PullRequestFacts = { ...named, number, ...facts };
      const { event } = await stores.events.create({
        projectId,
        kind: 'pull_request',
        key: `pull-request:${projectId}:${number}:1`,
        ref: pullRequestRef(number),
        before: noCommit,
        after: headCommit,
        personName: author,
        parameters: {},
        pullRequest,
        ...(isFork ? { trust: 'untrusted' } : {}),
        createdAt,
      });
      return event;
    });
  }

  /** The pipeline that came of the event. */
  async planned(event: Event): Promise<Pipeline> {
    const { pipeline } = await this.feature.planNow(event.id);
    if (!pipeline) throw new Error(`Event ${event.id} has no pipeline`);
    return pipeline;
  }

  async pushed(options: Parameters<PipelinesWorld['push']>[0] = {}): Promise<Pipeline> {
    return this.planned(await this.push(options));
  }

  /** Resolves when the pipeline has the status; told by its happenings, not by asking again and again. */
  async until(
    pipeline: Pipeline,
    isIt: (now: Pipeline) => boolean = (now) => isFinished(now.status),
  ): Promise<Pipeline> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        this.store.read.pipelines.find(pipeline.id).then((now) => {
          if (!now || !isIt(now)) return;
          leave();
          resolve(now);
        }, reject);
      };
      // Heard first and looked afterwards, so that nothing falls between the two.
      const leave = this.store.happenings.subscribe(({ happening }) => {
        if ('pipelineId' in happening && happening.pipelineId === pipeline.id) look();
      });
      look();
    });
  }

  async steps(pipeline: Pipeline): Promise<Record<string, string>> {
    const workflows = await this.store.read.pipelines.workflows(pipeline.id);
    const steps = await this.store.read.pipelines.steps(pipeline.id);
    const named = workflows.flatMap((workflow) =>
      steps
        .filter(({ workflowId, attempt }) => workflowId === workflow.id && attempt === workflow.attempt)
        .map((step): [string, string] => [
          workflows.length > 1 ? `${workflow.name}/${step.name}` : step.name,
          step.status,
        ]),
    );
    return Object.fromEntries(named);
  }

  async step(pipeline: Pipeline, name: string): Promise<Step> {
    const steps = await this.store.read.pipelines.steps(pipeline.id);
    const found = steps.findLast((step) => step.name === name);
    if (!found) throw new Error(`Pipeline ${pipeline.id} has no step ${name}`);
    return found;
  }

  async log(step: Step): Promise<string> {
    return (await this.logs.read(step.id, 0, 1_000_000))?.toString('utf8') ?? '';
  }

  /** What a handler may know of a request by the person of this world. */
  request(more: Partial<RequestContext> = {}): RequestContext {
    return requestOf(this.person, more);
  }

  get path(): { readonly owner: string; readonly project: string } {
    return { owner: this.person.name, project: this.project.name };
  }

  /** The server dies without a word, and another one starts on the same record. */
  async restart(): Promise<void> {
    const dead = this.feature;
    this.feature = this.#makeFeature();
    await dead.stop();
    await this.feature.start();
  }

  /** As a crash: what the server had in memory is gone, and what it was about to say is never said. */
  abandon(): void {
    this.#life.isOver = true;
    this.feature = this.#makeFeature();
  }

  async close(): Promise<void> {
    await this.feature.stop();
    await this.store.close();
    await rm(this.#folder, { recursive: true, force: true });
  }

  limitsOf(secret: string): SecretLimits {
    const none = {
      events: eventKinds,
      pullRequests: 'forks',
      branches: [],
      images: [],
      isForPluginsOnly: false,
    } as const;
    return { ...none, ...this.secretLimits.get(secret) };
  }

  #originOf(registry: string): PullRequestOrigin {
    return this.loginOrigins.get(registry) ?? 'forks';
  }

  #makeFeature(): PipelinesFeature {
    const life = { isOver: false };
    this.#life = life;
    const dead = new Promise<never>(() => {});
    const unitOfWork: UnitOfWork = {
      read: this.store.read,
      write: (work) => (life.isOver ? dead : this.store.write(work)),
    };
    const vault: SecretVault = {
      list: () => Promise.resolve([...this.secrets.keys()].map((name) => ({ name, ...this.limitsOf(name) }))),
      reveal: (_, use) => {
        const given = [...this.secrets].filter(([name]) => !refusalToPipeline(this.limitsOf(name), use));
        return Promise.resolve({
          forStep: (step) => new Map(given.filter(([name]) => !refusalToStep(this.limitsOf(name), step))),
        });
      },
      keyFor: (purpose) => Buffer.from(purpose),
      signingKey: () => Promise.resolve(undefined),
      importedKey: () => Promise.resolve(undefined),
      openEncrypted: (_, texts) => Promise.resolve(texts.map((text) => openValue(text, this.fileKeys))),
      listLogins: () =>
        Promise.resolve(this.registries.map(({ registry }) => ({ registry, pullRequests: this.#originOf(registry) }))),
      maskValues: () => Promise.resolve([...this.secrets.values()]),
      registries: (_, use) =>
        Promise.resolve(this.registries.filter(({ registry }) => !refusalOfOrigin(this.#originOf(registry), use))),
    };
    return pipelinesFeature({
      installation: this.installation,
      unitOfWork,
      happenings: {
        subscribe: (listener) =>
          this.store.happenings.subscribe((happening) => {
            if (!life.isOver) listener(happening);
          }),
      },
      repository: {
        resolve: (_, revision) =>
          Promise.resolve(
            revision === 'main' || revision === 'refs/heads/main'
              ? { commit: headCommit, ref: 'refs/heads/main' }
              : revision === headCommit
                ? { commit: headCommit }
                : undefined,
          ),
        listFolder: (projectId, _, path) => {
          const inside = Object.keys(this.files.get(projectId) ?? {}).filter((file) => file.startsWith(`${path}/`));
          const entries = inside.map((file) => file.slice(path.length + 1)).filter((name) => !name.includes('/'));
          return Promise.resolve(entries.map((name) => ({ name, kind: 'file', mode: '100644', object: name })));
        },
        changedPaths: () => Promise.resolve(undefined),
        diffOf: () => Promise.resolve(undefined),
        mergeBase: () => Promise.resolve(undefined),
        commit: (_, id) =>
          Promise.resolve({
            id,
            parents: [],
            tree: '',
            authorName: 'Mei',
            authorEmail: 'mei@example.org',
            authoredAt: this.clock.now(),
            committerName: 'Mei',
            committedAt: this.clock.now(),
            message: 'fix: totals\n\nMore.',
          }),
        readFile: (projectId, _, path, limitBytes = 1_048_576) => {
          const text = this.files.get(projectId)?.[path];
          if (text === undefined) return Promise.resolve(undefined);
          const bytes = Buffer.from(text);
          if (bytes.length > limitBytes)
            return Promise.reject(new GantryError('REQUEST_TOO_LARGE', `Cannot read ${path}: it is too large`));
          return Promise.resolve({ blob: 'b', sizeBytes: bytes.length, bytes });
        },
        folder: (projectId) => `/repositories/${projectId}.git`,
      },
      compiler: {
        compile: (input) => {
          this.compiled.push(`${input.project.name}#${input.pipeline.number}`);
          return this.compileFailure ? Promise.reject(this.compileFailure) : Promise.resolve(compilePipeline(input));
        },
        lint: (path, text, facts) => Promise.resolve(lintPipelineFile(path, text, facts)),
        resolve: (input) => Promise.resolve({ files: resolveFiles(input) }),
      },
      secrets: vault,
      logs: this.logs,
      clock: this.clock,
      timers: {
        after: (delayMs, work) =>
          this.clock.after(delayMs, () => {
            if (!life.isOver) work();
          }),
      },
      logger: this.#logger,
      publicUrl: () => 'http://gantry.test',
      config: this.#config,
    });
  }
}

/** A Drone 1.x document: steps in a chain, unless they say what they depend on. */
export function droneFile(
  workflows: Readonly<Record<string, Readonly<Record<string, Record<string, unknown>>>>>,
  more: Readonly<Record<string, Record<string, unknown>>> = {},
): string {
  return Object.entries(workflows)
    .map(([name, steps]) =>
      JSON.stringify({
        kind: 'pipeline',
        type: 'docker',
        name,
        clone: { disable: true },
        ...more[name],
        steps: Object.entries(steps).map(([step, keys]) => ({
          name: step,
          image: 'base/busybox',
          commands: ['true'],
          ...keys,
        })),
      }),
    )
    .join('\n---\n');
}
