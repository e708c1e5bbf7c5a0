import type { Readable } from 'node:stream';
import { GantryError } from '../core/errors.ts';
import type { RegistryCredentials } from '../core/image.ts';
import { type ImageRule, rewriteImage } from '../core/image-rule.ts';
import type { Outcome } from '../core/pipeline.ts';
import type { BuildPlan } from '../core/plan.ts';
import type { PushedImage } from '../core/pushed-image.ts';
import type { Builder, BuildResult, RewrittenBase } from '../drivers/builder/builder.ts';
import type { ReleaseSpec, RunningStep, RuntimeJob, StagedStep, StepLimits } from '../drivers/runtime/runtime.ts';
import { type BuildNetwork, looksForFiles, networkShare } from '../engine/build-network.ts';
import { type BuildRequest, readBuildRequest } from '../engine/build-request.ts';
import type { Clock } from '../lib/clock.ts';
import { readDockerfile } from '../lib/dockerfile.ts';
import type { Timers } from '../lib/timers.ts';
import { contextScript, filesScript, filteredContext, readBuildFiles, scriptEnvironment } from './build-context.ts';
import { askEcrLogin, EcrRefusal } from './ecr-login.ts';
import { readWorkspace, WorkspaceFault } from './read-workspace.ts';

/** What builds images here, and what the installation says of every build. */
export interface BuildPlace {
  readonly builder: Builder;
  readonly images: readonly ImageRule[];
  /** For images that a rule rewrote. */
  readonly registries: readonly RegistryCredentials[];
  /** Arguments that every build has: the proxy, under the names that builders keep out of an image. */
  readonly args: Readonly<Record<string, string>>;
  /** CA bundle and mirrors; absent = the installation has none. */
  readonly network?: BuildNetwork | undefined;
  /** Where AWS is asked for logins, instead of its own address of the region. */
  readonly ecrEndpoint?: string | undefined;
}

export interface BuildStepOptions {
  readonly id: string;
  readonly name: string;
  readonly plan: BuildPlan;
  readonly job: RuntimeJob;
  /** Absent = there is nothing to build with. */
  readonly place: BuildPlace | undefined;
  /** Logins of the project and its organisation. */
  readonly credentials: readonly RegistryCredentials[];
  readonly cacheScope: string;
  /** Nothing that is kept from one build to the next may be touched. */
  readonly isUntrusted: boolean;
  readonly limits: StepLimits;
  readonly clock: Clock;
  readonly timers: Timers;
}

/** Says why in the log; `pushed` is what was pushed all the same. */
type Fail = (message: string, pushed?: readonly PushedImage[]) => Promise<Outcome>;

const noBuilder =
  'Cannot build the image: this installation has nothing to build with. Set GANTRY_BUILDER to the address of a Docker Engine, such as unix:///var/run/docker.sock';

/** A step that builds an image: no container of the job, but a request to the builder with the workspace as its context. */
export class BuildStep implements StagedStep {
  readonly #options: BuildStepOptions;

  constructor(options: BuildStepOptions) {
    this.#options = options;
  }

  release(release: ReleaseSpec): RunningStep {
    const stop = new AbortController();
    const ended = Promise.withResolvers<Outcome>();
    const end = (outcome: Outcome): void => {
      ended.resolve(outcome);
      stop.abort(new Error('The build was ended'));
    };
    const takeBack = this.#options.timers.after(release.timeoutMs, () =>
      end({ kind: 'timed-out', timeoutMs: release.timeoutMs }),
    );
    const outcome = Promise.race([ended.promise, this.#run(release, stop.signal)]).finally(takeBack);
    return { outcome, cancel: (reason) => end({ kind: 'cancelled', reason }) };
  }

  async discard(): Promise<void> {
    // Nothing was begun.
  }

  async #run(release: ReleaseSpec, signal: AbortSignal): Promise<Outcome> {
    const say = (line: string): void | Promise<void> => release.onOutput('stdout', Buffer.from(`${line}\n`));
    const fail: Fail = async (message, pushed) => {
      await release.onOutput('stderr', Buffer.from(`${message}\n`));
      return { kind: 'exited', exitCode: 1, ...(pushed ? { pushed } : {}) };
    };
    try {
      return await this.#build(release, signal, say, fail);
    } catch (error) {
      if (error instanceof WorkspaceFault) return fail(`Cannot build the image: ${error.message}`);
      if (error instanceof EcrRefusal) return fail(error.message);
      const message = error instanceof Error ? error.message : String(error);
      if (!signal.aborted) await release.onOutput('stderr', Buffer.from(`${message}\n`));
      if (error instanceof GantryError && error.kind !== 'unavailable') return { kind: 'cannot-start', message };
      return { kind: 'infrastructure', message };
    }
  }

  async #build(
    release: ReleaseSpec,
    signal: AbortSignal,
    say: (line: string) => void | Promise<void>,
    fail: Fail,
  ): Promise<Outcome> {
    const { clock, place, plan } = this.#options;
    if (!place) {
      await fail(noBuilder);
      return { kind: 'cannot-start', message: noBuilder };
    }
    const variables = { ...release.environment, ...release.secrets };
    const now = clock.now();
    const reading = readBuildRequest(plan, variables, { tagsFile: undefined, now });
    const answer = async (other: Exclude<typeof reading, { kind: 'build' }>): Promise<Outcome> => {
      if (other.kind === 'refused') return fail(other.message);
      await say(other.why);
      return { kind: 'exited', exitCode: 0 };
    };
    if (reading.kind !== 'build') return answer(reading);
    const files = await readBuildFiles(this.#read('files', filesScript, reading.request, release, signal));
    // What the workspace says of tags counts only where the settings say nothing.
    const ecrLogins = await this.#askEcr(reading.request, place, signal);
    const whole = readBuildRequest(plan, variables, { tagsFile: files.tags, now, ecrLogins });
    if (whole.kind !== 'build') return answer(whole);
    const { request } = whole;
    const share = place.network && networkShare(place.network, readDockerfile(files.dockerfile), request);
    for (const remark of [...request.remarks, ...(share?.remarks ?? [])]) await say(remark);
    const platforms = [...new Set(request.platforms)];
    if (platforms.length > 1)
      return fail(`Cannot build for ${platforms.join(' and ')}: the builder makes images for one platform, its own`);
    const written = this.#read('context', contextScript, request, release, signal, files.ignore.wholeFolders);
    return this.#conclude(
      await place.builder.build({
        dockerfile: files.dockerfile,
        dockerfilePath: request.dockerfile,
        context: filteredContext(written, files.ignore),
        target: request.target,
        args: { ...place.args, ...share?.args, ...request.args },
        labels: request.labels,
        platform: platforms[0],
        cacheFrom: request.cacheFrom,
        ignoresCache: request.ignoresCache || this.#options.isUntrusted,
        pull: request.pullsAlways ? 'always' : 'default',
        rewrite: (reference) => rewritten(reference, place, request),
        credentials: [...request.credentials, ...this.#options.credentials],
        secrets: { ...share?.secrets, ...request.secrets },
        ...(place.network ? { baseFiles: { isFor: looksForFiles, files: place.network.files } } : {}),
        cacheScope: this.#options.cacheScope,
        push: request.push,
        onLine: say,
        signal,
      }),
      request,
      say,
      fail,
    );
  }

  async #askEcr(
    { ecr }: BuildRequest,
    { ecrEndpoint: endpoint }: BuildPlace,
    signal: AbortSignal,
  ): Promise<readonly RegistryCredentials[]> {
    const place = { endpoint, clock: this.#options.clock, signal };
    return Promise.all(ecr.map((request) => askEcrLogin(request, place)));
  }

  async #conclude(
    result: BuildResult,
    { push }: BuildRequest,
    say: (line: string) => void | Promise<void>,
    fail: Fail,
  ): Promise<Outcome> {
    if (result.kind === 'failed') return fail(result.message, result.pushed);
    if (push.length === 0) await say(`built ${result.imageId}; nothing is pushed`);
    return { kind: 'exited', exitCode: 0, ...(result.pushed.length > 0 ? { pushed: result.pushed } : {}) };
  }

  #read(
    what: 'files' | 'context',
    script: string,
    request: BuildRequest,
    release: ReleaseSpec,
    signal: AbortSignal,
    excluded: readonly string[] = [],
  ): Readable {
    const { id, job, limits, name } = this.#options;
    return readWorkspace(job, {
      id: `${id}-${what}`,
      name: `${name} (${what})`,
      script,
      environment: { ...scriptEnvironment(request), EXCLUDED: excluded.join('\n') },
      limits,
      timeoutMs: release.timeoutMs,
      signal,
    });
  }
}

/** By the rules of the installation, else by the step's mirror of Docker's registry. */
function rewritten(
  reference: string,
  { images, registries }: BuildPlace,
  { mirrors: [mirror] }: BuildRequest,
): RewrittenBase | undefined {
  const found = rewriteImage(reference, images);
  if (found) return { reference: found.reference, credentials: registries };
  // Composed images are in no registry.
  if (mirror === undefined || /^(?:base|devops)\//.test(reference)) return undefined;
  const first = reference.split('/')[0]!;
  const isElsewhere = reference.includes('/') && (/[.:]/.test(first) || first === 'localhost') && first !== 'docker.io';
  if (isElsewhere) return undefined;
  const path = reference.replace(/^docker\.io\//, '');
  return { reference: `${mirror}/${path.includes('/') ? path : `library/${path}`}`, credentials: [] };
}
