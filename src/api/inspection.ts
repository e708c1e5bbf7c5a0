import { z } from 'zod';
import { instant, type Operation } from './operation.ts';
import { IncludedPlaceView, TraceView } from './pipelines.ts';
import { previewEvents } from './preview-events.ts';

const ProjectPath = z.object({ owner: z.string(), project: z.string() });
const PipelinePath = ProjectPath.extend({ number: z.coerce.number().int().positive() });
const StepPath = PipelinePath.extend({ step: z.coerce.number().int().positive() });

export const ResolvedFileView = z
  .object({
    path: z.string(),
    written: z.string().meta({ description: 'The text at the commit' }),
    converted: z.string().nullable().meta({ description: 'The documents that it wrote, where it is a program' }),
    isLeftOut: z.boolean().meta({ description: 'Whether the limit of the answer was reached: then there is no text' }),
    readings: z
      .array(
        z.object({
          workflows: z
            .array(z.string())
            .meta({ description: 'Sets of a matrix that read so, e.g. "GO=1.21"; empty where there is none' }),
          text: z.string().meta({ description: 'The text once ${…} is replaced' }),
          changedLines: z.array(z.int()).meta({ description: 'Lines of "text", from 1, that are not as written' }),
        }),
      )
      .meta({ description: 'One; several where sets of a matrix read differently; none where it cannot be read' }),
    readingsLeftOut: z.int(),
  })
  .meta({ id: 'ResolvedFile' });
export type ResolvedFileView = z.infer<typeof ResolvedFileView>;

/** Where a step has a variable from. */
export const variableSources = ['file', 'project', 'parameter', 'matrix', 'event', 'start', 'secret'] as const;

export const VariableOfStepView = z
  .object({
    name: z.string(),
    value: z.string().nullable().meta({ description: 'null for a secret, and for what you may not read' }),
    source: z.enum(variableSources).nullable().meta({
      description:
        'The file; a variable of project or organisation; a parameter of the run; the matrix; what Gantry tells of the event; what is known only when the step starts; a secret. null: not known',
    }),
    secret: z.string().nullable().meta({ description: 'Name of the secret that it holds, or holds a part of' }),
  })
  .meta({ id: 'VariableOfStep' });
export type VariableOfStepView = z.infer<typeof VariableOfStepView>;

export const ConditionValueView = z
  .object({ key: z.string(), values: z.array(z.string()) })
  .meta({ id: 'ConditionValue', description: 'What conditions on this key compare with' });
export type ConditionValueView = z.infer<typeof ConditionValueView>;

const durationMs = z.int().nullable();

export const StepTimesView = z
  .object({
    id: z.int(),
    workflow: z.string(),
    name: z.string(),
    readyAt: instant.nullable().meta({ description: 'When nothing but a free place kept it from starting' }),
    startedAt: instant.nullable(),
    runningAt: instant
      .nullable()
      .meta({ description: 'When its first process ran; null also for steps that are older than this record' }),
    finishedAt: instant.nullable(),
    waitedMs: durationMs.meta({ description: 'From readyAt to startedAt: for a place, and for its image' }),
    pullMs: durationMs.meta({ description: 'Until its image was there; may lie before readyAt' }),
    restoreMs: durationMs.meta({ description: 'Until its cache was mounted; part of what it ran' }),
    saveMs: durationMs.meta({ description: 'Until its cache was kept; part of what it ran' }),
    preparedMs: durationMs.meta({ description: 'From startedAt to runningAt: its sandbox or container' }),
    ranMs: durationMs.meta({ description: 'From runningAt, or else startedAt, to finishedAt' }),
    medianMs: durationMs.meta({ description: 'Of preparing and running, in the runs that it is compared with' }),
    samples: z.int().meta({ description: 'How many runs the median is of' }),
  })
  .meta({ id: 'StepTimes' });
export type StepTimesView = z.infer<typeof StepTimesView>;

const FileText = z.object({ path: z.string().min(1).max(300), text: z.string().max(262_144) });

export const PreviewStepView = z
  .object({
    name: z.string(),
    image: z.string(),
    dependsOn: z.array(z.string()),
    line: z.int(),
    isSkipped: z.boolean(),
    reason: z.string().nullable().meta({ description: 'Why it would be skipped, as a sentence' }),
    background: z.enum(['service', 'detached']).nullable(),
  })
  .meta({ id: 'PreviewStep' });

export const FindingView = z
  .object({
    path: z.string(),
    severity: z.enum(['error', 'warning']),
    code: z.string(),
    message: z.string(),
    line: z.int(),
    column: z.int(),
    hint: z.string().nullable(),
    substituted: z.string().nullable(),
    included: IncludedPlaceView.optional().meta({
      description: 'Its place where that is in an included file; line and column are those of the include then',
    }),
  })
  .meta({ id: 'PipelineFileFinding' });
export type FindingView = z.infer<typeof FindingView>;

export const PipelinePreview = z
  .object({
    outcome: z
      .enum(['planned', 'nothing', 'failed'])
      .meta({ description: 'A pipeline; none, and the decisions say why; or a file that cannot be run' }),
    error: z.string().nullable(),
    findings: z.array(FindingView),
    decisions: z.array(TraceView),
    conditions: z.array(ConditionValueView),
    workflows: z.array(
      z.object({
        name: z.string(),
        dependsOn: z.array(z.string()),
        matrix: z.record(z.string(), z.string()),
        steps: z.array(PreviewStepView),
      }),
    ),
  })
  .meta({ id: 'PipelinePreview' });
export type PipelinePreview = z.infer<typeof PipelinePreview>;

/** Operations that tell how a pipeline came to be what it is, and what a file would come to. */
export const inspectionOperations = {
  getPipelineYaml: {
    method: 'get',
    path: '/api/v1/projects/{owner}/{project}/pipelines/{number}/yaml',
    summary: 'The pipeline files of a pipeline as written, and as they read once ${…} is replaced',
    action: 'code:read',
    params: PipelinePath,
    status: 200,
    ok: z.object({
      commit: z.string(),
      isAsPlanned: z.boolean().meta({
        description: 'false: the pipeline is older than the record of its settings, and was read with those of today',
      }),
      hidesVariables: z
        .boolean()
        .meta({ description: 'Whether values of project variables read *** because you may not read them' }),
      problem: z.string().nullable().meta({ description: 'Why there is no reading, as a sentence' }),
      files: z.array(ResolvedFileView),
    }),
    errors: ['PIPELINE_NOT_FOUND', 'PIPELINE_FILE_MISSING'],
  },
  listStepVariables: {
    method: 'get',
    path: '/api/v1/projects/{owner}/{project}/pipelines/{number}/steps/{step}/variables',
    summary: 'The environment that a step was given, with secrets by name, and what its conditions compared with',
    action: 'pipeline:read',
    params: StepPath,
    status: 200,
    ok: z.object({
      workflow: z.string(),
      step: z.string(),
      hasStarted: z.boolean(),
      hidesVariables: z.boolean(),
      variables: z.array(VariableOfStepView),
      conditions: z.array(ConditionValueView),
    }),
    errors: ['PIPELINE_NOT_FOUND', 'STEP_NOT_FOUND'],
  },
  getPipelineTimes: {
    method: 'get',
    path: '/api/v1/projects/{owner}/{project}/pipelines/{number}/times',
    summary: 'How long each step waited, was prepared and ran, beside the last pipelines of its branch that passed',
    action: 'pipeline:read',
    params: PipelinePath,
    status: 200,
    ok: z.object({
      branch: z.string(),
      comparedWith: z.int().meta({ description: 'How many pipelines it is compared with, at most' }),
      createdAt: instant,
      workflows: z.array(
        z.object({
          name: z.string(),
          queuedAt: instant.nullable(),
          startedAt: instant.nullable(),
          finishedAt: instant.nullable(),
        }),
      ),
      steps: z.array(StepTimesView).meta({ description: 'Of the present attempt, in the order of the file' }),
    }),
    errors: ['PIPELINE_NOT_FOUND'],
  },
  getPipelineFileSchema: {
    method: 'get',
    path: '/api/v1/gantry-yml.schema.json',
    summary: 'The JSON schema of one document of .gantry.yml, for editors',
    action: 'site:visit',
    status: 200,
    ok: z.record(z.string(), z.unknown()),
    errors: [],
    hasEtag: true,
  },
  listPipelineFiles: {
    method: 'get',
    path: '/api/v1/projects/{owner}/{project}/pipeline-files',
    summary: 'The files that say what is run, on the default branch or another',
    action: 'code:read',
    params: ProjectPath,
    query: z.object({
      ref: z
        .string()
        .min(1)
        .max(300)
        .optional()
        .meta({ description: 'Branch, tag or commit; default: the default branch' }),
    }),
    status: 200,
    ok: z.object({
      ref: z.string(),
      commit: z.string().nullable().meta({ description: 'null: nothing was pushed yet' }),
      files: z.array(
        z.object({
          path: z.string(),
          text: z.string().nullable().meta({ description: 'null: too large to be shown' }),
          isChosen: z.boolean().meta({ description: 'false: another file comes before it, and it does not count' }),
        }),
      ),
    }),
    errors: ['PROJECT_NOT_FOUND', 'REF_NOT_FOUND'],
  },
  previewPipeline: {
    method: 'post',
    path: '/api/v1/projects/{owner}/{project}/pipeline-preview',
    summary: 'What pipeline files would run at an event, and by which rules; nothing is started',
    action: 'code:read',
    params: ProjectPath,
    body: z.object({
      files: z.array(FileText).min(1).max(20).meta({ description: 'Together 1 MiB at most' }),
      event: z.enum(previewEvents).default('push'),
      branch: z
        .string()
        .min(1)
        .max(300)
        .optional()
        .meta({ description: 'Branch, or name of the tag; default: the default branch' }),
      target: z.string().max(100).optional(),
      cron: z.string().max(100).optional(),
      changedPaths: z
        .array(z.string().max(1_000))
        .max(1_000)
        .optional()
        .meta({ description: 'Absent: not known, and conditions on paths count as met' }),
      message: z.string().max(10_000).optional().meta({ description: 'Default: that of the newest commit' }),
      parameters: z.record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/), z.string().max(8_192)).default({}),
    }),
    status: 200,
    ok: PipelinePreview,
    errors: ['PROJECT_NOT_FOUND', 'PIPELINE_FILE_TOO_LARGE'],
  },
} as const satisfies Record<string, Operation>;
