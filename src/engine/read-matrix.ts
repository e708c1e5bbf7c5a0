import type { DocumentReader } from './document-reader.ts';
import { isVariableName } from './read-step.ts';
import { isNull } from './yaml/scalar-type.ts';
import type { YamlEntry, YamlNode } from './yaml/yaml-node.ts';

export type Axes = Readonly<Record<string, string>>;

/** What Drone 0.8 and Woodpecker make of a product: more names or sets than these are left out (pipelines.md 9.4). */
const maxNames = 12;
const maxSets = 27;
/** A list of sets has no limit upstream; the largest that was seen has 58. */
const maxIncluded = 200;

/** Characters of text, over all sets of a matrix: what a file of 12 KiB makes of the 58 sets that were seen is a sixth. */
export const maxTextOfJobs = 4 * 1024 * 1024;

/** The sets of axis values that a `matrix` asks for, one job each; none when there is no matrix. */
export function readMatrix(reader: DocumentReader, entry: YamlEntry | undefined): readonly Axes[] {
  const fields = reader.fields(entry?.value, '"matrix"');
  if (!entry || !fields) return [];
  const include = fields.get('include');
  if (include && !isNull(include.value)) return readIncluded(reader, include.value);

  const axes: { readonly name: string; readonly values: readonly string[] }[] = [];
  for (const [name, { key, value }] of [...fields].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    if (name === 'include' || !hasUsableName(reader, name, key)) continue;
    const values = readValues(reader, value, name);
    if (values === undefined) continue;
    if (values.length === 0)
      reader.add('matrix.axis-ignored', key, `the axis "${name}" has no values, so it is left out`);
    else axes.push({ name, values });
  }
  if (axes.length > maxNames)
    reader.add(
      'matrix.cut',
      entry.key,
      `the matrix has ${axes.length} axes: ${axes.length - maxNames} of them are left out`,
    );
  return product(reader, entry, axes.slice(0, maxNames));
}

function product(
  reader: DocumentReader,
  entry: YamlEntry,
  axes: readonly { readonly name: string; readonly values: readonly string[] }[],
): readonly Axes[] {
  if (axes.length === 0) return [];
  const count = axes.reduce((sets, { values }) => sets * values.length, 1);
  if (count > maxSets)
    reader.add(
      'matrix.cut',
      entry.key,
      `the matrix has ${count} sets of values: ${count - maxSets} of them are left out`,
    );
  let sets: Axes[] = [{}];
  // Cut at each axis: what comes later only makes more of them.
  for (const { name, values } of axes)
    sets = sets
      .flatMap((set) => values.slice(0, maxSets).map((value) => ({ ...set, [name]: value })))
      .slice(0, maxSets);
  return sets;
}

function readIncluded(reader: DocumentReader, node: YamlNode): readonly Axes[] {
  if (node.kind !== 'list') {
    reader.add('matrix.axis-type', node, '"matrix.include" must be a list of maps');
    return [];
  }
  if (node.items.length > maxIncluded)
    reader.add('matrix.cut', node, `"matrix.include" has ${node.items.length} sets: only ${maxIncluded} are run`);
  return node.items.slice(0, maxIncluded).map((item) => {
    const values: [string, string][] = [];
    for (const [name, { key, value }] of reader.fields(item, 'a set of "matrix.include"') ?? [])
      if (hasUsableName(reader, name, key))
        values.push([name, isNull(value) ? '' : (reader.text(value, `"${name}" of the matrix`) ?? '')]);
    return Object.fromEntries(values);
  });
}

/** Each axis is a variable of the steps. */
function hasUsableName(reader: DocumentReader, name: string, key: YamlNode): boolean {
  if (isVariableName(name)) return true;
  reader.add('matrix.axis-type', key, 'an axis of the matrix has no usable name');
  return false;
}

function readValues(reader: DocumentReader, node: YamlNode, name: string): readonly string[] | undefined {
  if (isNull(node)) return [];
  if (node.kind !== 'list') {
    reader.add('matrix.axis-type', node, `the axis "${name}" of the matrix must be a list of values`);
    return undefined;
  }
  return node.items.map((item) => (isNull(item) ? '' : (reader.text(item, `each value of the axis "${name}"`) ?? '')));
}

/**
 * The text of the top-level `matrix:` block alone, with spaces before it so that places stay the same: for a file whose
 * raw text does not load, since `{image: ${X}}` is no YAML before `${…}` is replaced (pipelines.md 2).
 */
export function matrixBlock(text: string): string | undefined {
  const found = /^matrix:.*$/m.exec(text);
  if (!found) return undefined;
  const from = found.index;
  const rest = text.slice(from + found[0].length);
  const next = /^[^\s#-]/m.exec(rest.replace(/^\n/, ' '));
  const block = text.slice(from, next ? from + found[0].length + next.index : undefined);
  return text.slice(0, from).replaceAll(/[^\n]/g, ' ') + block;
}
