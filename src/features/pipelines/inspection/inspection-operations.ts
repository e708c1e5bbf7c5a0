import { GantryError } from '../../../core/errors.ts';
import type { Dialect, PipelinePlan } from '../../../core/plan.ts';
import type { Project } from '../../../core/project.ts';
import type { Repository } from '../../../core/repository.ts';
import type { SecretVault } from '../../../core/secret-vault.ts';
import { chooseFiles } from '../../../engine/choose-files.ts';
import type { CompileInput } from '../../../engine/compile-input.ts';
import { gantrySchema } from '../../../engine/gantry-schema.ts';
import type { ResolveResult } from '../../../engine/resolved-files.ts';
import type { Clock } from '../../../lib/clock.ts';
import type { OperationHandlers, RequestContext } from '../../feature.ts';
import { findClosedSecrets } from '../file-secrets.ts';
import { getPipeline, getProject, type ProjectName } from '../find-requested.ts';
import { withIncludes } from '../include-files.ts';
import type { PipelineLinter } from '../operations.ts';
import type { PipelineCompiler } from '../plan-event.ts';
import { projectFacts } from '../project-facts.ts';
import { readPipelineFiles } from '../read-pipeline-files.ts';
import { conditionsOf } from './condition-views.ts';
import { imagineEvent, previewPipeline } from './preview-pipeline.ts';
import { type RecallDeps, recallInput, withoutVariables } from './recall-input.ts';
import { stepTimes } from './step-times.ts';
import { stepVariables } from './step-variables.ts';

/** Replaces `${…}` within the limits of R5. */
export interface PipelineResolver {
  resolve(input: CompileInput): Promise<ResolveResult>;
}

export interface InspectionDeps extends RecallDeps {
  readonly repository: Pick<Repository, 'resolve' | 'commit' | 'readFile' | 'listFolder'>;
  readonly compiler: PipelineCompiler & PipelineLinter & PipelineResolver;
  readonly secrets: Pick<SecretVault, 'list' | 'openEncrypted'>;
  readonly clock: Clock;
}

/** How many pipelines that passed the times of one are compared with. */
const comparedWith = 20;

/** Text of all files of a preview together. */
const maxPreviewLength = 1024 * 1024;

/** Values of project variables that are short enough to stand in anything by chance are not looked for. */
const shortestSought = 3;

/** The operations of `api/inspection.ts`. */
export function inspectionOperations(deps: InspectionDeps) {
  const { store, repository, compiler } = deps;
  const { read } = store;

  /** Values of project variables are for who works on the project, in whatever text they stand. */
  const mayReadVariables = (request: RequestContext, { owner, project }: ProjectName): Promise<boolean> =>
    request.may('variable:read', { on: 'project', owner, name: project });

  async function hides(request: RequestContext, name: ProjectName, input: Pick<CompileInput, 'variables'>) {
    return Object.keys(input.variables ?? {}).length > 0 && !(await mayReadVariables(request, name));
  }

  return {
    async getPipelineFileSchema(_, { language }) {
      return { ...gantrySchema(language) };
    },
    async getPipelineYaml({ params }, request) {
      const [project, pipeline] = await Promise.all([getProject(store, params), getPipeline(store, params)]);
      const { input, isAsPlanned, filesFrom, includes } = await recallInput(deps, pipeline, project);
      const found = await readPipelineFiles(repository, project.id, filesFrom ?? pipeline.commit, input.rules?.path);
      const files = found.flatMap(({ path, text }, index) =>
        text === undefined ? [] : [{ path, text, ...(index === 0 && includes ? { includes } : {}) }],
      );
      if (files.length === 0)
        throw new GantryError(
          'PIPELINE_FILE_MISSING',
          `Cannot show the file of pipeline #${pipeline.number}: commit ${pipeline.commit.slice(0, 8)} has none that can be read`,
        );
      const hidesVariables = await hides(request, params, input);
      const resolved = await compiler.resolve({ ...(hidesVariables ? withoutVariables(input) : input), files });
      return {
        commit: pipeline.commit,
        isAsPlanned,
        hidesVariables,
        problem: resolved.problem ?? null,
        files: resolved.files.map((file) => ({
          path: file.path,
          written: file.written,
          converted: file.converted ?? null,
          isLeftOut: file.isLeftOut,
          readings: file.readings.map(({ workflows, text, changedLines }) => ({
            workflows: [...workflows],
            text,
            changedLines: [...changedLines],
          })),
          readingsLeftOut: file.readingsLeftOut,
        })),
      };
    },

    async listStepVariables({ params }, request) {
      const [project, pipeline] = await Promise.all([getProject(store, params), getPipeline(store, params)]);
      const [step, workflows] = await Promise.all([
        read.pipelines.findStep(params.step),
        read.pipelines.workflows(pipeline.id),
      ]);
      const workflow = step && workflows.find(({ id }) => id === step.workflowId);
      if (!step || !workflow)
        throw new GantryError(
          'STEP_NOT_FOUND',
          `Cannot find step ${params.step}: pipeline #${pipeline.number} has none with this id`,
        );
      const [{ input, isAsPlanned }, siblings] = await Promise.all([
        recallInput(deps, pipeline, project),
        read.pipelines.stepsOf(workflow.id, step.attempt),
      ]);
      const hidesVariables = await hides(request, params, input);
      const hidden = hidesVariables
        ? Object.values(input.variables ?? {}).filter((value) => value.length >= shortestSought)
        : [];
      const recorded = { pipeline, workflow, workflows, step, siblings };
      return {
        workflow: workflow.name,
        step: step.name,
        hasStarted: step.startedAt !== undefined,
        hidesVariables,
        variables: [...stepVariables(recorded, isAsPlanned ? input : undefined, hidden)],
        conditions: conditionsOf(input, pipeline.dialect as Dialect, workflow.plan.matrix ?? {}),
      };
    },

    async getPipelineTimes({ params }) {
      const pipeline = await getPipeline(store, params);
      const [workflows, steps, past] = await Promise.all([
        read.pipelines.workflows(pipeline.id),
        read.pipelines.steps(pipeline.id),
        read.pipelines.passedStepDurations(pipeline, comparedWith),
      ]);
      const instant = (at: Date | undefined): string | null => at?.toISOString() ?? null;
      return {
        branch: pipeline.branch,
        comparedWith,
        createdAt: pipeline.createdAt.toISOString(),
        workflows: workflows.map(({ name, queuedAt, startedAt, finishedAt }) => ({
          name,
          queuedAt: instant(queuedAt),
          startedAt: instant(startedAt),
          finishedAt: instant(finishedAt),
        })),
        steps: [...stepTimes(workflows, steps, past)],
      };
    },

    async listPipelineFiles({ params, query }) {
      const project = await getProject(store, params);
      const ref = query.ref ?? project.defaultBranch;
      const found = await repository.resolve(project.id, ref);
      if (!found) {
        if (query.ref !== undefined)
          throw new GantryError('REF_NOT_FOUND', `Cannot show pipeline files: nothing is called "${query.ref}"`);
        return { ref, commit: null, files: [] };
      }
      const { path: configuredPath } = project.pipelines;
      const files = await readPipelineFiles(repository, project.id, found.commit, configuredPath);
      const chosen = chooseFiles(
        files.map(({ path, text = '' }) => ({ path, text })),
        configuredPath,
      );
      const chosenPaths = new Set(chosen?.files.map(({ path }) => path));
      return {
        ref,
        commit: found.commit,
        files: files.map(({ path, text }) => ({ path, text: text ?? null, isChosen: chosenPaths.has(path) })),
      };
    },

    async previewPipeline({ params, body }, request) {
      const length = body.files.reduce((sum, { text }) => sum + text.length, 0);
      if (length > maxPreviewLength)
        throw new GantryError(
          'PIPELINE_FILE_TOO_LARGE',
          `Cannot preview the pipeline: its files have ${length} characters together, and may have ${maxPreviewLength}`,
        );
      const project = await getProject(store, params);
      const input = await previewInput(project, body, request, params);
      const closed = (plan: PipelinePlan) => findClosedSecrets(deps.secrets, project.id, plan);
      const preview = await previewPipeline(compiler, input, request.language, closed);
      if (await request.may('secret:read', { on: 'project', owner: params.owner, name: params.project }))
        return preview;
      // Whether there is a secret of some name is for those who look after them.
      return { ...preview, decisions: preview.decisions.filter(({ rule }) => rule !== 'step.secret-missing') };
    },
  } satisfies OperationHandlers;

  async function previewInput(
    project: Project,
    body: Parameters<NonNullable<OperationHandlers['previewPipeline']>>[0]['body'],
    request: RequestContext,
    name: ProjectName,
  ): Promise<CompileInput> {
    const branch = body.branch ?? project.defaultBranch;
    const [head, variables, secrets] = await Promise.all([
      headOf(project, branch),
      read.variables.valuesFor(project.id),
      deps.secrets.list(project.id),
    ]);
    const facts = projectFacts(project, deps.publicUrl(), variables, deps.installation);
    const { actor } = request;
    const number = await read.pipelines.nextNumber(project.id);
    const at = { project, commit: head ?? '' };
    const input = {
      ...facts,
      files: head === undefined ? body.files : await withIncludes({ store, repository }, at, body.files),
      event: imagineEvent({
        kind: body.event,
        branch,
        target: body.target,
        cron: body.cron,
        changedPaths: body.changedPaths,
        message: body.message,
        parameters: body.parameters,
        personName: actor.kind === 'person' ? actor.person.name : 'somebody',
        commit: head === undefined ? undefined : await repository.commit(project.id, head),
      }),
      pipeline: { number, createdAt: deps.clock.now(), link: `${facts.project.link}/pipelines/${number}` },
      secretNames: secrets.map(({ name }) => name),
      stepTimeoutMs: project.stepTimeoutMs,
    };
    return (await hides(request, name, input)) ? withoutVariables(input) : input;
  }

  /** Of the branch, or else of the default branch: a branch or tag that is to come starts there. */
  async function headOf(project: Project, branch: string): Promise<string | undefined> {
    const found =
      (await repository.resolve(project.id, `refs/heads/${branch}`)) ??
      (await repository.resolve(project.id, `refs/heads/${project.defaultBranch}`));
    return found?.commit;
  }
}
