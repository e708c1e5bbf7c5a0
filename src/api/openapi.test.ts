import { describe, expect, it } from 'vitest';
import { openApi } from './openapi.ts';
import { operations } from './operations.ts';

type Json = Record<string, unknown>;

/** Every value below `value`, with the key it stands under. */
function* entriesOf(value: unknown): Generator<readonly [string, unknown]> {
  if (value === null || typeof value !== 'object') return;
  for (const [key, entry] of Object.entries(value)) {
    yield [key, entry];
    yield* entriesOf(entry);
  }
}

describe('the OpenAPI document', () => {
  const document = openApi('1.2.3');
  const schemas = (document['components'] as Json)['schemas'] as Json;

  it('has every operation, with its summary and what it may refuse', () => {
    const paths = document['paths'] as Record<string, Record<string, Json>>;
    for (const [id, { path, method, summary }] of Object.entries(operations))
      expect(paths[path]?.[method], id).toMatchObject({ operationId: id, summary });
    const create = paths['/api/v1/projects']?.['post'] ?? {};
    expect(create['responses']).toMatchObject({ '201': {}, '409': { description: 'PROJECT_EXISTS' } });
    expect(create['security']).toEqual([{ token: ['project:write'] }, { session: [] }]);
  });

  it('names every parameter of its paths', () => {
    for (const [path, methods] of Object.entries(document['paths'] as Record<string, Record<string, Json>>)) {
      const named = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
      for (const operation of Object.values(methods)) {
        const parameters = (operation['parameters'] ?? []) as { in: string; name: string; schema: Json }[];
        expect(parameters.filter((one) => one.in === 'path').map(({ name }) => name)).toEqual(named);
        for (const { name, schema } of parameters) expect(Object.keys(schema), `${path} ${name}`).not.toEqual([]);
      }
    }
  });

  it('refers only to schemas that are there', () => {
    const references = [...entriesOf(document)].filter(([key]) => key === '$ref').map(([, value]) => String(value));
    expect(references.length).toBeGreaterThan(50);
    for (const reference of references)
      expect(Object.keys(schemas)).toContain(/^#\/components\/schemas\/(\w+)$/.exec(reference)?.[1]);
    expect(Object.keys(schemas)).toEqual(expect.arrayContaining(['Project', 'Pipeline', 'Problem', 'Token']));
    expect(JSON.stringify(document)).not.toContain('$defs');
  });
});
