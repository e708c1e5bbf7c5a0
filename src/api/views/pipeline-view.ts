import type { Pipeline } from '../../core/pipeline.ts';
import type { PipelineView } from '../pipelines.ts';

/** A pipeline as the API shows it, in lists and alone. */
export function pipelineView(pipeline: Pipeline): PipelineView {
  const { error } = pipeline;
  return {
    number: pipeline.number,
    status: pipeline.status,
    event: pipeline.event,
    ref: pipeline.ref,
    branch: pipeline.branch,
    commit: pipeline.commit,
    subject: pipeline.message.split('\n', 1)[0] ?? '',
    authorName: pipeline.authorName,
    personName: pipeline.personName,
    target: pipeline.target ?? null,
    parent: pipeline.parentNumber ?? null,
    cron: pipeline.cron ?? null,
    error: error
      ? { message: error.message, path: error.path ?? null, line: error.line ?? null, column: error.column ?? null }
      : null,
    createdAt: pipeline.createdAt.toISOString(),
    startedAt: pipeline.startedAt?.toISOString() ?? null,
    finishedAt: pipeline.finishedAt?.toISOString() ?? null,
  };
}
