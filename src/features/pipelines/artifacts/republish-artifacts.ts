import type { Stores } from '../../../core/unit-of-work.ts';

/**
 * Gives a step that was not run, because its result of before stands for it, the artifacts that it left then: the same
 * bytes under the same names in its own pipeline, kept as long as if they had been made now. Called within the
 * transaction that records the end of the step. Answers the names of those that are not there any more.
 */
export async function republishArtifacts(
  stores: Pick<Stores, 'artifacts'>,
  from: { readonly workflowId: number; readonly attempt: number; readonly step: string },
  to: {
    readonly projectId: number;
    readonly pipelineId: number;
    readonly workflowId: number;
    readonly attempt: number;
    readonly step: string;
    /** What the plan of the step says that it leaves. */
    readonly artifacts: readonly { readonly name: string; readonly keepMs: number }[];
  },
  now: Date,
): Promise<readonly string[]> {
  const left = await stores.artifacts.ofStep(from.workflowId, from.attempt, from.step);
  const missing: string[] = [];
  for (const { name, keepMs } of to.artifacts) {
    const before = left.find((artifact) => artifact.name === name);
    if (!before) {
      missing.push(name);
      continue;
    }
    const { digest, sizeBytes, entries } = before;
    const { projectId, pipelineId, workflowId, attempt, step } = to;
    await stores.artifacts.put({
      projectId,
      pipelineId,
      workflowId,
      attempt,
      step,
      name,
      digest,
      sizeBytes,
      entries,
      createdAt: now,
      expiresAt: new Date(now.getTime() + keepMs),
    });
  }
  return missing;
}
