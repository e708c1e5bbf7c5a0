import { type YamlPlace, yamlPlace } from './yaml-place.ts';

/** JSON Schema, as far as that of `.gantry.yml` goes. */
export interface EditorSchema {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly enum?: readonly string[];
  readonly const?: string;
  readonly anyOf?: readonly EditorSchema[];
  readonly items?: EditorSchema;
  readonly properties?: Readonly<Record<string, EditorSchema>>;
  readonly additionalProperties?: boolean | EditorSchema;
  readonly description?: string;
  readonly definitions?: Readonly<Record<string, EditorSchema>>;
}

export interface Suggestion {
  readonly label: string;
  /** What takes the place of what is typed. */
  readonly insert: string;
  readonly kind: 'text' | 'list' | 'map' | 'value';
  readonly description: string | undefined;
}

export interface Suggestions {
  readonly from: number;
  readonly items: readonly Suggestion[];
}

/**
 * What may stand at the cursor of a `.gantry.yml`: keys that its map does not have yet, or the values of a key that takes
 * only some. What contains the typed letters is kept, what begins with them comes first. `undefined`: nothing to say.
 */
export function suggestAt(schema: EditorSchema, text: string, cursor: number): Suggestions | undefined {
  const place = yamlPlace(text, cursor);
  if (!place) return undefined;
  const here = place.path.reduce<readonly EditorSchema[]>(
    (found, part) => found.flatMap((one) => inside(schema, one, part)),
    expand(schema, schema),
  );
  const all = place.key === undefined ? keysOf(schema, here, place) : valuesOf(schema, here, place.key);
  const typed = place.typed.toLowerCase();
  const fitting = all.filter(({ label }) => label.toLowerCase().includes(typed));
  // Nothing to add where it stands already.
  if (fitting.length === 0 || (fitting.length === 1 && fitting[0]?.insert.trimEnd() === place.typed)) return undefined;
  const begins = ({ label }: Suggestion): number => (label.toLowerCase().startsWith(typed) ? 0 : 1);
  return { from: place.from, items: fitting.toSorted((a, b) => begins(a) - begins(b)) };
}

/** The schemas that one may be: its references and alternatives resolved. */
function expand(root: EditorSchema, schema: EditorSchema): readonly EditorSchema[] {
  const name = schema.$ref?.replace('#/definitions/', '');
  const target = name === undefined ? undefined : root.definitions?.[name];
  if (target) return expand(root, target);
  if (schema.anyOf) return schema.anyOf.flatMap((one) => expand(root, one));
  return [schema];
}

function inside(root: EditorSchema, schema: EditorSchema, part: string): readonly EditorSchema[] {
  const found =
    part === '-'
      ? schema.items
      : (schema.properties?.[part] ??
        (typeof schema.additionalProperties === 'object' ? schema.additionalProperties : undefined));
  return found ? expand(root, found) : [];
}

function keysOf(root: EditorSchema, here: readonly EditorSchema[], place: YamlPlace): readonly Suggestion[] {
  const taken = new Set(place.siblings);
  const indent = ' '.repeat(place.column + 2);
  // Of several kinds of map it is one that knows what stands there already.
  const meant = here.filter(({ properties = {} }) => place.siblings.every((name) => name in properties));
  const seen = new Set<string>();
  return (meant.length === 0 ? here : meant).flatMap(({ properties = {} }) =>
    Object.entries(properties).flatMap(([label, schema]): readonly Suggestion[] => {
      if (taken.has(label) || seen.has(label)) return [];
      seen.add(label);
      const kind = kindOf(root, schema);
      const begin = kind === 'list' ? `:\n${indent}- ` : kind === 'map' ? `:\n${indent}` : ': ';
      return [{ label, insert: label + begin, kind, description: schema.description }];
    }),
  );
}

/** As what a value is best begun: most keys that take a list or one text stand for a list. */
function kindOf(root: EditorSchema, schema: EditorSchema): Suggestion['kind'] {
  if (schema.$ref === '#/definitions/constraint') return 'text';
  const types = expand(root, schema).flatMap(({ type = [] }) => type);
  if (types.includes('array')) return 'list';
  return types.includes('object') ? 'map' : 'text';
}

function valuesOf(root: EditorSchema, here: readonly EditorSchema[], key: string): readonly Suggestion[] {
  const values = here
    .flatMap((one) => inside(root, one, key))
    .flatMap((one) => {
      const { enum: choices = [], const: only, type = [] } = one;
      const types = [type].flat();
      const isBoolean = types.includes('boolean') && types.every((each) => each === 'boolean' || each === 'null');
      return [...choices, ...(only === undefined ? [] : [only]), ...(isBoolean ? ['true', 'false'] : [])];
    });
  return [...new Set(values)].map((label) => ({ label, insert: label, kind: 'value', description: undefined }));
}
