import { z } from 'zod';
import { type ErrorCode, errorCatalogue } from '../core/errors.ts';
import { actions } from '../core/permission.ts';
import { type Operation, Problem } from './operation.ts';
import { operations } from './operations.ts';

type Json = { [key: string]: JsonValue };
type JsonValue = string | number | boolean | null | undefined | JsonValue[] | Json;

const statusOf = {
  invalid: '400',
  unauthenticated: '401',
  forbidden: '403',
  'not-found': '404',
  conflict: '409',
  'precondition-failed': '412',
  'too-large': '413',
  rule: '422',
  'rate-limited': '429',
  unavailable: '503',
} as const;

/** Every operation may answer these, whatever it lists itself. */
const common = ['REQUEST_INVALID', 'RATE_LIMITED', 'SERVER_BUSY'] as const satisfies readonly ErrorCode[];
const whenSignedIn = [
  'SIGN_IN_REQUIRED',
  'TOKEN_INVALID',
  'SCOPE_MISSING',
  'ACCESS_DENIED',
] as const satisfies readonly ErrorCode[];

let described: { readonly version: string; readonly document: Json } | undefined;

/** The API as an OpenAPI 3.1 document, made from the operation table. Made once: the table never changes. */
export function openApi(version: string): Json {
  if (described?.version !== version) described = { version, document: describe(version) };
  return described.document;
}

function describe(version: string): Json {
  const components: Json = {};
  const paths: { [path: string]: Json } = {};
  for (const [id, operation] of Object.entries(operations) as [string, Operation][])
    (paths[operation.path] ??= {})[operation.method] = describeOperation(id, operation, components);
  return {
    openapi: '3.1.1',
    info: { title: 'Gantry', version, license: { name: 'Apache-2.0', identifier: 'Apache-2.0' } },
    paths,
    components: {
      schemas: components,
      securitySchemes: {
        token: { type: 'http', scheme: 'bearer', description: 'A token of one’s own: gty_pat_…' },
        session: { type: 'apiKey', in: 'cookie', name: '__Host-gantry' },
      },
    },
  };
}

function describeOperation(id: string, operation: Operation, components: Json): Json {
  const rule = actions[operation.action];
  const parameters = [
    ...parametersOf(operation.params, 'path', components),
    ...parametersOf(operation.query, 'query', components),
    ...(operation.isIdempotent ? [header('Idempotency-Key', 'Makes a repetition of the request harmless', 255)] : []),
    ...(operation.hasEtag && operation.method === 'get' ? [header('If-None-Match', 'The ETag that one has')] : []),
    ...(operation.hasEtag && operation.method !== 'get' ? [header('If-Match', 'The ETag of what is changed')] : []),
  ];
  return {
    operationId: id,
    summary: operation.summary,
    tags: [operation.action.split(':')[0]!],
    // Who signs in gets more to see, also where nobody has to.
    security: [...(rule.on === 'anyone' ? [{}] : []), { token: [rule.scope] }, { session: [] }],
    'x-action': operation.action,
    ...(parameters.length > 0 ? { parameters } : {}),
    ...(operation.body
      ? {
          requestBody: {
            required: true,
            content: { 'application/json': { schema: schemaOf(operation.body, 'input', components) } },
          },
        }
      : {}),
    responses: { ...answerOf(operation, components), ...refusalsOf(operation, components) },
  };
}

function answerOf(operation: Operation, components: Json): Json {
  const description = operation.summary;
  if (!operation.ok) return { [operation.status]: { description } };
  const schema = schemaOf(operation.ok, 'output', components);
  return { [operation.status]: { description, content: { 'application/json': { schema } } } };
}

function refusalsOf(operation: Operation, components: Json): Json {
  const mayBeAnyone = actions[operation.action].on === 'anyone';
  const codes = [...operation.errors, ...common, ...(mayBeAnyone ? [] : whenSignedIn)] as const;
  const byStatus = Object.groupBy(new Set<ErrorCode>(codes), (code) => statusOf[errorCatalogue[code].kind]);
  const content = { 'application/problem+json': { schema: schemaOf(Problem, 'output', components) } };
  return Object.fromEntries(
    Object.entries(byStatus)
      .sort(([a], [b]) => Number(a) - Number(b))
      .map(([status, list]) => [status, { description: list.join(', '), content }]),
  );
}

function header(name: string, description: string, maxLength?: number): Json {
  return { name, in: 'header', required: false, description, schema: { type: 'string', maxLength } };
}

function parametersOf(schema: z.ZodObject | undefined, where: 'path' | 'query', components: Json): Json[] {
  if (!schema) return [];
  const { properties, required } = jsonSchema(schema, 'input', components) as { properties: Json; required?: string[] };
  return Object.entries(properties).map(([name, property]) => ({
    name,
    in: where,
    required: where === 'path' || (required?.includes(name) ?? false),
    schema: coerced(schema.shape[name] as z.ZodType, property as Json),
  }));
}

/** `z.coerce.number()` takes anything as input, and means a number. */
function coerced(schema: z.ZodType, property: Json): Json {
  if (property['type'] !== undefined || property['anyOf'] !== undefined || property['enum'] !== undefined)
    return property;
  const { $schema: _, ...output } = z.toJSONSchema(schema, { io: 'output' }) as Json;
  return { ...output, ...property };
}

function schemaOf(schema: z.ZodType, io: 'input' | 'output', components: Json): Json {
  return jsonSchema(schema, io, components);
}

/** zod's own JSON Schema, with named schemas (`.meta({ id })`) moved to the document's components. */
function jsonSchema(schema: z.ZodType, io: 'input' | 'output', components: Json): Json {
  const { $schema: _, ...json } = z.toJSONSchema(schema, { io, target: 'draft-2020-12' }) as unknown as Json;
  return lift(json, components, true) as Json;
}

function lift(value: JsonValue, components: Json, isRoot = false): JsonValue {
  if (Array.isArray(value)) return value.map((item) => lift(item, components));
  if (value === null || typeof value !== 'object') return value;
  const { $defs, id, $id: _, ...rest } = value;
  for (const [name, definition] of Object.entries(($defs ?? {}) as Json))
    components[name] = lift({ ...(definition as Json), id: undefined, $id: undefined }, components);
  const lifted = Object.fromEntries(Object.entries(rest).map(([key, entry]) => [key, lift(entry, components)]));
  if (typeof lifted['$ref'] === 'string')
    lifted['$ref'] = lifted['$ref'].replace(/^#\/\$defs\//, '#/components/schemas/');
  // A field that is called "id" is an object here; the name of a schema is a string.
  if (!isRoot || typeof id !== 'string') return id === undefined ? lifted : { id: lift(id, components), ...lifted };
  components[id] = lifted;
  return { $ref: `#/components/schemas/${id}` };
}
