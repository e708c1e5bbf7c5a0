import type { DocumentReader, Fields } from './document-reader.ts';
import type { EnvironmentFacts, Workspace } from './environment.ts';
import type { FileContext, Locate } from './file-context.ts';
import { type Axes, matrixBlock, readMatrix } from './read-matrix.ts';
import { type SourceDocument, splitDocuments } from './split-documents.ts';
import type { Variables } from './substitute.ts';
import { readYaml } from './yaml/read-yaml.ts';
import { isNull } from './yaml/scalar-type.ts';
import { type YamlEntry, YamlError, type YamlNode } from './yaml/yaml-node.ts';

/** How files of Drone 0.8 and Woodpecker are read: one document, one job for each set of axis values (pipelines.md 2). */

/** A job's document: its values are those of one set of axes. */
export interface JobDocument {
  readonly axes: Axes;
  readonly reader: DocumentReader;
  readonly fields: Fields;
  readonly root: YamlNode;
}

/** Reads the file's only document once for each set of axis values, `${…}` replaced by what `variablesOf` gives. */
export function readJobs(file: FileContext, variablesOf: (axes: Axes) => Variables): readonly JobDocument[] {
  const document = firstDocument(file);
  if (!document) {
    file.report.add('file.empty', { line: 1, column: 1 }, 'the file has no pipeline');
    return [];
  }
  const sets = readAxes(file, document);
  const jobs: JobDocument[] = [];
  for (const axes of sets.length === 0 ? [{}] : sets) {
    const substituted = file.substituted(document, { ...variablesOf(axes), ...axes }, (name, at) => {
      file.report.add(
        'substitution.unknown-name',
        at,
        `"\${${name}}" is not known when the file is read, so it becomes empty: write "$\${${name}}" for the shell`,
      );
    });
    if (!substituted) return [];
    const root = file.parsed(substituted.text, substituted.locate);
    if (!root) return [];
    const reader = file.readerAt(substituted.locate);
    if (root.kind !== 'map') {
      reader.add('document.shape', root, 'the file must be a map');
      return [];
    }
    const fields = reader.fields(root, 'the file');
    if (!fields) return [];
    jobs.push({ axes, reader, fields, root });
  }
  return jobs;
}

function firstDocument(file: FileContext): SourceDocument | undefined {
  const [first, ...others] = splitDocuments(file.text).documents.filter((document) => !document.isEmpty);
  for (const other of others)
    file.report.add(
      'file.other-document',
      file.positionOf(other.offset),
      'only the first document of the file is read',
    );
  return first;
}

/** From the raw text: what `${…}` stands for depends on it. */
function readAxes(file: FileContext, document: SourceDocument): readonly Axes[] {
  const locate: Locate = (offset) => file.positionOf(document.offset + offset);
  const root = loaded(document.text) ?? loaded(matrixBlock(document.text) ?? '');
  if (root?.kind !== 'map') return [];
  const entry = root.entries.findLast(({ key }) => key.kind === 'scalar' && key.text === 'matrix');
  return entry ? readMatrix(file.readerAt(locate), entry) : [];
}

/** The tree of a text that may be no YAML before `${…}` is replaced. */
function loaded(text: string): YamlNode | undefined {
  try {
    return readYaml(text);
  } catch (error) {
    if (error instanceof YamlError) return undefined;
    throw error;
  }
}

/** Entries of a map of containers in their order, equal keys kept, or items of a list under their number. */
export function containerEntries(
  reader: DocumentReader,
  node: YamlNode | undefined,
  what: string,
): readonly { readonly name: string; readonly key: YamlNode; readonly value: YamlNode }[] {
  if (!node || isNull(node)) return [];
  if (node.kind === 'list') return node.items.map((value, index) => ({ name: `step-${index}`, key: value, value }));
  // Merged entries come behind the map's own; equal keys of its own are all kept.
  const fields = reader.fields(node, what);
  if (!fields || node.kind !== 'map') return [];
  const own = node.entries.filter(({ key }) => key.kind === 'scalar' && fields.has(key.text));
  const merged = [...fields.values()].filter((entry) => !node.entries.includes(entry));
  return [...own, ...merged].map(({ key, value }) => ({ name: key.kind === 'scalar' ? key.text : '', key, value }));
}

/** `base` and `path` of the workspace, with the upstream's default path `src/<host>/<owner>/<repo>`. */
export function readJobWorkspace(
  reader: DocumentReader,
  entry: YamlEntry | undefined,
  defaultBase: string,
  { project, instanceUrl }: EnvironmentFacts,
): Workspace {
  const host = URL.canParse(instanceUrl) ? new URL(instanceUrl).host : 'localhost';
  const defaults = { base: defaultBase, path: `src/${host}/${project.owner}/${project.name}` };
  const fields = reader.fields(entry?.value, '"workspace"');
  if (!entry || !fields) return defaults;
  for (const [name, { key }] of fields)
    if (name !== 'base' && name !== 'path') reader.add('key.unknown', key, `"workspace" has no key "${name}"`);
  const base = reader.text(fields.get('base')?.value, '"workspace.base"') || defaults.base;
  const path = reader.text(fields.get('path')?.value, '"workspace.path"') || (fields.has('base') ? '' : defaults.path);
  return workspaceOr(reader, entry.value, { base, path }, defaults);
}

function workspaceOr(reader: DocumentReader, node: YamlNode, given: Workspace, defaults: Workspace): Workspace {
  const parts = `${given.base}/${given.path}`.split('/').filter((part) => part !== '');
  if (
    given.base.startsWith('/') &&
    parts.length > 0 &&
    !parts.includes('..') &&
    !/[\0\n]/.test(given.base + given.path)
  )
    return { base: `/${given.base.split('/').filter(Boolean).join('/')}`, path: given.path.replace(/^\/+|\/+$/g, '') };
  reader.add(
    'workflow.workspace-reserved',
    node,
    `the workspace may not be "${given.base}/${given.path}": "${defaults.base}/${defaults.path}" is used`,
  );
  return defaults;
}
