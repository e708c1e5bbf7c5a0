/** Events that a pipeline file can be tried against. Apart from the schemas, which browsers do not load. */
export const previewEvents = ['push', 'tag', 'pull_request', 'manual', 'promote', 'rollback', 'cron'] as const;
