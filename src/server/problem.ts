import { errorsEn } from '../api/messages/errors.en.ts';
import { errorsZh } from '../api/messages/errors.zh.ts';
import type { Problem } from '../api/operation.ts';
import { type ErrorKind, GantryError } from '../core/errors.ts';
import type { Language } from './language.ts';

export const httpStatus = {
  invalid: 400,
  unauthenticated: 401,
  forbidden: 403,
  'not-found': 404,
  conflict: 409,
  'precondition-failed': 412,
  'too-large': 413,
  rule: 422,
  'rate-limited': 429,
  unavailable: 503,
} as const satisfies Record<ErrorKind, number>;

/** Where and why a request did not fit its schema. `pointer` is a JSON pointer into the body, `?name` or `{name}`. */
export interface RequestFault {
  readonly pointer: string;
  readonly message: string;
}

/** A request that does not fit, with every place where it does not. */
export class InvalidRequest extends GantryError {
  readonly faults: readonly RequestFault[];

  constructor(faults: readonly RequestFault[]) {
    super(
      'REQUEST_INVALID',
      `Cannot read the request: ${faults.map((one) => `${one.pointer} ${one.message}`).join('; ')}`,
    );
    this.faults = faults;
  }
}

export interface ProblemContext {
  readonly language: Language;
  readonly requestId: string;
  /** Git clients show plain text to their user, and are asked for a password only by a Basic challenge. */
  readonly challenge: 'basic' | 'problem';
}

/** What is sent for an error. Of an error that we did not choose to raise, nothing but where its record is found. */
export function problemResponse(error: unknown, context: ProblemContext): Response {
  const problem = problemOf(error, context);
  const headers = new Headers({ 'Cache-Control': 'no-store', 'Content-Language': context.language });
  if (problem.status === 401)
    headers.set('WWW-Authenticate', context.challenge === 'basic' ? 'Basic realm="Gantry", charset="UTF-8"' : 'Bearer');
  const retryAfterMs = error instanceof GantryError ? error.details['retryAfterMs'] : undefined;
  if (typeof retryAfterMs === 'number') headers.set('Retry-After', String(Math.ceil(retryAfterMs / 1_000)));
  else if (problem.status === 503) headers.set('Retry-After', '5');

  if (context.challenge === 'basic') {
    headers.set('Content-Type', 'text/plain; charset=utf-8');
    return new Response(`${problem.detail}\n${problem.hint}\n`, { status: problem.status, headers });
  }
  headers.set('Content-Type', 'application/problem+json');
  return new Response(JSON.stringify(problem), { status: problem.status, headers });
}

function problemOf(error: unknown, { language, requestId }: ProblemContext): Problem {
  if (!(error instanceof GantryError)) {
    const zh = language === 'zh';
    return {
      type: 'about:blank',
      title: zh ? '服务器内部错误' : 'Internal error',
      status: 500,
      code: 'INTERNAL',
      detail: zh
        ? `无法完成请求：Gantry 出错了，编号为 ${requestId}。`
        : `Cannot answer the request: Gantry made a mistake, noted as ${requestId}`,
      hint: zh
        ? '请把这个编号告诉管理员，服务器日志中有详细记录。'
        : 'Tell an admin this number; the server log has the rest.',
      requestId,
    };
  }
  const text = language === 'zh' ? errorsZh[error.code] : errorsEn[error.code];
  return {
    type: `/docs/errors/${error.code}`,
    title: text.title,
    status: httpStatus[error.kind],
    code: error.code,
    detail: language === 'zh' ? (text.detail?.(error.details) ?? `${text.title}。（${error.message}）`) : error.message,
    hint: text.hint,
    requestId,
    ...(error instanceof InvalidRequest ? { errors: [...error.faults] } : {}),
  };
}
