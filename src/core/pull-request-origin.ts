/**
 * Pull requests whose pipelines a secret or a login opens for: none; those whose commits come from a branch of the project
 * itself (`project`); those of forks too (`forks`). What the project does not trust waits for somebody's word beside
 * (`mayHaveSecrets`): `forks` alone gives nothing to a fork.
 */
export const pullRequestOrigins = ['none', 'project', 'forks'] as const;
export type PullRequestOrigin = (typeof pullRequestOrigins)[number];
