import { z } from 'zod';
import { eventKinds } from '../core/event.ts';
import { pipelineStatuses, stepStatuses, workflowStatuses } from '../core/pipeline.ts';
import { pingEvent, type WebhookEvent } from '../core/webhook.ts';
import { instant } from './operation.ts';

/*
 * What webhooks are sent. Receivers are programs of other people: a field may be added, and none is renamed or removed.
 */

const project = z.object({
  slug: z.string().meta({ description: 'owner/name' }),
  url: z.string().meta({ description: 'Its page' }),
});

const pipeline = z.object({
  number: z.int(),
  status: z.enum(pipelineStatuses).meta({ description: 'As of this event' }),
  event: z.enum(eventKinds).meta({ description: 'What started it' }),
  ref: z.string(),
  branch: z.string().meta({ description: 'For a tag, its name' }),
  commit: z.string(),
  subject: z.string().meta({ description: 'First line of the commit message, at most 200 characters' }),
  personName: z.string().meta({ description: 'Who pushed or started it' }),
  target: z.string().nullable().meta({ description: 'Where a promotion or rollback goes' }),
  createdAt: instant,
  startedAt: instant.nullable(),
  finishedAt: instant.nullable(),
  url: z.string().meta({ description: 'Its page' }),
});

const moved = {
  project,
  ref: z.string(),
  before: z.string().meta({ description: 'All zeros when it was made' }),
  after: z.string().meta({ description: 'All zeros when it was deleted' }),
  isDeleted: z.boolean(),
  personName: z.string(),
};

/** The `data` of a message, by its `type`. */
export const webhookPayloads = {
  push: z.object({ ...moved, branch: z.string() }).meta({ description: 'A branch was pushed, made or deleted' }),
  tag: z.object({ ...moved, tag: z.string() }).meta({ description: 'A tag was pushed, made or deleted' }),
  'pipeline.started': z
    .object({ project, pipeline })
    .meta({ description: 'A pipeline began to run; again with every rerun' }),
  'pipeline.finished': z
    .object({ project, pipeline })
    .meta({ description: 'A pipeline passed, failed, was cancelled, or ended for reasons of the infrastructure' }),
  'workflow.finished': z
    .object({
      project,
      pipeline,
      workflow: z.object({ name: z.string(), status: z.enum(workflowStatuses), attempt: z.int() }),
    })
    .meta({ description: 'A workflow of a pipeline ended' }),
  'step.failed': z
    .object({
      project,
      pipeline,
      step: z.object({ workflow: z.string(), name: z.string(), status: z.enum(stepStatuses), url: z.string() }),
    })
    .meta({ description: 'A step failed, or ended for reasons of the infrastructure' }),
  'project.created': z
    .object({ project })
    .meta({ description: 'A project was created: for webhooks of organisations' }),
  'project.changed': z
    .object({ project })
    .meta({ description: 'The settings of a project were changed; slug and url are the present ones' }),
  [pingEvent]: z.object({ webhook: z.int() }).meta({ description: 'A test; sent once, whatever comes of it' }),
} as const satisfies Record<WebhookEvent | typeof pingEvent, z.ZodType>;

export type WebhookPayloads = {
  readonly [Type in keyof typeof webhookPayloads]: z.output<(typeof webhookPayloads)[Type]>;
};

/** The body of the request. */
export type WebhookMessage = {
  [Type in keyof WebhookPayloads]: {
    readonly type: Type;
    /** When it happened. */
    readonly timestamp: string;
    readonly data: WebhookPayloads[Type];
  };
}[keyof WebhookPayloads];
