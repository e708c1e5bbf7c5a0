import type { RegistryCredentials } from '../../core/image.ts';
import type { StepPlan } from '../../core/plan.ts';
import type { PipelineUse, RevealedSecrets, SecretVault } from '../../core/secret-vault.ts';
import type { WorkflowState } from '../../engine/advance-state.ts';
import type { Logger } from '../../lib/logger.ts';
import { openFileSecrets } from './file-secrets.ts';
import { endForMissingSecret, needsSecrets } from './missing-secret.ts';
import { type OpenPipeline, type OpenWorkflow, stateOf } from './open-pipelines.ts';

/** Values at the start of a step. */
export interface StartSecrets {
  /** Everything that logs are masked with, whoever may have it. */
  readonly mask: readonly string[];
  /** What the step may have, by name: of a stored secret and one of the file with one name the stored one. */
  forStep(step: Pick<StepPlan, 'image' | 'isPlugin'>): ReadonlyMap<string, string>;
}

/** Secrets that are stored, with all that is to be masked. */
type StoredValues = readonly [revealed: RevealedSecrets, mask: readonly string[]];

/** What pipelines are given of secrets and logins: those that are stored, and those in their files. */
export class PipelineSecrets {
  readonly #secrets: SecretVault;
  readonly #logger: Logger;
  /** Stored ones that were asked for in this tick. */
  readonly #reads = new Map<string, Promise<StoredValues>>();

  constructor({ secrets, logger }: { readonly secrets: SecretVault; readonly logger: Logger }) {
    this.#secrets = secrets;
    this.#logger = logger;
  }

  /** `undefined` when they cannot be had. */
  async forStarts(pipeline: OpenPipeline): Promise<StartSecrets | undefined> {
    const found = await this.#orUndefined('Secrets could not be revealed', pipeline, () =>
      Promise.all([this.#stored(pipeline), openFileSecrets(this.#secrets, pipeline)]),
    );
    if (!found) return undefined;
    const [[revealed, mask], ofFile] = found;
    return {
      mask: ofFile.size === 0 ? mask : [...mask, ...ofFile.values()],
      forStep({ image, isPlugin = false }) {
        const stored = revealed.forStep({ image, isPlugin });
        return ofFile.size === 0 ? stored : new Map([...ofFile, ...stored]);
      },
    };
  }

  /** Logins of registries; `undefined` when they cannot be had. */
  async registriesFor(pipeline: OpenPipeline): Promise<readonly RegistryCredentials[] | undefined> {
    if (!pipeline.mayHaveSecrets) return [];
    return this.#orUndefined('Logins of registries could not be revealed', pipeline, () =>
      this.#secrets.registries(pipeline.row.projectId, useOf(pipeline)),
    );
  }

  /** How a workflow ends, before its first step, that is not given a secret that it must have. */
  async endForMissing(workflow: OpenWorkflow): Promise<WorkflowState | undefined> {
    if (!needsSecrets(workflow)) return undefined;
    const { pipeline } = workflow;
    const [secrets, opened] = await Promise.all([
      this.#secrets.list(pipeline.row.projectId),
      this.#orUndefined('Secrets of a file could not be opened', pipeline, () =>
        openFileSecrets(this.#secrets, pipeline),
      ),
    ]);
    // Of work that may have no secrets they are not opened: they are there all the same, and refused.
    const written = workflow.plan.encryptedSecrets?.map(({ name }) => name) ?? [];
    const encrypted = new Set(pipeline.mayHaveSecrets ? opened?.keys() : written);
    return endForMissingSecret(stateOf(workflow), { secrets, use: useOf(pipeline), encrypted });
  }

  /** Read once for all starts of a tick. */
  #stored(pipeline: OpenPipeline): Promise<StoredValues> {
    const { projectId } = pipeline.row;
    const use = useOf(pipeline);
    const key = JSON.stringify([projectId, use]);
    const known = this.#reads.get(key);
    if (known) return known;
    const reading = Promise.all([this.#secrets.reveal(projectId, use), this.#secrets.maskValues(projectId)]);
    this.#reads.set(key, reading);
    queueMicrotask(() => this.#reads.delete(key));
    return reading;
  }

  async #orUndefined<Found>(
    what: string,
    pipeline: OpenPipeline,
    find: () => Promise<Found>,
  ): Promise<Found | undefined> {
    try {
      return await find();
    } catch (error) {
      this.#logger.error(what, { error, projectId: pipeline.row.projectId });
      return undefined;
    }
  }
}

/** For whom secrets and logins are asked. */
function useOf({ row, mayHaveSecrets }: OpenPipeline): PipelineUse {
  const { event, branch, pullRequest } = row;
  return { event, branch, isFork: pullRequest?.isFork === true, isUntrusted: !mayHaveSecrets };
}
