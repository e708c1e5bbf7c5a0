import { mkdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Outcome } from '../../../core/pipeline.ts';
import { faultWords } from '../../../lib/fault-words.ts';
import type { ReleaseSpec, RunningStep, StagedStep, StepResultEvent, StepResultUse } from '../runtime.ts';
import { type CacheStore, defaultCacheLimits } from './cache-store.ts';
import { type CopyRules, copyIn, copyOut } from './copy-paths.ts';

/** Files of all outputs of a step together. */
const maxFiles = 200_000;

export interface ResultPlace {
  readonly store: CacheStore;
  /** The workspace as the host sees it. Steps write to it. */
  readonly workspace: string;
  /** Private to the step, on the file system of the store. */
  readonly folder: string;
  readonly isRootless: boolean;
  /** Path of a cache that lies over what the host sees of a path of the workspace. */
  readonly findCover?: ((path: string) => string | undefined) | undefined;
}

type Tell = (event: StepResultEvent) => void;

/** A step that does not run: what it left when it last ran is put back instead, once the workspace is there. */
export class TakenStep implements StagedStep {
  readonly #use: Extract<StepResultUse, { kind: 'take' }>;
  readonly #place: ResultPlace;
  readonly #mounted: Promise<unknown>;

  constructor(use: Extract<StepResultUse, { kind: 'take' }>, place: ResultPlace, mounted: Promise<unknown>) {
    this.#use = use;
    this.#place = place;
    this.#mounted = mounted;
  }

  release(release: ReleaseSpec): RunningStep {
    const stopped = Promise.withResolvers<Outcome>();
    const restored = this.#restore(release.onResult ?? (() => {})).catch(
      (error: unknown): Outcome => ({
        kind: 'infrastructure',
        message: `What the step left could not be put back: ${faultWords(error)}`,
      }),
    );
    return {
      outcome: Promise.race([restored, stopped.promise]),
      cancel: (reason) => stopped.resolve({ kind: 'cancelled', reason }),
    };
  }

  async discard(): Promise<void> {}

  async #restore(tell: Tell): Promise<Outcome> {
    const startedAtMs = performance.now();
    const { store, workspace } = this.#place;
    await this.#mounted;
    const entry = store.findResult(this.#use.access, this.#use.key);
    if (!entry) throw new Error('it was deleted meanwhile');
    try {
      const [layer] = entry.record.layers;
      const rules = rulesOf(this.#place);
      for (const [index, path] of entry.record.paths.entries())
        await copyIn({ folder: entry.folderOf(layer!.id), name: String(index) }, workspace, path, rules);
      const sizeBytes = layer?.sizeBytes ?? 0;
      tell({ kind: 'taken', sizeBytes, elapsedMs: performance.now() - startedAtMs });
      return { kind: 'exited', exitCode: 0 };
    } finally {
      entry.release();
    }
  }
}

/** A step whose outputs are kept when it has passed, before its outcome is told. */
export class KeptStep implements StagedStep {
  readonly #staged: StagedStep;
  readonly #use: Extract<StepResultUse, { kind: 'keep' }>;
  readonly #place: ResultPlace;
  /** Of the image that it ran in. */
  readonly #imageDigest: () => string;

  constructor(
    staged: StagedStep,
    use: Extract<StepResultUse, { kind: 'keep' }>,
    place: ResultPlace,
    imageDigest: () => string,
  ) {
    this.#staged = staged;
    this.#use = use;
    this.#place = place;
    this.#imageDigest = imageDigest;
  }

  get ports(): StagedStep['ports'] {
    return this.#staged.ports;
  }

  release(release: ReleaseSpec): RunningStep {
    const running = this.#staged.release(release);
    const keep = async (): Promise<Outcome> => {
      const outcome = await running.outcome;
      if (outcome.kind === 'exited' && outcome.exitCode === 0) await this.#keep(release.onResult ?? (() => {}));
      return outcome;
    };
    return { outcome: keep(), cancel: (reason) => running.cancel(reason) };
  }

  discard(): Promise<void> {
    return this.#staged.discard();
  }

  /** Never rejects: a step that passed has passed. */
  async #keep(tell: Tell): Promise<void> {
    const { access, key, label, origin, outputs, parts } = this.#use;
    const { store, workspace, folder } = this.#place;
    const startedAtMs = performance.now();
    const refuse = (why: string): void => tell({ kind: 'not-kept', why });
    const upper = join(folder, 'upper');
    let isKept = false;
    try {
      if (this.#imageDigest() !== this.#use.imageDigest) return refuse('its image became another one meanwhile');
      for (const path of outputs) {
        const cover = this.#place.findCover?.(path);
        if (cover !== undefined) return refuse(`its output ${path} and the cache at ${cover} are in each other`);
      }
      mkdirSync(upper, { recursive: true, mode: 0o700 });
      const rules = rulesOf(this.#place);
      for (const [index, path] of outputs.entries())
        if (!(await copyOut(workspace, path, { folder: upper, name: String(index) }, rules)))
          return refuse(`it left no ${path}, which "outputs" names`);
      const sizeBytes = defaultCacheLimits.entryBytes - rules.budget.bytesLeft;
      const entry = { key, paths: outputs, result: { label, origin, parts } };
      const hindrance = store.findHindrance(access, entry, sizeBytes);
      if (hindrance !== undefined) return refuse(hindrance);
      store.save(access, entry, { upper, sizeBytes, base: undefined }).release();
      isKept = true;
      tell({ kind: 'kept', sizeBytes, elapsedMs: performance.now() - startedAtMs });
    } catch (error) {
      refuse(faultWords(error));
    } finally {
      // Half a copy would keep from the steps after it what they need of the disk.
      if (!isKept) await rm(upper, { recursive: true, force: true }).catch(() => undefined);
    }
  }
}

function rulesOf({ isRootless }: ResultPlace): CopyRules {
  return {
    budget: { bytesLeft: defaultCacheLimits.entryBytes, filesLeft: maxFiles },
    keepsOwners: !isRootless,
  };
}
