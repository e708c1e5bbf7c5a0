import type { IncludedPlace } from '../../core/included-place.ts';
import type { Pipeline } from '../../core/pipeline.ts';
import type { IncludedPlaceView, PipelineView } from '../pipelines.ts';

/** A place in an included file as the API shows it. */
export function includedPlaceView({ path, line, column, text, chain }: IncludedPlace): IncludedPlaceView {
  return {
    path,
    line,
    column,
    text,
    chain: chain.map((step) => ({ ...(step.path === undefined ? {} : { path: step.path }), line: step.line })),
  };
}

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
      ? {
          message: error.message,
          path: error.path ?? null,
          line: error.line ?? null,
          column: error.column ?? null,
          ...(error.included ? { included: includedPlaceView(error.included) } : {}),
        }
      : null,
    createdAt: pipeline.createdAt.toISOString(),
    startedAt: pipeline.startedAt?.toISOString() ?? null,
    finishedAt: pipeline.finishedAt?.toISOString() ?? null,
  };
}
