/** Names of every failpoint. The fault suite walks this list, so a new one is tested by existing. */
export const failpoints = [
  'event.afterIntent',
  'event.beforeCommit',
  'event.afterCommit',
  'ref.afterUpdate',
  'plan.beforeCommit',
  'plan.afterCommit',
  'claim.beforeCommit',
  'claim.afterCommit',
  'start.beforeCommit',
  'start.afterCommit',
  'log.afterWrite',
  'log.afterSync',
  'outcome.beforeCommit',
  'outcome.afterCommit',
  'workflow.end',
  'pipeline.end',
  'secret.beforeCommit',
  'secret.afterCommit',
  'token.beforeCommit',
  'token.afterCommit',
  'commit.before',
  'commit.after',
] as const;

export type FailpointName = (typeof failpoints)[number];
