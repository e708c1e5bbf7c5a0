import type { CacheReport } from '../../core/cache.ts';
import type { FailureExcerpt, Outcome } from '../../core/pipeline.ts';
import type { SecretVault } from '../../core/secret-vault.ts';
import type { TraceEntry } from '../../core/trace.ts';
import { maskOutcome } from '../../engine/masking/mask-outcome.ts';
import { MaskSet } from '../../engine/masking/masker.ts';
import { openFileSecrets } from './file-secrets.ts';
import type { OpenPipeline } from './open-pipelines.ts';

interface Known {
  readonly values: ReadonlySet<string>;
  readonly set: MaskSet;
}

/** Projects whose last set is kept for their next pipeline: making one costs about a millisecond. */
const maxKept = 32;

/** Tokens are known by their beginnings, whatever the project's secrets are. */
const tokensOnly: Known = { values: new Set(), set: new MaskSet([]) };

/**
 * What is masked in what a runner says, before it touches a disk: the very values that the runner was told to mask. It
 * has masked them itself; this is for the one that does not, by mistake or by intent.
 */
export class PipelineMasks {
  readonly #secrets: Pick<SecretVault, 'maskValues' | 'openEncrypted'>;
  readonly #known = new WeakMap<OpenPipeline, Known>();
  readonly #loading = new WeakMap<OpenPipeline, Promise<MaskSet>>();
  readonly #kept = new Map<number, Known>();

  constructor(secrets: Pick<SecretVault, 'maskValues' | 'openEncrypted'>) {
    this.#secrets = secrets;
  }

  /** `undefined` for a pipeline of which nothing was told to a runner since this server started: then `load`. */
  of(pipeline: OpenPipeline): MaskSet | undefined {
    return this.#known.get(pipeline)?.set;
  }

  /** Values that a runner is about to be told; those of before stay. */
  learn(pipeline: OpenPipeline, values: readonly string[]): MaskSet {
    const before = this.#known.get(pipeline);
    const known = this.#knownOf(pipeline.row.projectId, values, before);
    if (known !== before) this.#known.set(pipeline, known);
    return known.set;
  }

  /** Reads them from the record, for a runner that had them from an earlier server. */
  load(pipeline: OpenPipeline): Promise<MaskSet> {
    let loading = this.#loading.get(pipeline);
    if (!loading) {
      loading = Promise.all([
        this.#secrets.maskValues(pipeline.row.projectId),
        openFileSecrets(this.#secrets, pipeline),
      ])
        .then(([values, ofFile]) => this.learn(pipeline, [...values, ...ofFile.values()]))
        .finally(() => this.#loading.delete(pipeline));
      this.#loading.set(pipeline, loading);
    }
    return loading;
  }

  #knownOf(projectId: number, values: readonly string[], before: Known = tokensOnly): Known {
    if (values.every((value) => before.values.has(value))) return before;
    const all = new Set([...before.values, ...values]);
    const kept = this.#kept.get(projectId);
    if (kept?.values.size === all.size && values.every((value) => kept.values.has(value))) return kept;
    const known = { values: all, set: new MaskSet([...all]) };
    this.#kept.delete(projectId);
    this.#kept.set(projectId, known);
    if (this.#kept.size > maxKept) this.#kept.delete(this.#kept.keys().next().value!);
    return known;
  }
}

/** Longer ones are not keys of ours. */
const longestKey = 1_000;

interface Report {
  readonly outcome?: Outcome | undefined;
  readonly reason?: TraceEntry | undefined;
  readonly failure?: FailureExcerpt | undefined;
}

/** How a step ended, with every free text of it masked. */
export function maskReport({ outcome, reason, failure }: Report, masks: MaskSet = tokensOnly.set): Report {
  return {
    ...(outcome && { outcome: maskOutcome(outcome, masks) }),
    ...(reason && { reason: { ...reason, values: maskValues(reason.values, masks) } }),
    ...(failure && {
      failure: { ...failure, lines: failure.lines.map((line) => ({ ...line, text: masks.maskText(line.text) })) },
    }),
  };
}

/** Keys are made of variables too. */
export function maskCacheReport(report: CacheReport, masks: MaskSet = tokensOnly.set): CacheReport {
  const { key, from, nearest } = report;
  return {
    ...report,
    key: masks.maskText(key).slice(0, longestKey),
    ...(from === undefined ? {} : { from: masks.maskText(from).slice(0, longestKey) }),
    ...(nearest === undefined ? {} : { nearest: masks.maskText(nearest).slice(0, longestKey) }),
  };
}

function maskValues(values: TraceEntry['values'], masks: MaskSet): TraceEntry['values'] {
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => [name, typeof value === 'string' ? masks.maskText(value) : value]),
  );
}
