import type { ApiError } from '../api/client.ts';
import { type ErrorCode, type ErrorKind, errorCatalogue, GantryError } from '../core/errors.ts';

/** What the shell is told. `gantry help exit-codes` prints them. */
export const exitCodes = {
  done: 0,
  failed: 1,
  usage: 2,
  /** Cancelled, declined, or waiting timed out. */
  declined: 3,
  notAllowed: 4,
  /** What was watched ended badly. */
  endedBadly: 5,
  notFound: 6,
  pending: 8,
  interrupted: 130,
} as const;

const byKind: Readonly<Record<ErrorKind, number>> = {
  invalid: exitCodes.failed,
  unauthenticated: exitCodes.notAllowed,
  forbidden: exitCodes.notAllowed,
  'not-found': exitCodes.notFound,
  conflict: exitCodes.failed,
  'precondition-failed': exitCodes.failed,
  'too-large': exitCodes.failed,
  rule: exitCodes.failed,
  'rate-limited': exitCodes.failed,
  unavailable: exitCodes.failed,
};

/** Errors of how the command was called, wherever they are found. */
const usageCodes: ReadonlySet<string> = new Set<ErrorCode>(['USAGE_WRONG', 'INPUT_NEEDED', 'CONFIG_INVALID']);

/** The exit code for an error of ours or of the server. */
export function exitCodeOf(error: GantryError | ApiError): number {
  const code = error instanceof GantryError ? error.code : error.problem.code;
  if (usageCodes.has(code)) return exitCodes.usage;
  if (code in errorCatalogue) return byKind[errorCatalogue[code as ErrorCode].kind];
  return error instanceof GantryError || error.problem.status >= 500
    ? exitCodes.failed
    : byStatus(error.problem.status);
}

function byStatus(status: number): number {
  if (status === 401 || status === 403) return exitCodes.notAllowed;
  return status === 404 ? exitCodes.notFound : exitCodes.failed;
}

/** Ends the command with an exit code when everything there was to say has been said. */
export class Exit extends Error {
  override readonly name = 'Exit';
  readonly exitCode: number;

  constructor(exitCode: number) {
    super(`exit ${exitCode}`);
    this.exitCode = exitCode;
  }
}
