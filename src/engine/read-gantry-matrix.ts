import type { DocumentReader } from './document-reader.ts';
import type { Axes } from './read-matrix.ts';
import { isNull } from './yaml/scalar-type.ts';
import type { YamlEntry, YamlNode } from './yaml/yaml-node.ts';

/** As many as a matrix of Drone 0.8 and Woodpecker may have; here one that has more is refused, and not cut. */
const maxAxes = 12;
const maxSets = 200;

interface Axis {
  readonly name: string;
  readonly values: readonly string[];
}

/**
 * The sets of axis values that a `matrix` of `.gantry.yml` asks for, one workflow each: every combination of the axes,
 * without those that a set of `exclude` matches, and then what `include` adds. A set of `include` that agrees with
 * combinations in each axis that it names adds its other values to them; any other is a set of its own. None when there
 * is no matrix.
 */
export function readGantryMatrix(reader: DocumentReader, entry: YamlEntry | undefined): readonly Axes[] {
  const fields = reader.fields(entry?.value, '"matrix"');
  if (!entry || !fields) return [];
  refuseSubstitution(reader, entry.value);
  const axes: Axis[] = [];
  // Sets are named in the order of their names, as those of the other dialects are.
  for (const [name, { key, value }] of [...fields].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    if (name === 'include' || name === 'exclude') continue;
    if (isUsable(reader, key, name)) axes.push({ name, values: readValues(reader, key, value, name) });
  }
  const exclude = readSets(reader, fields.get('exclude'), 'exclude');
  const include = readSets(reader, fields.get('include'), 'include');
  for (const { set, node } of exclude)
    for (const name of Object.keys(set))
      if (!axes.some((axis) => axis.name === name))
        reader.add('matrix.axis-unknown', node, `"matrix.exclude" names "${name}", which is no axis of the matrix`);
  const count = axes.length === 0 ? 0 : axes.reduce((sets, { values }) => sets * values.length, 1);
  if (axes.length > maxAxes || count + include.length > maxSets) {
    const given = axes.length > maxAxes ? `${axes.length} axes` : `${count + include.length} sets of values`;
    const message = `a matrix may have ${maxAxes} axes and ${maxSets} sets of values, and this one has ${given}`;
    reader.add('matrix.too-large', entry.key, message);
    return [];
  }
  const combinations = combine(axes).filter((set) => !exclude.some((other) => agrees(other.set, set)));
  const sets = withIncluded(combinations, new Set(axes.map(({ name }) => name)), include);
  if (sets.length === 0 && !reader.report.hasError)
    reader.add('matrix.empty', entry.key, 'the matrix has no set of values, so that nothing would run');
  return sets;
}

function combine(axes: readonly Axis[]): readonly Axes[] {
  if (axes.length === 0) return [];
  let sets: Axes[] = [{}];
  for (const { name, values } of axes) sets = sets.flatMap((set) => values.map((value) => ({ ...set, [name]: value })));
  return sets;
}

function withIncluded(
  combinations: readonly Axes[],
  axes: ReadonlySet<string>,
  include: readonly { readonly set: Axes }[],
): readonly Axes[] {
  const extended = [...combinations];
  const own: Axes[] = [];
  for (const { set } of include) {
    const named = Object.fromEntries(Object.entries(set).filter(([name]) => axes.has(name)));
    let isOwn = true;
    combinations.forEach((combination, index) => {
      if (!agrees(named, combination)) return;
      isOwn = false;
      extended[index] = { ...extended[index], ...set };
    });
    if (isOwn) own.push(set);
  }
  return [...extended, ...own];
}

/** Whether a set holds every value of another one. */
function agrees(wanted: Axes, set: Axes): boolean {
  return Object.entries(wanted).every(([name, value]) => Object.hasOwn(set, name) && set[name] === value);
}

function readValues(reader: DocumentReader, key: YamlNode, node: YamlNode, name: string): readonly string[] {
  const values = reader
    .items(node, `the axis "${name}" of the matrix`)
    .map((item) => (isNull(item) ? '' : (reader.text(item, `each value of the axis "${name}"`) ?? '')));
  if (values.length === 0 && node.kind !== 'map')
    reader.add('matrix.axis-empty', key, `the axis "${name}" of the matrix has no values`);
  const twice = values.find((value, index) => values.indexOf(value) < index);
  if (twice !== undefined)
    reader.add('matrix.value-duplicate', node, `the axis "${name}" of the matrix has the value "${twice}" twice`);
  return values;
}

function readSets(
  reader: DocumentReader,
  entry: YamlEntry | undefined,
  word: 'include' | 'exclude',
): readonly { readonly set: Axes; readonly node: YamlNode }[] {
  if (!entry || isNull(entry.value)) return [];
  if (entry.value.kind !== 'list') {
    reader.add('matrix.axis-type', entry.value, `"matrix.${word}" must be a list of maps`);
    return [];
  }
  return entry.value.items.map((node) => {
    const values: [string, string][] = [];
    for (const [name, { key, value }] of reader.fields(node, `a set of "matrix.${word}"`) ?? []) {
      const text = isNull(value) ? '' : reader.text(value, `"${name}" of the matrix`);
      if (text !== undefined && isUsable(reader, key, name)) values.push([name, text]);
    }
    if (node.kind === 'map' && node.entries.length === 0)
      reader.add('matrix.axis-type', node, `a set of "matrix.${word}" needs a value`);
    return { set: Object.fromEntries(values), node };
  });
}

/** Axes are variables of the steps, and `${NAME}` in the file. */
function isUsable(reader: DocumentReader, key: YamlNode, name: string): boolean {
  const isGood = /^[A-Za-z_]\w*$/.test(name);
  if (!isGood)
    reader.add('matrix.axis-name', key, `an axis is a variable of the steps, and "${name}" is no name of one`);
  return isGood;
}

/** The values are what `${…}` is replaced by: nothing is replaced in them. */
function refuseSubstitution(reader: DocumentReader, node: YamlNode): void {
  if (node.kind === 'scalar') {
    if (node.text.includes('${'))
      reader.add(
        'matrix.substitution',
        node,
        'the values of a matrix are read before "${…}" is replaced: write them out',
      );
    return;
  }
  const children = node.kind === 'list' ? node.items : node.entries.map((entry) => entry.value);
  for (const child of children) refuseSubstitution(reader, child);
}
