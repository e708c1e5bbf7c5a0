import { stderrLines } from './stderr-lines.ts';

/** error: someone must act · warn: we coped · info: a thing users would recognise happened · debug: ours. */
export type LogLevel = 'error' | 'warn' | 'info' | 'debug';

export interface Logger {
  error(message: string, fields?: Record<string, unknown>): void;
  warn(message: string, fields?: Record<string, unknown>): void;
  info(message: string, fields?: Record<string, unknown>): void;
  debug(message: string, fields?: Record<string, unknown>): void;
  /** A logger that adds these fields to every line. */
  child(fields: Record<string, unknown>): Logger;
}

const order: Record<LogLevel, number> = { error: 0, warn: 1, info: 2, debug: 3 };

/** JSON lines: the message is a fixed sentence, values are fields. `Secret`s print as `***`. */
export function jsonLogger(
  level: LogLevel,
  write: (line: string) => void = stderrLines(),
  fields: Record<string, unknown> = {},
): Logger {
  const log =
    (lineLevel: LogLevel) =>
    (message: string, more: Record<string, unknown> = {}): void => {
      if (order[lineLevel] > order[level]) return;
      write(
        `${JSON.stringify({ at: new Date().toISOString(), level: lineLevel, message, ...fields, ...more }, plain)}\n`,
      );
    };
  return {
    error: log('error'),
    warn: log('warn'),
    info: log('info'),
    debug: log('debug'),
    child: (more) => jsonLogger(level, write, { ...fields, ...more }),
  };
}

/** Errors would print as `{}`: keep what helps, the cause included. */
function plain(_key: string, value: unknown): unknown {
  if (value instanceof Error)
    return {
      name: value.name,
      message: value.message,
      stack: value.stack,
      ...(value.cause ? { cause: value.cause } : {}),
    };
  return typeof value === 'bigint' ? String(value) : value;
}

export const silentLogger: Logger = {
  error: () => {},
  warn: () => {},
  info: () => {},
  debug: () => {},
  child: () => silentLogger,
};
