import { GantryError } from '../../core/errors.ts';

const part = /\.([A-Za-z0-9_-]{1,100})|\[(\d{1,6})\]|\["([^"\\\]]{1,100})"\]/g;
const wholePath = /^\$(?:\.[A-Za-z0-9_-]{1,100}|\[\d{1,6}\]|\["[^"\\\]]{1,100}"\]){0,20}$/;
/** As many bytes as a parameter of a start by hand may have. */
const longestValue = 8_192;

/** Whether a text is a path such as `$.release.tag`, `$.commits[0].id` or `$["ref-name"]`. */
export function isBodyPath(text: string): boolean {
  return wholePath.test(text);
}

/**
 * Parameters of a pipeline out of the body of a request: texts as they are, numbers and flags as text; what is not there,
 * or null, is left out. Throws REQUEST_INVALID for a body that is no JSON, and for a value that is not one of these.
 */
export function parametersFrom(body: Buffer, paths: Readonly<Record<string, string>>): Record<string, string> {
  const names = Object.keys(paths);
  if (names.length === 0) return {};
  const root = parse(body);
  const parameters: Record<string, string> = {};
  for (const [name, path] of Object.entries(paths)) {
    const value = valueAt(root, path);
    if (value === undefined || value === null) continue;
    if (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'boolean')
      throw cannot(`${path}, which is to be ${name}, is not a text, a number or a flag`);
    const text = String(value);
    if (text.length > longestValue)
      throw cannot(`${path}, which is to be ${name}, has more than ${longestValue} characters`);
    parameters[name] = text;
  }
  return parameters;
}

function parse(body: Buffer): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch (error) {
    throw cannot('the body is not JSON', error);
  }
}

function valueAt(root: unknown, path: string): unknown {
  let value = root;
  for (const [, name, index, quoted] of path.matchAll(part)) {
    const key = name ?? quoted ?? Number(index);
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined;
    value = (value as Record<string | number, unknown>)[key];
  }
  return value;
}

function cannot(why: string, cause?: unknown): GantryError {
  return new GantryError('REQUEST_INVALID', `Cannot take parameters from the webhook: ${why}`, { cause });
}
