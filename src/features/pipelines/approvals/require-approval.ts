import { approvalReasonOf, isHeld } from '../../../core/approval.ts';
import { GantryError } from '../../../core/errors.ts';
import type { Pipeline } from '../../../core/pipeline.ts';
import type { Stores } from '../../../core/unit-of-work.ts';

/**
 * Asked before each thing that runs a pipeline once more (reliability-security.md R7): what nobody let run, or somebody
 * refused, does not run by another button. `what` begins the sentence. Throws APPROVAL_MISSING.
 */
export async function requireApproval(stores: Stores, pipeline: Pipeline, what: string): Promise<void> {
  const { approval, pullRequest, projectId } = pipeline;
  if (approval === 'declined') {
    const by = (await stores.approvals.findByPipeline(pipeline.id))?.decidedBy;
    throw new GantryError('APPROVAL_MISSING', `${what}: ${by ?? 'somebody'} declined to let it run`);
  }
  if (isHeld(approval)) throw new GantryError('APPROVAL_MISSING', `${what}: nobody has approved it`);
  if (!pullRequest) return;
  // Settings may be stricter than when it was planned, and its pull request may be for another branch by now.
  const project = await stores.projects.find(projectId);
  if (!project || !approvalReasonOf(project.pipelines.pullRequestApproval, pullRequest)) return;
  if (approval === undefined) throw new GantryError('APPROVAL_MISSING', `${what}: nobody has approved it`);
  const now = await stores.pullRequests.find(projectId, pullRequest.number);
  if (now?.targetBranch !== pullRequest.targetBranch)
    throw new GantryError(
      'APPROVAL_MISSING',
      `${what}: it was approved for "${pullRequest.targetBranch}", and its pull request is for "${now?.targetBranch ?? ''}"`,
    );
}
