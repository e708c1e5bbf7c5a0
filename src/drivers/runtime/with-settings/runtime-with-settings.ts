import { createHash } from 'node:crypto';
import type { RegistryCredentials } from '../../../core/image.ts';
import { type ImageRule, rewriteImage } from '../../../core/image-rule.ts';
import type {
  ImageWish,
  JobSpec,
  PortAnswers,
  PortWait,
  ReleaseSpec,
  RunningStep,
  Runtime,
  RuntimeJob,
  RuntimeProbe,
  StagedStep,
  StageSpec,
  StepResults,
} from '../runtime.ts';

/** What an installation says of every step, whatever it runs on. */
export interface RuntimeSettings {
  /** Variables that win over an image's own, and lose to what the pipeline file sets. */
  readonly environment: Readonly<Record<string, string>>;
  /** Parts of these values that are secret: such a variable travels as a secret does. */
  readonly secrets: readonly string[];
  readonly images: readonly ImageRule[];
  /** For pulls of images that a rule rewrote. */
  readonly registries: readonly RegistryCredentials[];
}

/**
 * A runtime under the settings of the installation: images are pulled as its rules say, and steps get its variables. The
 * plan keeps the written name, so that conditions, limits of secrets and pages go by that.
 */
export class RuntimeWithSettings implements Runtime {
  readonly #runtime: Runtime;
  readonly #settings: RuntimeSettings;

  constructor(runtime: Runtime, settings: RuntimeSettings) {
    this.#runtime = runtime;
    this.#settings = settings;
  }

  get name(): string {
    return this.#runtime.name;
  }

  get keepsCaches(): boolean | undefined {
    return this.#runtime.keepsCaches;
  }

  /** What the installation adds to steps is part of what decides about their results. */
  get results(): StepResults | undefined {
    const { results } = this.#runtime;
    if (!results) return undefined;
    const { environment } = this.#settings;
    return {
      surroundings: createHash('sha256')
        .update(
          JSON.stringify([
            results.surroundings,
            Object.entries(environment).toSorted(([left], [right]) => (left < right ? -1 : 1)),
          ]),
        )
        .digest('hex'),
      findHindrance: async () => results.findHindrance?.(),
      digestOf: (wish) => results.digestOf(this.#rewritten(wish)),
      find: (access, key) => results.find(access, key),
      latest: (access, label) => results.latest(access, label),
      forget: (access, key) => results.forget(access, key),
    };
  }

  async fetchImage(wish: ImageWish): Promise<void> {
    await this.#runtime.fetchImage?.(this.#rewritten(wish));
  }

  probe(): Promise<RuntimeProbe> {
    return this.#runtime.probe();
  }

  async prepare(job: JobSpec): Promise<RuntimeJob> {
    return new JobWithSettings(await this.#runtime.prepare(job), this.#settings);
  }

  reap(): Promise<readonly string[]> {
    return this.#runtime.reap();
  }

  close(): Promise<void> {
    return this.#runtime.close();
  }

  #rewritten(wish: ImageWish): ImageWish {
    const { images, registries } = this.#settings;
    const found = rewriteImage(wish.image, images);
    if (!found) return wish;
    return { ...wish, image: found.reference, credentials: [...(wish.credentials ?? []), ...registries] };
  }
}

class JobWithSettings implements RuntimeJob {
  readonly #job: RuntimeJob;
  readonly #settings: RuntimeSettings;

  constructor(job: RuntimeJob, settings: RuntimeSettings) {
    this.#job = job;
    this.#settings = { ...settings, environment: withoutProxyFor(job.spec.hostNames ?? [], settings.environment) };
  }

  get spec(): JobSpec {
    return this.#job.spec;
  }

  async stage(step: StageSpec): Promise<StagedStep> {
    const staged = await this.#job.stage(step.kind === 'clone' ? step : this.#rewritten(step));
    return new StepWithSettings(staged, this.#settings);
  }

  waitForPorts(wait: PortWait): Promise<PortAnswers> {
    return this.#job.waitForPorts(wait);
  }

  get runProgram(): RuntimeJob['runProgram'] {
    const job = this.#job;
    if (!job.runProgram) return undefined;
    return (run) => {
      const found = rewriteImage(run.image, this.#settings.images);
      const credentials = [...(run.credentials ?? []), ...this.#settings.registries];
      return job.runProgram!(found ? { ...run, image: found.reference, credentials } : run);
    };
  }

  destroy(): Promise<void> {
    return this.#job.destroy();
  }

  #rewritten(step: StageSpec): StageSpec {
    const { images, registries } = this.#settings;
    const found = rewriteImage(step.image, images);
    if (!found) return step;
    step.progress?.(`image ${step.image} → ${found.reference} (rule ${found.rule})`);
    return { ...step, image: found.reference, credentials: [...(step.credentials ?? []), ...registries] };
  }
}

class StepWithSettings implements StagedStep {
  readonly #staged: StagedStep;
  readonly #settings: RuntimeSettings;

  constructor(staged: StagedStep, settings: RuntimeSettings) {
    this.#staged = staged;
    this.#settings = settings;
  }

  get ports(): StagedStep['ports'] {
    return this.#staged.ports;
  }

  release(release: ReleaseSpec): RunningStep {
    // HTTP_PROXY is http_proxy to most tools: who sets the one means the other too.
    const given = Object.entries(this.#settings.environment);
    if (given.length === 0) return this.#staged.release(release);
    const own = new Set([...Object.keys(release.environment), ...Object.keys(release.secrets)].map(lowerCase));
    const ours = given.filter(([name]) => !own.has(lowerCase(name)));
    const isSecret = ([, value]: [string, string]): boolean =>
      this.#settings.secrets.some((secret) => value.includes(secret));
    return this.#staged.release({
      ...release,
      environment: {
        ...Object.fromEntries(ours.filter((entry) => !isSecret(entry))),
        ...release.environment,
      },
      secrets: { ...Object.fromEntries(ours.filter(isSecret)), ...release.secrets },
    });
  }

  discard(): Promise<void> {
    return this.#staged.discard();
  }
}

/** The job's own services are not behind the proxy. */
function withoutProxyFor(
  hostNames: readonly string[],
  environment: RuntimeSettings['environment'],
): RuntimeSettings['environment'] {
  if (hostNames.length === 0) return environment;
  return Object.fromEntries(
    Object.entries(environment).map(([name, value]) => [
      name,
      lowerCase(name) === 'no_proxy' ? [value, ...hostNames].join(',') : value,
    ]),
  );
}

function lowerCase(name: string): string {
  return name.toLowerCase();
}
