import { z } from 'zod';
import { instant, type Operation } from './operation.ts';
import { PipelineView } from './pipelines.ts';

const ProjectPath = z.object({ owner: z.string(), project: z.string() });
const name = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/)
  .meta({ description: 'What "cron" conditions in pipeline files compare with' });
const CronPath = ProjectPath.extend({ name: z.string().min(1).max(63) });

const expression = z
  .string()
  .min(1)
  .max(200)
  .meta({ description: 'Minute, hour, day of month, month, weekday; or @hourly, @daily, @weekly, @monthly, @yearly' });
const timeZone = z
  .string()
  .min(1)
  .max(64)
  .meta({ description: 'IANA name of the zone whose clock the expression means, e.g. "Asia/Shanghai"' });
const branch = z.string().min(1).max(200);

/** An instant, and what a clock of the cron's own zone shows then. */
const SlotView = z
  .object({
    at: instant,
    local: z.string().meta({ description: '"2026-03-29 03:00 (UTC+2)"' }),
  })
  .meta({ id: 'Slot' });
export type SlotView = z.infer<typeof SlotView>;

export const CronView = z
  .object({
    name: z.string(),
    expression,
    timeZone,
    branch: z.string(),
    isEnabled: z.boolean(),
    sentence: z.string().meta({ description: 'When it runs, in the language asked for' }),
    next: SlotView.nullable().meta({ description: 'null while it is disabled' }),
    last: SlotView.nullable().meta({ description: 'The slot that ran last' }),
    createdAt: instant,
    createdBy: z.string(),
  })
  .meta({ id: 'Cron', description: 'A pipeline on a branch at the times that an expression names' });
export type CronView = z.infer<typeof CronView>;

export const CronPreview = z
  .object({
    sentence: z.string().meta({ description: 'When it runs, in the language asked for' }),
    next: z.array(SlotView).meta({ description: 'The next five' }),
  })
  .meta({ id: 'CronPreview' });

export const cronOperations = {
  listCrons: {
    method: 'get',
    path: '/api/v1/projects/{owner}/{project}/crons',
    summary: 'Schedules of a project, by name',
    action: 'cron:read',
    params: ProjectPath,
    status: 200,
    ok: z.object({ items: z.array(CronView) }),
    errors: ['PROJECT_NOT_FOUND'],
  },
  createCron: {
    method: 'post',
    path: '/api/v1/projects/{owner}/{project}/crons',
    summary: 'Run a pipeline on a branch at certain times',
    action: 'cron:write',
    params: ProjectPath,
    body: z.object({
      name,
      expression,
      timeZone: timeZone.default('UTC'),
      branch: branch.optional().meta({ description: 'Default: the default branch' }),
      isEnabled: z.boolean().default(true),
    }),
    status: 201,
    ok: CronView,
    errors: ['PROJECT_NOT_FOUND', 'CRON_INVALID', 'CRON_EXISTS', 'CRON_LIMIT', 'REF_NOT_FOUND'],
    isIdempotent: true,
  },
  updateCron: {
    method: 'patch',
    path: '/api/v1/projects/{owner}/{project}/crons/{name}',
    summary: 'Change a schedule, or switch it on or off; what is not named stays',
    action: 'cron:write',
    params: CronPath,
    body: z.object({
      name: name.optional(),
      expression: expression.optional(),
      timeZone: timeZone.optional(),
      branch: branch.optional(),
      isEnabled: z.boolean().optional(),
    }),
    status: 200,
    ok: CronView,
    errors: ['PROJECT_NOT_FOUND', 'CRON_NOT_FOUND', 'CRON_INVALID', 'CRON_EXISTS', 'REF_NOT_FOUND'],
  },
  removeCron: {
    method: 'delete',
    path: '/api/v1/projects/{owner}/{project}/crons/{name}',
    summary: 'Remove a schedule; the pipelines that it started stay',
    action: 'cron:write',
    params: CronPath,
    status: 204,
    errors: ['PROJECT_NOT_FOUND', 'CRON_NOT_FOUND'],
  },
  runCron: {
    method: 'post',
    path: '/api/v1/projects/{owner}/{project}/crons/{name}/run',
    summary: 'Start now what a schedule starts; its next time stays as it is',
    action: 'pipeline:run',
    params: CronPath,
    status: 202,
    ok: PipelineView,
    errors: [
      'PROJECT_NOT_FOUND',
      'CRON_NOT_FOUND',
      'REF_NOT_FOUND',
      'PIPELINE_FILE_MISSING',
      'NO_PIPELINE_MATCHED',
      'EVENT_SWITCHED_OFF',
    ],
    isIdempotent: true,
  },
  previewCron: {
    method: 'post',
    path: '/api/v1/crons/preview',
    summary: 'What a cron expression means, and when it comes next',
    action: 'account:read',
    body: z.object({ expression, timeZone: timeZone.default('UTC') }),
    status: 200,
    ok: CronPreview,
    errors: ['CRON_INVALID'],
  },
} as const satisfies Record<string, Operation>;
