import type { Pipeline, PipelineFacts } from '../../../core/pipeline.ts';
import type { Project } from '../../../core/project.ts';
import type { UnitOfWork } from '../../../core/unit-of-work.ts';
import type { CompileInput } from '../../../engine/compile-input.ts';
import { type InstallationRules, projectFacts } from '../project-facts.ts';

export interface RecallDeps {
  readonly store: UnitOfWork;
  /** Address of this Gantry, without a slash at its end. */
  readonly publicUrl: () => string;
  readonly installation?: InstallationRules | undefined;
}

/** The input that a pipeline was compiled with, but for its files, secrets and changed paths. */
export interface RecalledInput {
  readonly input: Omit<CompileInput, 'files'>;
  /** Whether settings are those of its planning; a pipeline older than their record has those of today. */
  readonly isAsPlanned: boolean;
  /** Commit whose files were read, where it is not the pipeline's own. */
  readonly filesFrom: string | undefined;
  /** What its file included, as it was read then. */
  readonly includes: PipelineFacts['includes'];
}

/**
 * Puts together again what a pipeline was compiled with: the record of the pipeline says what its event was, and the
 * facts that were kept with it say what the settings of its project were then, whatever they are now.
 */
export async function recallInput(deps: RecallDeps, pipeline: Pipeline, project: Project): Promise<RecalledInput> {
  const kept = await deps.store.read.pipelines.facts(pipeline.id);
  const facts: PipelineFacts =
    kept ??
    projectFacts(project, deps.publicUrl(), await deps.store.read.variables.valuesFor(project.id), deps.installation);
  const { number, createdAt } = pipeline;
  return {
    isAsPlanned: kept !== undefined,
    filesFrom: kept?.filesFrom,
    includes: kept?.includes,
    input: {
      ...facts,
      event: {
        kind: pipeline.event,
        ref: pipeline.ref,
        branch: pipeline.branch,
        before: pipeline.before,
        commit: pipeline.commit,
        message: pipeline.message,
        authorName: pipeline.authorName,
        authorEmail: pipeline.authorEmail,
        personName: pipeline.personName,
        parameters: pipeline.parameters,
        target: pipeline.target,
        schedule: pipeline.cron,
        parentNumber: pipeline.parentNumber,
        ...(pipeline.pullRequest ? { pullRequest: pipeline.pullRequest } : {}),
        ...(pipeline.trust ? { trust: pipeline.trust } : {}),
      },
      pipeline: { number, createdAt, link: `${facts.project.link}/pipelines/${number}` },
      secretNames: [],
      stepTimeoutMs: project.stepTimeoutMs,
    },
  };
}

/** With `***` for each value of a project's variable, for who may not read them. */
export function withoutVariables<Input extends Pick<CompileInput, 'variables'>>(input: Input): Input {
  return { ...input, variables: Object.fromEntries(Object.keys(input.variables ?? {}).map((name) => [name, '***'])) };
}
