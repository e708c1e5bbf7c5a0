import type { z } from 'zod';
import { InvalidRequest, type RequestFault } from './problem.ts';

type Part = 'path' | 'query' | 'body';

/** Reads outside data at the door. Wrong types and keys that the schema does not know are the caller's mistake. */
export function parsePart(part: Part, schema: z.ZodType, value: unknown): unknown {
  const result = schema.safeParse(value);
  if (!result.success) {
    throw new InvalidRequest(
      result.error.issues.map((issue) => ({
        pointer: pointerTo(part, issue.path.map(String)),
        message: issue.message.charAt(0).toLowerCase() + issue.message.slice(1),
      })),
    );
  }
  // The path's parameters are those of the route, and a schema may name some of them only.
  const faults = part === 'path' ? [] : unknownKeys(part, value, result.data, []);
  if (faults.length > 0) throw new InvalidRequest(faults);
  return result.data;
}

/** Refuses what a request without such a part must not have. */
export function refusePart(part: 'query' | 'body', value: unknown): void {
  if (part === 'body' && value !== undefined)
    throw new InvalidRequest([{ pointer: '', message: 'is not expected: this operation takes no body' }]);
  if (part === 'query' && value !== null && typeof value === 'object' && Object.keys(value).length > 0)
    throw new InvalidRequest(unknownKeys(part, value, {}, []));
}

/** Schemas drop what they do not know: what was sent and is not in the result was not known. */
function unknownKeys(part: Part, sent: unknown, known: unknown, path: readonly string[]): RequestFault[] {
  if (sent === null || known === null || typeof sent !== 'object' || typeof known !== 'object') return [];
  return Object.entries(sent).flatMap(([key, value]) => {
    const here = [...path, key];
    if (!Object.hasOwn(known, key)) {
      return value === undefined ? [] : [{ pointer: pointerTo(part, here), message: 'is not known here' }];
    }
    return unknownKeys(part, value, (known as Record<string, unknown>)[key], here);
  });
}

function pointerTo(part: Part, path: readonly string[]): string {
  if (part === 'path') return `{${path.join('.')}}`;
  if (part === 'query') return `?${path.join('.')}`;
  return path.map((key) => `/${key.slice(0, 100).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
}
