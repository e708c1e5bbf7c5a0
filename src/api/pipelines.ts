import { z } from 'zod';
import { approvalStates } from '../core/approval.ts';
import { eventKinds } from '../core/event.ts';
import { roles } from '../core/permission.ts';
import { pipelineStatuses, stepStatuses, workflowStatuses } from '../core/pipeline.ts';
import { traceRules } from '../core/trace.ts';
import { instant, listOf, type Operation, pageQuery } from './operation.ts';

const ProjectPath = z.object({ owner: z.string(), project: z.string() });
const PipelinePath = ProjectPath.extend({ number: z.coerce.number().int().positive() });

export const TraceView = z
  .object({
    subject: z.object({
      kind: z.enum(['event', 'file', 'workflow', 'step']),
      workflow: z.string().optional(),
      step: z.string().optional(),
    }),
    rule: z.enum(traceRules),
    verdict: z.enum(['ran', 'skipped', 'waiting', 'blocked', 'failed', 'noted']),
    values: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
    sentence: z.string().meta({ description: 'The decision in the language asked for' }),
  })
  .meta({ id: 'TraceEntry' });
export type TraceView = z.infer<typeof TraceView>;

export const IncludedPlaceView = z
  .object({
    path: z.string().meta({ description: 'The included file; of another project owner/name@ref:path' }),
    line: z.int(),
    column: z.int(),
    text: z.string().meta({ description: 'The line itself' }),
    chain: z
      .array(z.object({ path: z.string().optional(), line: z.int() }))
      .meta({ description: 'Each include on the way to it; one without a path stands in the pipeline file itself' }),
  })
  .meta({ id: 'IncludedPlace' });
export type IncludedPlaceView = z.infer<typeof IncludedPlaceView>;

export const PipelineView = z
  .object({
    number: z.int(),
    status: z.enum(pipelineStatuses).meta({ description: 'Where the pipeline stands' }),
    event: z.enum(eventKinds),
    ref: z.string(),
    branch: z.string().meta({ description: 'The branch; for a tag, the name of the tag' }),
    commit: z.string(),
    subject: z.string(),
    authorName: z.string(),
    personName: z.string().meta({ description: 'Who pushed or started it' }),
    target: z.string().nullable().meta({ description: 'Where a promotion or rollback goes' }),
    parent: z.int().nullable().meta({
      description: 'Number of the pipeline that a promotion, a rollback or a rerun with other parameters repeats',
    }),
    cron: z.string().nullable().meta({ description: 'Name of the cron that started it' }),
    error: z
      .object({
        message: z.string(),
        path: z.string().nullable(),
        line: z.int().nullable(),
        column: z.int().nullable(),
        included: IncludedPlaceView.optional(),
      })
      .nullable()
      .meta({ description: 'Why the pipeline file did not compile' }),
    createdAt: instant,
    startedAt: instant.nullable().meta({ description: 'When its run began; a rerun begins anew' }),
    finishedAt: instant.nullable(),
  })
  .meta({ id: 'Pipeline', description: 'One run for one event' });
export type PipelineView = z.infer<typeof PipelineView>;

export const WorkflowView = z
  .object({
    name: z.string(),
    status: z.enum(workflowStatuses),
    attempt: z.int(),
    dependsOn: z.array(z.string()),
    matrix: z
      .record(z.string(), z.string())
      .meta({ description: 'Its axis values, when it is one set of a matrix; else empty' }),
    waitsFor: z.string().nullable().meta({
      description:
        'A sentence while it waits, is blocked or being cancelled, or its runner says nothing; and when it went on without a service that never answered',
    }),
    startedAt: instant.nullable(),
    finishedAt: instant.nullable(),
  })
  .meta({ id: 'Workflow' });
export type WorkflowView = z.infer<typeof WorkflowView>;

/** What a step is to the others of its workflow. */
const stepKinds = ['clone', 'step', 'service', 'detached'] as const;

export const StepView = z
  .object({
    id: z.int(),
    workflow: z.string(),
    name: z.string(),
    kind: z.enum(stepKinds).meta({
      description:
        'A `service` or a `detached` step runs beside the others, which wait until it is up; it is ended when they have ended',
    }),
    image: z.string(),
    status: z.enum(stepStatuses),
    attempt: z.int(),
    exitCode: z.int().nullable(),
    reason: z.string().nullable().meta({ description: 'Why it was skipped or ended as it did, as a sentence' }),
    reusedFrom: z
      .object({ number: z.int().meta({ description: 'Of the pipeline' }), workflow: z.string(), step: z.string() })
      .optional()
      .meta({ description: 'The step whose result stands for running this one; its log is there' }),
    pushed: z
      .array(z.object({ name: z.string(), digest: z.string() }))
      .optional()
      .meta({ description: 'What a build pushed: names with registry and tag, and the digest of the manifest' }),
    dependsOn: z.array(z.string()),
    isIgnored: z.boolean().meta({ description: 'Whether its failure does not fail the workflow' }),
    line: z.int().meta({ description: 'Its line in the pipeline file' }),
    failure: z
      .object({
        line: z.int(),
        lines: z.array(z.object({ number: z.int(), text: z.string() })),
      })
      .nullable(),
    startedAt: instant.nullable(),
    finishedAt: instant.nullable(),
  })
  .meta({ id: 'Step' });
export type StepView = z.infer<typeof StepView>;

export const PipelineDetail = PipelineView.extend({
  path: z.string().meta({ description: 'The pipeline file' }),
  message: z.string(),
  parameters: z.record(z.string(), z.string()),
  approval: z
    .enum(approvalStates)
    .nullable()
    .meta({ description: 'Whether somebody has to let it run, and whether somebody did; null = nobody was asked' }),
  isUntrusted: z
    .boolean()
    .meta({ description: 'Whether its commit comes from a fork, or from somebody who may not write to the project' }),
  pullRequest: z
    .object({ number: z.int(), title: z.string(), source: z.string(), sourceBranch: z.string() })
    .nullable(),
  workflows: z.array(WorkflowView),
  steps: z.array(StepView).meta({ description: 'Steps of the present attempt of each workflow, in order' }),
}).meta({ id: 'PipelineDetail' });
export type PipelineDetail = z.infer<typeof PipelineDetail>;

const StepPath = PipelinePath.extend({ step: z.coerce.number().int().positive() });
const atMs = z.number().meta({ description: 'Milliseconds since the step started, as its runner measured' });

export const LogOutline = z
  .object({
    lines: z.int().meta({ description: 'The last one counts although it has not ended yet' }),
    sizeBytes: z.int(),
    isEnded: z.boolean().meta({ description: 'Whether nothing will follow' }),
    isCut: z.boolean().meta({ description: 'Whether the size limit cut it' }),
    startedAt: instant.nullable(),
    lastAtMs: atMs.nullable().meta({ description: 'When its last part came' }),
    commands: z
      .array(z.object({ line: z.int(), text: z.string(), atMs }))
      .meta({ description: 'Lines that begin with "+ ": each command, printed before it ran. The first 2,000' }),
    hasMoreCommands: z.boolean(),
  })
  .meta({ id: 'LogOutline' });
export type LogOutline = z.infer<typeof LogOutline>;

const status = z.union([z.enum(pipelineStatuses), z.array(z.enum(pipelineStatuses))]);

export const PipelineParameterView = z
  .object({
    name: z.string(),
    type: z.enum(['string', 'number', 'boolean', 'choice']),
    default: z.string().meta({ description: 'Empty: none' }),
    isRequired: z.boolean(),
    options: z.array(z.string()).meta({ description: 'Of a choice' }),
    description: z.string(),
    pattern: z.string().nullable().meta({ description: 'Regular expression that the whole of a text must match' }),
  })
  .meta({ id: 'PipelineParameter' });
export type PipelineParameterView = z.infer<typeof PipelineParameterView>;

/** Become variables of every step. */
const parameters = z.record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/), z.string().max(8_192)).default({});

const ignoresReuse = z
  .boolean()
  .optional()
  .meta({ description: 'Whether steps run although earlier results could stand for them' });

export const pipelineOperations = {
  listPipelines: {
    method: 'get',
    path: '/api/v1/projects/{owner}/{project}/pipelines',
    summary: 'Pipelines of a project, newest first',
    action: 'pipeline:read',
    params: ProjectPath,
    query: pageQuery.extend({
      status: status.optional(),
      branch: z.string().max(300).optional(),
      event: z.enum(eventKinds).optional(),
    }),
    status: 200,
    ok: listOf(PipelineView),
    errors: ['PROJECT_NOT_FOUND'],
  },
  startPipeline: {
    method: 'post',
    path: '/api/v1/projects/{owner}/{project}/pipelines',
    summary: 'Start a pipeline by hand',
    action: 'pipeline:run',
    params: ProjectPath,
    body: z.object({
      ref: z.string().min(1).max(300).optional().meta({ description: 'Branch or tag; default: the default branch' }),
      parameters,
      ignoresCaches: z.boolean().optional().meta({ description: 'Whether steps run without caches' }),
      ignoresReuse,
    }),
    status: 202,
    ok: PipelineView,
    errors: [
      'PROJECT_NOT_FOUND',
      'REF_NOT_FOUND',
      'PIPELINE_FILE_MISSING',
      'NO_PIPELINE_MATCHED',
      'EVENT_SWITCHED_OFF',
      'PROJECT_ARCHIVED',
      'PARAMETER_INVALID',
    ],
    isIdempotent: true,
  },
  listPipelineParameters: {
    method: 'get',
    path: '/api/v1/projects/{owner}/{project}/pipeline-parameters',
    summary: 'What whoever starts a pipeline by hand may choose, as the file of a branch says',
    action: 'code:read',
    params: ProjectPath,
    query: z.object({
      ref: z.string().min(1).max(300).optional().meta({ description: 'Branch or tag; default: the default branch' }),
    }),
    status: 200,
    ok: z.object({
      items: z
        .array(PipelineParameterView)
        .meta({ description: 'In the order of the file; none: it takes any parameters' }),
    }),
    errors: ['PROJECT_NOT_FOUND', 'REF_NOT_FOUND'],
  },
  listPromotionTargets: {
    method: 'get',
    path: '/api/v1/projects/{owner}/{project}/pipelines/{number}/promotion-targets',
    summary: 'Targets that the pipeline file at the commit of a pipeline names',
    action: 'code:read',
    params: PipelinePath,
    status: 200,
    ok: z.object({
      items: z
        .array(
          z
            .object({
              name: z.string(),
              role: z
                .enum(roles)
                .nullable()
                .meta({ description: 'The least role for promotions to it; null = whoever may promote' }),
            })
            .meta({ id: 'PromotionTarget' }),
        )
        .meta({ description: 'In the order of the file; a promotion may name others' }),
    }),
    errors: ['PIPELINE_NOT_FOUND'],
  },
  getPipeline: {
    method: 'get',
    path: '/api/v1/projects/{owner}/{project}/pipelines/{number}',
    summary: 'One pipeline with its workflows and steps',
    action: 'pipeline:read',
    params: PipelinePath,
    status: 200,
    ok: PipelineDetail,
    errors: ['PIPELINE_NOT_FOUND'],
    hasEtag: true,
  },
  explainPipeline: {
    method: 'get',
    path: '/api/v1/projects/{owner}/{project}/pipelines/{number}/why',
    summary: 'Every decision about a pipeline, with the rule that made it',
    action: 'pipeline:read',
    params: PipelinePath,
    status: 200,
    ok: z.object({ items: z.array(TraceView) }),
    errors: ['PIPELINE_NOT_FOUND'],
  },
  listEvents: {
    method: 'get',
    path: '/api/v1/projects/{owner}/{project}/events',
    summary: 'What happened to the repository, newest first, and what came of it',
    action: 'pipeline:read',
    params: ProjectPath,
    status: 200,
    ok: z.object({
      items: z.array(
        z.object({
          kind: z.enum(eventKinds),
          ref: z.string(),
          before: z.string(),
          after: z.string(),
          personName: z.string(),
          target: z.string().nullable(),
          cron: z.string().nullable().meta({ description: 'Name of the cron that started it' }),
          createdAt: instant,
          pipeline: z.int().nullable(),
          why: z.array(TraceView),
        }),
      ),
    }),
    errors: ['PROJECT_NOT_FOUND'],
  },
  promotePipeline: {
    method: 'post',
    path: '/api/v1/projects/{owner}/{project}/pipelines/{number}/promote',
    summary: 'Run the same commit once more, towards a target',
    action: 'pipeline:run',
    params: PipelinePath,
    body: z.object({
      target: z
        .string()
        .regex(/^[A-Za-z0-9][A-Za-z0-9._/-]{0,99}$/)
        .meta({ description: 'Name of the environment, e.g. "production": what conditions on "target" compare with' }),
      event: z
        .enum(['promote', 'rollback'])
        .default('promote')
        .meta({ description: 'Whether the target goes on to this commit or back to it' }),
      parameters,
    }),
    status: 202,
    ok: PipelineView,
    errors: [
      'PIPELINE_NOT_FOUND',
      'PIPELINE_FILE_MISSING',
      'NO_PIPELINE_MATCHED',
      'EVENT_SWITCHED_OFF',
      'PROJECT_ARCHIVED',
      'PARAMETER_INVALID',
    ],
    isIdempotent: true,
  },
  cancelPipeline: {
    method: 'post',
    path: '/api/v1/projects/{owner}/{project}/pipelines/{number}/cancel',
    summary: 'Stop a pipeline that has not finished',
    action: 'pipeline:run',
    params: PipelinePath,
    status: 202,
    ok: PipelineView,
    errors: ['PIPELINE_NOT_FOUND', 'PIPELINE_ALREADY_FINISHED'],
  },
  rerunPipeline: {
    method: 'post',
    path: '/api/v1/projects/{owner}/{project}/pipelines/{number}/rerun',
    summary: 'Run a finished pipeline again: whole, what did not pass, one workflow, or with other parameters',
    action: 'pipeline:run',
    params: PipelinePath,
    body: z.union([
      z.strictObject({
        only: z.enum(['all', 'failed']).default('all').meta({
          description: 'Of a pipeline whose file did not compile, either starts a pipeline of its own: the answer',
        }),
      }),
      z.strictObject({
        workflow: z
          .string()
          .min(1)
          .max(200)
          .meta({ description: 'This one and those that depend on it; the others stay as they are' }),
      }),
      z.strictObject({
        parameters: parameters
          .removeDefault()
          .meta({ description: 'Beside those that it had, and over them. Starts a pipeline of its own: the answer' }),
        ignoresCaches: z.boolean().optional().meta({ description: 'Whether steps run without caches' }),
        ignoresReuse,
      }),
    ]),
    status: 202,
    ok: PipelineView,
    errors: [
      'PIPELINE_NOT_FOUND',
      'PIPELINE_NOT_FINISHED',
      'NOTHING_TO_RERUN',
      'WORKFLOW_NOT_FOUND',
      'PIPELINE_FILE_MISSING',
      'NO_PIPELINE_MATCHED',
      'EVENT_SWITCHED_OFF',
      'PARAMETER_INVALID',
    ],
    isIdempotent: true,
  },
  listStepAttempts: {
    method: 'get',
    path: '/api/v1/projects/{owner}/{project}/pipelines/{number}/attempts',
    summary: 'All attempts of all steps of a pipeline',
    action: 'pipeline:read',
    params: PipelinePath,
    status: 200,
    ok: z.object({ items: z.array(StepView) }),
    errors: ['PIPELINE_NOT_FOUND'],
  },
  getLogOutline: {
    method: 'get',
    path: '/api/v1/projects/{owner}/{project}/pipelines/{number}/steps/{step}/log/outline',
    summary: 'How long the log of a step is, and where its commands begin',
    action: 'pipeline:read',
    params: StepPath,
    status: 200,
    ok: LogOutline,
    errors: ['PIPELINE_NOT_FOUND', 'STEP_NOT_FOUND', 'LOG_NOT_FOUND'],
  },
  listLogTimes: {
    method: 'get',
    path: '/api/v1/projects/{owner}/{project}/pipelines/{number}/steps/{step}/log/times',
    summary: 'When the lines of a log came: one item for each chunk in which a line begins',
    action: 'pipeline:read',
    params: StepPath,
    query: z.object({
      fromLine: z.coerce.number().int().min(1).default(1),
      limit: z.coerce.number().int().min(1).max(5_000).default(1_000),
    }),
    status: 200,
    ok: z.object({
      startedAt: instant.nullable(),
      items: z.array(
        z.object({ line: z.int().meta({ description: 'This line and those up to the next item’s' }), atMs }),
      ),
      lines: z.int().meta({ description: 'Lines of the log as this answer knows it' }),
      nextLine: z.int().nullable().meta({ description: 'Ask again from this line on; null when these are all' }),
    }),
    errors: ['PIPELINE_NOT_FOUND', 'STEP_NOT_FOUND', 'LOG_NOT_FOUND'],
  },
  lintPipelineFile: {
    method: 'post',
    path: '/api/v1/lint',
    summary: 'Check a pipeline file with the server’s own reader',
    action: 'account:read',
    body: z.object({ path: z.string().max(300).default('.gantry.yml'), text: z.string().max(262_144) }),
    status: 200,
    ok: z.object({
      isValid: z.boolean(),
      findings: z.array(
        z.object({
          severity: z.enum(['error', 'warning']),
          code: z.string(),
          message: z.string(),
          line: z.int(),
          column: z.int(),
          hint: z.string().optional().meta({ description: 'What to write instead' }),
          substituted: z
            .string()
            .optional()
            .meta({ description: 'The line as it reads once ${…} is replaced, where that differs' }),
          included: IncludedPlaceView.optional().meta({ description: 'Its place where that is in an included file' }),
        }),
      ),
      workflows: z.array(z.object({ name: z.string(), steps: z.array(z.string()) })),
    }),
    errors: ['PIPELINE_FILE_TOO_LARGE'],
  },
} as const satisfies Record<string, Operation>;
