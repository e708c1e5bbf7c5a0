import { z } from 'zod';
import type { ErrorCode } from '../core/errors.ts';
import type { Action } from '../core/permission.ts';

/** An operation as plain data: routes, OpenAPI, typed client, permission tests and documentation all come from this. */
export interface Operation {
  readonly method: 'get' | 'post' | 'put' | 'patch' | 'delete';
  readonly path: `/api/v1/${string}`;
  readonly summary: string;
  /** Policy. What it is about is read from the path: `{owner}` and `{project}`, or `{owner}` alone. */
  readonly action: Action;
  /** Body field that names the owner where the path does not (creating a project). */
  readonly ownerFrom?: 'body';
  readonly params?: z.ZodObject;
  readonly query?: z.ZodObject;
  readonly body?: z.ZodType;
  readonly status: 200 | 201 | 202 | 204;
  /** Absent for 204. */
  readonly ok?: z.ZodType;
  readonly errors: readonly ErrorCode[];
  /** Starts something: takes an Idempotency-Key. */
  readonly isIdempotent?: true;
  /** Answers with an ETag, and takes If-None-Match or If-Match. */
  readonly hasEtag?: true;
}

/** RFC 9457, with the code and hint of the error catalogue. */
export const Problem = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    code: z.string(),
    detail: z.string(),
    hint: z.string(),
    requestId: z.string(),
    errors: z.array(z.object({ pointer: z.string(), message: z.string() })).optional(),
  })
  .meta({ id: 'Problem' });
export type Problem = z.infer<typeof Problem>;

export const listOf = <Item extends z.ZodType>(item: Item) =>
  z.object({
    items: z.array(item),
    next: z.string().nullable().meta({ description: 'Cursor of the next page; null on the last' }),
  });

export const pageQuery = z.object({
  limit: z.coerce.number().int().min(1).max(100).default(30),
  after: z.string().max(200).optional(),
});

export const instant = z.iso.datetime({ precision: 3 });
