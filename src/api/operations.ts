import type { z } from 'zod';
import { accountOperations } from './accounts.ts';
import { approvalOperations } from './approvals.ts';
import { artifactOperations } from './artifacts.ts';
import { cacheOperations } from './caches.ts';
import { cronOperations } from './crons.ts';
import { fileSecretOperations } from './file-secrets.ts';
import { inspectionOperations } from './inspection.ts';
import type { Operation } from './operation.ts';
import { pipelineOperations } from './pipelines.ts';
import { projectOperations } from './projects.ts';
import { pullRequestOperations } from './pull-requests.ts';
import { secretOperations } from './secrets.ts';
import { settingsOperations } from './settings.ts';
import { webhookOperations } from './webhooks.ts';

/** Every operation of the API, by its id. */
export const operations = {
  ...accountOperations,
  ...projectOperations,
  ...secretOperations,
  ...fileSecretOperations,
  ...settingsOperations,
  ...pipelineOperations,
  ...inspectionOperations,
  ...cronOperations,
  ...pullRequestOperations,
  ...approvalOperations,
  ...artifactOperations,
  ...cacheOperations,
  ...webhookOperations,
} as const;

export type OperationId = keyof typeof operations;

type Parsed<O, K extends keyof Operation> = O extends Record<K, infer S extends z.ZodType> ? z.output<S> : undefined;

/** What a handler receives: parsed, with the defaults filled in. */
export interface OperationInput<Id extends OperationId> {
  readonly params: Parsed<(typeof operations)[Id], 'params'>;
  readonly query: Parsed<(typeof operations)[Id], 'query'>;
  readonly body: Parsed<(typeof operations)[Id], 'body'>;
}

/** What a handler answers: the fields that the schema names; others are stripped. */
export type OperationResult<Id extends OperationId> = (typeof operations)[Id] extends { ok: infer S extends z.ZodType }
  ? z.input<S>
  : void;
