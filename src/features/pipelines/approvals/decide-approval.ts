import type { Approval } from '../../../core/approval.ts';
import type { NewAuditEntry } from '../../../core/audit.ts';
import { GantryError } from '../../../core/errors.ts';
import { isFinished, type Pipeline } from '../../../core/pipeline.ts';
import type { Stores, UnitOfWork } from '../../../core/unit-of-work.ts';
import type { Clock } from '../../../lib/clock.ts';
import { failpoint } from '../../../lib/failpoint.ts';
import type { Engine } from '../engine.ts';

export interface DecideApprovalDeps {
  readonly store: UnitOfWork;
  readonly engine: Engine;
  readonly clock: Clock;
}

export interface ApprovalDecision {
  readonly state: 'approved' | 'declined';
  readonly hasSecrets: boolean;
  /** What whoever decides has looked at: the decision is about nothing else. */
  readonly head: string;
  readonly configuration: string;
  readonly by: string;
  readonly audit: Omit<NewAuditEntry, 'at' | 'details'>;
}

/**
 * Lets a pipeline run that waits for it, or ends it. Of several who decide at once the first has decided. Throws
 * APPROVAL_NOT_FOUND, APPROVAL_DECIDED, and APPROVAL_OUTDATED when there is something newer than what was looked at.
 */
export async function decideApproval(
  { store, engine, clock }: DecideApprovalDeps,
  pipeline: Pipeline,
  decision: ApprovalDecision,
): Promise<Pipeline> {
  const { state, hasSecrets, by } = decision;
  const what = `Cannot ${state === 'approved' ? 'approve' : 'decline'} pipeline #${pipeline.number}`;
  await store.write(async (stores) => {
    const approval = await stores.approvals.findByPipeline(pipeline.id);
    if (!approval) throw new GantryError('APPROVAL_NOT_FOUND', `${what}: it waits for nobody`);
    await refuseOutdated(stores, approval, decision, what);
    const at = clock.now();
    if (!(await stores.approvals.decide(approval.id, { state, hasSecrets, by, at })))
      throw new GantryError('APPROVAL_DECIDED', `${what}: ${decidedBy(approval)}`);
    await stores.pipelines.setApproval(pipeline.id, state, hasSecrets);
    const { head, configuration, pullRequest } = approval;
    const details = { head, configuration, ...(pullRequest === undefined ? {} : { pullRequest }), hasSecrets };
    await stores.audit.append({ ...decision.audit, at, details });
    await stores.pipelines.addTrace(
      pipeline.id,
      [
        state === 'approved'
          ? { subject: { kind: 'event' }, rule: 'approval.given', verdict: 'ran', values: { by, secrets: hasSecrets } }
          : { subject: { kind: 'event' }, rule: 'approval.declined', verdict: 'skipped', values: { by } },
      ],
      at,
    );
  });
  await failpoint('approval.afterCommit');
  await (state === 'approved' ? engine.release(pipeline.id, hasSecrets) : endDeclined(engine, pipeline.id, by));
  return (await store.read.pipelines.find(pipeline.id)) ?? pipeline;
}

async function refuseOutdated(
  stores: Stores,
  approval: Approval,
  { head, configuration }: ApprovalDecision,
  what: string,
): Promise<void> {
  if (approval.state !== 'waiting') throw new GantryError('APPROVAL_DECIDED', `${what}: ${decidedBy(approval)}`);
  const now = await stores.pipelines.find(approval.pipelineId);
  if (!now || isFinished(now.status))
    throw new GantryError('APPROVAL_DECIDED', `${what}: it is ${now?.status ?? 'gone'}`);
  if (approval.head !== head || approval.configuration !== configuration)
    throw new GantryError(
      'APPROVAL_OUTDATED',
      `${what}: it is about another commit or configuration than was looked at`,
    );
  if (approval.pullRequest === undefined) return;
  const pullRequest = await stores.pullRequests.find(approval.projectId, approval.pullRequest);
  if (pullRequest?.head !== head)
    throw new GantryError('APPROVAL_OUTDATED', `${what}: pull request #${approval.pullRequest} has a newer commit`);
  if (pullRequest.targetBranch !== now.branch)
    throw new GantryError(
      'APPROVAL_OUTDATED',
      `${what}: pull request #${approval.pullRequest} is for the branch "${pullRequest.targetBranch}" by now`,
    );
}

function decidedBy({ state, decidedBy: by }: Approval): string {
  if (state === 'overtaken') return 'something newer of its pull request came first';
  return `${by ?? 'somebody'} has ${state} it`;
}

/** What was refused comes to its end without a step that ran. */
export async function endDeclined(engine: Engine, pipelineId: number, by: string): Promise<void> {
  await engine.ensure(pipelineId);
  const open = engine.find(pipelineId);
  if (open) await engine.cancel(open, by, { kind: 'person' });
}

/**
 * What waits of a pull request comes to its end when there is something newer of it: what somebody would decide about is
 * not what it is any more.
 */
export async function endOvertaken({ store, engine, clock }: DecideApprovalDeps, newer: Pipeline): Promise<void> {
  const { pullRequest, projectId, number } = newer;
  if (!pullRequest) return;
  for (const open of engine.openPipelines()) {
    const { row } = open;
    if (!open.isHeld || row.projectId !== projectId || row.number >= number) continue;
    if (row.pullRequest?.number !== pullRequest.number || isFinished(open.status)) continue;
    const isEnded = await store.write(async (stores) => {
      const approval = await stores.approvals.findByPipeline(row.id);
      const at = clock.now();
      const by = `#${number}`;
      if (!approval || !(await stores.approvals.decide(approval.id, { state: 'overtaken', hasSecrets: false, by, at })))
        return false;
      await stores.pipelines.setApproval(row.id, 'overtaken', false);
      const subject = { kind: 'event' } as const;
      const values = { number };
      await stores.pipelines.addTrace(
        row.id,
        [{ subject, rule: 'approval.overtaken', verdict: 'skipped', values }],
        at,
      );
      return true;
    });
    if (isEnded) await engine.cancel(open, `#${number}`, { kind: 'superseded', number, ref: row.ref });
  }
}
