import { z } from 'zod';
import { senderProofs } from '../core/incoming-webhook.ts';
import { deliveryStatuses, pingEvent, webhookEvents } from '../core/webhook.ts';
import { instant, listOf, type Operation, pageQuery } from './operation.ts';

const ProjectPath = z.object({ owner: z.string(), project: z.string() });
const OwnerPath = z.object({ owner: z.string() });
const id = z.coerce.number().int().min(1);
const hookId = { webhook: id };
const deliveryId = { webhook: id, delivery: id };

const url = z.string().min(1).max(2_000).meta({ description: 'http:// or https://, without a name and password' });
const events = z.array(z.enum(webhookEvents)).min(1);
const header = z
  .object({ name: z.string().min(1).max(100), value: z.string().min(1).max(4_096) })
  .meta({ description: 'Sent with every delivery; the value never leaves the server but to the receiver' });

export const WebhookView = z
  .object({
    id: z.int(),
    url: z.string(),
    events: z.array(z.enum(webhookEvents)),
    isEnabled: z.boolean(),
    disabledReason: z.enum(['failing', 'gone']).nullable().meta({
      description: 'Why Gantry switched it off: nothing was delivered for days, or the receiver answered 410',
    }),
    headerName: z.string().nullable(),
    failingSince: instant.nullable().meta({ description: 'When the first try failed since the last that did not' }),
    createdAt: instant,
    createdBy: z.string(),
  })
  .meta({ id: 'Webhook', description: 'Signed requests to an address about events (Standard Webhooks 1.0)' });
export type WebhookView = z.infer<typeof WebhookView>;

const secret = z.string().nullable().meta({ description: 'whsec_…, shown this once; null when it stayed as it was' });
const WebhookWithSecret = WebhookView.extend({ secret }).meta({ id: 'WebhookWithSecret' });

const NewWebhook = z.object({
  url,
  events: events.default(['pipeline.finished']),
  isEnabled: z.boolean().default(true),
  header: header.optional(),
});
export type NewWebhookBody = z.output<typeof NewWebhook>;

const WebhookChange = z.object({
  url: url.optional(),
  events: events.optional(),
  isEnabled: z.boolean().optional(),
  header: header.nullable().optional(),
  renewSecret: z.literal(true).optional().meta({ description: 'Sign with a new secret from now on' }),
});
export type WebhookChangeBody = z.output<typeof WebhookChange>;

export const DeliveryView = z
  .object({
    id: z.int(),
    messageId: z.string().meta({ description: 'webhook-id: the same in every try' }),
    event: z.enum([...webhookEvents, pingEvent]),
    status: z.enum(deliveryStatuses),
    tries: z.int(),
    nextAt: instant.nullable().meta({ description: 'When it is tried next; null once it is settled' }),
    createdAt: instant,
    triedAt: instant.nullable(),
    durationMs: z.int().nullable(),
    responseStatus: z.int().nullable().meta({ description: 'HTTP status of the last try' }),
    problem: z.string().nullable().meta({ description: 'Why the last try failed, in the language asked for' }),
  })
  .meta({ id: 'WebhookDelivery' });
export type DeliveryView = z.infer<typeof DeliveryView>;

export const DeliveryDetail = DeliveryView.extend({
  request: z.string().meta({ description: 'The body that is sent' }),
  response: z.string().nullable().meta({ description: 'The first 4 KiB of what was last answered' }),
}).meta({ id: 'WebhookDeliveryDetail' });
export type DeliveryDetail = z.infer<typeof DeliveryDetail>;

const parameters = z.record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/), z.string().min(1).max(300)).meta({
  description: 'Parameters of the pipeline, and where in the JSON body each is: {"VERSION": "$.release.tag"}',
});
const branch = z.string().min(1).max(200);
const proof = z
  .enum(senderProofs)
  .meta({ description: 'signature: Standard Webhooks · token: the secret in X-Gantry-Token, for who cannot sign' });
const isEnabled = z.boolean();

export const IncomingWebhookView = z
  .object({
    name: z.string(),
    url: z.string().meta({ description: 'Where it is sent to' }),
    branch: z.string(),
    proof,
    parameters: z.record(z.string(), z.string()),
    isEnabled,
    lastAcceptedAt: instant.nullable(),
    createdAt: instant,
    createdBy: z.string(),
  })
  .meta({ id: 'IncomingWebhook', description: 'An address that starts a pipeline on a branch' });
export type IncomingWebhookView = z.infer<typeof IncomingWebhookView>;

const IncomingWebhookWithSecret = IncomingWebhookView.extend({ secret }).meta({ id: 'IncomingWebhookWithSecret' });
const IncomingPath = ProjectPath.extend({ name: z.string().min(1).max(63) });

/** What the sender of an incoming webhook is answered. */
export const IncomingAnswer = z.object({
  event: z.int().meta({ description: 'Id of the event that is stored now' }),
  pipeline: z
    .int()
    .nullable()
    .meta({ description: 'Number of the pipeline; null when none matched, or while it is planned' }),
  isNew: z.boolean().meta({ description: 'false: this webhook-id came before, and nothing was started again' }),
});
export type IncomingAnswer = z.infer<typeof IncomingAnswer>;

/** The operations on the webhooks of a project, and the same ones for an organisation. */
const projectWebhooks = '/api/v1/projects/{owner}/{project}/webhooks';
const organisationWebhooks = '/api/v1/organisations/{owner}/webhooks';

export const webhookOperations = {
  listWebhooks: {
    method: 'get',
    path: projectWebhooks,
    summary: 'Webhooks of a project; secrets never leave the server',
    action: 'webhook:read',
    params: ProjectPath,
    status: 200,
    ok: listOf(WebhookView),
    errors: ['PROJECT_NOT_FOUND'],
  },
  createWebhook: {
    method: 'post',
    path: projectWebhooks,
    summary: 'Tell an address of events; the secret that signs is shown this once',
    action: 'webhook:write',
    params: ProjectPath,
    body: NewWebhook,
    status: 201,
    ok: WebhookWithSecret,
    errors: ['PROJECT_NOT_FOUND', 'WEBHOOK_INVALID', 'WEBHOOK_LIMIT'],
    isIdempotent: true,
  },
  updateWebhook: {
    method: 'patch',
    path: `${projectWebhooks}/{webhook}`,
    summary: 'Change a webhook, or switch it on or off; what is not named stays',
    action: 'webhook:write',
    params: ProjectPath.extend(hookId),
    body: WebhookChange,
    status: 200,
    ok: WebhookWithSecret,
    errors: ['PROJECT_NOT_FOUND', 'WEBHOOK_NOT_FOUND', 'WEBHOOK_INVALID'],
  },
  removeWebhook: {
    method: 'delete',
    path: `${projectWebhooks}/{webhook}`,
    summary: 'Remove a webhook and the record of its deliveries',
    action: 'webhook:write',
    params: ProjectPath.extend(hookId),
    status: 204,
    errors: ['PROJECT_NOT_FOUND', 'WEBHOOK_NOT_FOUND'],
  },
  testWebhook: {
    method: 'post',
    path: `${projectWebhooks}/{webhook}/test`,
    summary: 'Send a ping, whether the webhook is on or off',
    action: 'webhook:write',
    params: ProjectPath.extend(hookId),
    status: 202,
    ok: DeliveryView,
    errors: ['PROJECT_NOT_FOUND', 'WEBHOOK_NOT_FOUND', 'WEBHOOK_LIMIT'],
    isIdempotent: true,
  },
  listWebhookDeliveries: {
    method: 'get',
    path: `${projectWebhooks}/{webhook}/deliveries`,
    summary: 'What a webhook was sent, newest first; kept for 14 days, and of what is settled the last 1,000',
    action: 'webhook:read',
    params: ProjectPath.extend(hookId),
    query: pageQuery,
    status: 200,
    ok: listOf(DeliveryView),
    errors: ['PROJECT_NOT_FOUND', 'WEBHOOK_NOT_FOUND'],
  },
  getWebhookDelivery: {
    method: 'get',
    path: `${projectWebhooks}/{webhook}/deliveries/{delivery}`,
    summary: 'A delivery with its request and what was answered last',
    action: 'webhook:read',
    params: ProjectPath.extend(deliveryId),
    status: 200,
    ok: DeliveryDetail,
    errors: ['PROJECT_NOT_FOUND', 'WEBHOOK_NOT_FOUND', 'DELIVERY_NOT_FOUND'],
  },
  redeliverWebhook: {
    method: 'post',
    path: `${projectWebhooks}/{webhook}/deliveries/{delivery}/redeliver`,
    summary: 'Send a delivery again, with the same webhook-id',
    action: 'webhook:write',
    params: ProjectPath.extend(deliveryId),
    status: 202,
    ok: DeliveryView,
    errors: ['PROJECT_NOT_FOUND', 'WEBHOOK_NOT_FOUND', 'DELIVERY_NOT_FOUND', 'WEBHOOK_LIMIT'],
    isIdempotent: true,
  },
  listOrganisationWebhooks: {
    method: 'get',
    path: organisationWebhooks,
    summary: 'Webhooks that are told of all projects of an organisation',
    action: 'organisation-webhook:read',
    params: OwnerPath,
    status: 200,
    ok: listOf(WebhookView),
    errors: ['ORGANISATION_NOT_FOUND'],
  },
  createOrganisationWebhook: {
    method: 'post',
    path: organisationWebhooks,
    summary: 'Tell an address of the events of all projects; the secret that signs is shown this once',
    action: 'organisation-webhook:write',
    params: OwnerPath,
    body: NewWebhook,
    status: 201,
    ok: WebhookWithSecret,
    errors: ['ORGANISATION_NOT_FOUND', 'WEBHOOK_INVALID', 'WEBHOOK_LIMIT'],
    isIdempotent: true,
  },
  updateOrganisationWebhook: {
    method: 'patch',
    path: `${organisationWebhooks}/{webhook}`,
    summary: 'Change a webhook of an organisation, or switch it on or off; what is not named stays',
    action: 'organisation-webhook:write',
    params: OwnerPath.extend(hookId),
    body: WebhookChange,
    status: 200,
    ok: WebhookWithSecret,
    errors: ['ORGANISATION_NOT_FOUND', 'WEBHOOK_NOT_FOUND', 'WEBHOOK_INVALID'],
  },
  removeOrganisationWebhook: {
    method: 'delete',
    path: `${organisationWebhooks}/{webhook}`,
    summary: 'Remove a webhook of an organisation and the record of its deliveries',
    action: 'organisation-webhook:write',
    params: OwnerPath.extend(hookId),
    status: 204,
    errors: ['ORGANISATION_NOT_FOUND', 'WEBHOOK_NOT_FOUND'],
  },
  testOrganisationWebhook: {
    method: 'post',
    path: `${organisationWebhooks}/{webhook}/test`,
    summary: 'Send a ping to a webhook of an organisation, whether it is on or off',
    action: 'organisation-webhook:write',
    params: OwnerPath.extend(hookId),
    status: 202,
    ok: DeliveryView,
    errors: ['ORGANISATION_NOT_FOUND', 'WEBHOOK_NOT_FOUND', 'WEBHOOK_LIMIT'],
    isIdempotent: true,
  },
  listOrganisationWebhookDeliveries: {
    method: 'get',
    path: `${organisationWebhooks}/{webhook}/deliveries`,
    summary: 'What a webhook of an organisation was sent, newest first',
    action: 'organisation-webhook:read',
    params: OwnerPath.extend(hookId),
    query: pageQuery,
    status: 200,
    ok: listOf(DeliveryView),
    errors: ['ORGANISATION_NOT_FOUND', 'WEBHOOK_NOT_FOUND'],
  },
  getOrganisationWebhookDelivery: {
    method: 'get',
    path: `${organisationWebhooks}/{webhook}/deliveries/{delivery}`,
    summary: 'A delivery of an organisation’s webhook with its request and what was answered last',
    action: 'organisation-webhook:read',
    params: OwnerPath.extend(deliveryId),
    status: 200,
    ok: DeliveryDetail,
    errors: ['ORGANISATION_NOT_FOUND', 'WEBHOOK_NOT_FOUND', 'DELIVERY_NOT_FOUND'],
  },
  redeliverOrganisationWebhook: {
    method: 'post',
    path: `${organisationWebhooks}/{webhook}/deliveries/{delivery}/redeliver`,
    summary: 'Send a delivery of an organisation’s webhook again, with the same webhook-id',
    action: 'organisation-webhook:write',
    params: OwnerPath.extend(deliveryId),
    status: 202,
    ok: DeliveryView,
    errors: ['ORGANISATION_NOT_FOUND', 'WEBHOOK_NOT_FOUND', 'DELIVERY_NOT_FOUND', 'WEBHOOK_LIMIT'],
    isIdempotent: true,
  },
  listIncomingWebhooks: {
    method: 'get',
    path: '/api/v1/projects/{owner}/{project}/incoming-webhooks',
    summary: 'Addresses to which other systems send what starts a pipeline',
    action: 'webhook:read',
    params: ProjectPath,
    status: 200,
    ok: listOf(IncomingWebhookView),
    errors: ['PROJECT_NOT_FOUND'],
  },
  createIncomingWebhook: {
    method: 'post',
    path: '/api/v1/projects/{owner}/{project}/incoming-webhooks',
    summary: 'Let another system start a pipeline on a branch; the secret is shown this once',
    action: 'webhook:write',
    params: ProjectPath,
    body: z.object({
      name: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/),
      branch: branch.optional().meta({ description: 'Default: the default branch' }),
      proof: proof.default('signature'),
      parameters: parameters.default({}),
      isEnabled: isEnabled.default(true),
    }),
    status: 201,
    ok: IncomingWebhookWithSecret,
    errors: ['PROJECT_NOT_FOUND', 'WEBHOOK_EXISTS', 'WEBHOOK_LIMIT', 'WEBHOOK_INVALID', 'REF_NOT_FOUND'],
    isIdempotent: true,
  },
  updateIncomingWebhook: {
    method: 'patch',
    path: '/api/v1/projects/{owner}/{project}/incoming-webhooks/{name}',
    summary: 'Change an incoming webhook, or switch it on or off; what is not named stays',
    action: 'webhook:write',
    params: IncomingPath,
    body: z.object({
      branch: branch.optional(),
      proof: proof.optional(),
      parameters: parameters.optional(),
      isEnabled: isEnabled.optional(),
      renewSecret: z.literal(true).optional().meta({ description: 'The secret before stops to count at once' }),
    }),
    status: 200,
    ok: IncomingWebhookWithSecret,
    errors: ['PROJECT_NOT_FOUND', 'WEBHOOK_NOT_FOUND', 'WEBHOOK_INVALID', 'REF_NOT_FOUND'],
  },
  removeIncomingWebhook: {
    method: 'delete',
    path: '/api/v1/projects/{owner}/{project}/incoming-webhooks/{name}',
    summary: 'Remove an incoming webhook; the pipelines that it started stay',
    action: 'webhook:write',
    params: IncomingPath,
    status: 204,
    errors: ['PROJECT_NOT_FOUND', 'WEBHOOK_NOT_FOUND'],
  },
} as const satisfies Record<string, Operation>;
