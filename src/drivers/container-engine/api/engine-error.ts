/** The engine refused a call. */
export class EngineError extends Error {
  override readonly name = 'EngineError';
  /** HTTP status. */
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** The engine did not answer a call: away, restarting or hung. */
export class EngineUnreachable extends Error {
  override readonly name = 'EngineUnreachable';
}

export function isNotFound(error: unknown): boolean {
  return error instanceof EngineError && error.status === 404;
}
