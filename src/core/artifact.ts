import type { ArtifactPlan } from './plan.ts';

/** Files that a step left under a name, packed as one tar and compressed with zstd. */
export interface Artifact {
  readonly id: number;
  readonly projectId: number;
  readonly pipelineId: number;
  readonly workflowId: number;
  /** Attempt of the workflow that made it: a rerun that has not made it again has not got it. */
  readonly attempt: number;
  readonly step: string;
  /** Unique in its pipeline. */
  readonly name: string;
  /** SHA-256 of the packed bytes, in hexadecimal: names the blob. */
  readonly digest: string;
  readonly sizeBytes: number;
  /** Files, folders and links in it. */
  readonly entries: number;
  readonly createdAt: Date;
  readonly expiresAt: Date;
}

/** As it is told by whoever made it. */
export type NewArtifact = Omit<Artifact, 'id'>;

/** An artifact with what a list says of where it came from. */
export interface ListedArtifact extends Artifact {
  readonly workflow: string;
}

export interface ArtifactStore {
  /** Takes the place of one of the same name in the pipeline; answers its id. */
  put(artifact: NewArtifact): Promise<number>;
  find(pipelineId: number, name: string): Promise<Artifact | undefined>;
  /** By name. */
  list(pipelineId: number): Promise<readonly ListedArtifact[]>;
  /** Those that a step of a workflow left in an attempt. */
  ofStep(workflowId: number, attempt: number, step: string): Promise<readonly Artifact[]>;
  /** Attempts of workflows of the project of which a step of this name still has all of these, the newest first. */
  holders(
    projectId: number,
    step: string,
    names: readonly string[],
    limit: number,
  ): Promise<readonly { readonly workflowId: number; readonly attempt: number }[]>;
  /** Bytes that artifacts take, each counted as if it shared none. */
  sizes(projectId: number, pipelineId: number): Promise<{ readonly project: number; readonly pipeline: number }>;
  remove(id: number): Promise<boolean>;
  /** Those whose time is over, the oldest first, after the one with this id. */
  expired(now: Date, page: { readonly afterId: number; readonly limit: number }): Promise<readonly Artifact[]>;
  /** Which of these blobs an artifact still names. */
  named(digests: readonly string[]): Promise<ReadonlySet<string>>;
}

/** What artifacts may take. */
export interface ArtifactLimits {
  /** Packed bytes of one. */
  readonly artifactBytes: number;
  readonly pipelineBytes: number;
  readonly projectBytes: number;
}

/** Why an artifact of so many bytes does not fit beside what is there; `undefined` when it does. */
export function findArtifactFault(
  sizeBytes: number,
  used: { readonly project: number; readonly pipeline: number },
  limits: ArtifactLimits,
): string | undefined {
  if (sizeBytes > limits.artifactBytes)
    return `it is larger than ${sizeText(limits.artifactBytes)}, which is what an artifact may have`;
  if (used.pipeline + sizeBytes > limits.pipelineBytes)
    return `with it the artifacts of this pipeline would take more than ${sizeText(limits.pipelineBytes)}`;
  if (used.project + sizeBytes > limits.projectBytes)
    return `with it the artifacts of this project would take more than ${sizeText(limits.projectBytes)}: delete some, or keep them for a shorter time`;
  return undefined;
}

/** Whether a step that ended so leaves the artifact. */
export function isWanted({ when }: Pick<ArtifactPlan, 'when'>, hasPassed: boolean): boolean {
  return when === 'always' || (when === 'success') === hasPassed;
}

function sizeText(bytes: number): string {
  const units = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${Number.isInteger(value) ? value : value.toFixed(1)} ${units[unit]}`;
}
