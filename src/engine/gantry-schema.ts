import { type GantryKey, type GantryPlace, gantryKeys, type JsonSchema } from './gantry-keys.ts';
import { gantryKeysZh } from './gantry-keys.zh.ts';

/** A scalar: texts are taken as they stand in the file, so that `1.10` and `yes` need no quotes. */
const text: JsonSchema = { type: ['string', 'number', 'boolean', 'null'] };

const required: Readonly<Partial<Record<GantryPlace, readonly string[]>>> = {
  pipeline: ['kind'],
  includeDocument: ['include'],
  include: ['file'],
  secretDocument: ['kind', 'name', 'data'],
  // One with `build` has no image.
  step: ['name'],
  volume: ['name'],
  artifact: ['name', 'paths'],
  use: ['name'],
  cache: ['key', 'paths'],
  reuse: ['inputs'],
  mount: ['name', 'path'],
};

/** JSON Schema of one document of `.gantry.yml`, for editors. What it refuses, `gantry lint` refuses with a line. */
export function gantrySchema(language: 'en' | 'zh' = 'en'): JsonSchema & Readonly<Record<string, unknown>> {
  const places = Object.keys(gantryKeys) as GantryPlace[];
  const { constraint, include, matrix, use, ...others } = Object.fromEntries(
    places.map((place) => [
      place,
      mapOf(gantryKeys[place], required[place], language === 'zh' ? gantryKeysZh[place] : {}),
    ]),
  ) as Record<GantryPlace, JsonSchema>;
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: '.gantry.yml',
    anyOf: [
      { $ref: '#/definitions/pipeline' },
      { $ref: '#/definitions/includeDocument' },
      { $ref: '#/definitions/secretDocument' },
    ],
    definitions: {
      text,
      texts: { anyOf: [text, { type: 'array', items: text }] },
      secret: {
        type: 'object',
        properties: { from_secret: { type: 'string', description: 'Name of a secret of the project.' } },
        required: ['from_secret'],
        additionalProperties: false,
      },
      plainEnvironment: { type: ['object', 'null'], additionalProperties: text },
      environment: {
        type: ['object', 'null'],
        additionalProperties: { anyOf: [text, { $ref: '#/definitions/secret' }] },
      },
      axes: { type: 'object', additionalProperties: text },
      devices: {
        type: ['array', 'null'],
        items: {
          anyOf: [text, { type: 'object', properties: { name: text, path: text }, additionalProperties: false }],
        },
      },
      ports: { anyOf: [text, { type: 'array', items: text }] },
      constraint: { anyOf: [{ $ref: '#/definitions/texts' }, constraint] },
      use: { anyOf: [text, use] },
      include: { anyOf: [text, include] },
      matrix: { ...matrix, additionalProperties: { $ref: '#/definitions/texts' } },
      ...others,
    },
  };
}

function mapOf(
  keys: Readonly<Record<string, GantryKey>>,
  needed: readonly string[] | undefined,
  descriptions: Readonly<Record<string, string>>,
): JsonSchema {
  return {
    type: needed === undefined ? ['object', 'null'] : 'object',
    properties: Object.fromEntries(
      Object.entries(keys).map(([name, { schema, description }]) => [
        name,
        { ...schema, description: descriptions[name] ?? description },
      ]),
    ),
    ...(needed === undefined ? {} : { required: needed }),
    additionalProperties: false,
  };
}
