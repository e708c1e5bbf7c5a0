import { asksForNothing } from './asks-for-nothing.ts';
import type { DocumentReader, Fields } from './document-reader.ts';
import type { Workspace } from './environment.ts';
import type { EnvironmentFacts } from './environment-facts.ts';
import type { FileContext, Locate } from './file-context.ts';
import { instanceAddress } from './instance-address.ts';
import { unsupportedKeys } from './known-keys.ts';
import { maxStepsOfFile } from './pipeline-file-size.ts';
import { type Axes, matrixBlock, maxTextOfJobs, readMatrix } from './read-matrix.ts';
import type { Position } from './source-position.ts';
import { type SourceDocument, splitDocuments } from './split-documents.ts';
import type { VariableLookup } from './substitute.ts';
import type { WorkflowDraft } from './workflow-draft.ts';
import { isGoodWorkspace, plainFolder } from './workspace-folder.ts';
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

/** A container under its name, in the order of the file. */
export interface ContainerEntry extends YamlEntry {
  readonly name: string;
}

/**
 * Reads the file's only document once for each set of axis values, `${…}` replaced by what `variablesOf` gives, and
 * makes a workflow of each. A file with too many steps is refused before the rest of them is read.
 */
export function readJobs(
  file: FileContext,
  variablesOf: (axes: Axes) => VariableLookup,
  readJob: (job: JobDocument) => WorkflowDraft,
): readonly WorkflowDraft[] {
  const document = firstDocument(file);
  if (!document) {
    file.report.add('file.empty', { line: 1, column: 1 }, 'the file has no pipeline');
    return [];
  }
  const raw = hasMatrix(document.text) ? loaded(document.text, file) : undefined;
  const { sets, at } = readAxes(file, document, raw);
  const workflows: WorkflowDraft[] = [];
  let last: LoadedText | undefined = raw && { text: document.text, root: raw };
  let [steps, textLength] = [0, 0];
  for (const axes of sets.length === 0 ? [{}] : sets) {
    const read = readDocument(file, document, () => variablesOf(axes), last);
    if (!read) return [];
    last = read;
    textLength += read.text.length;
    if (textLength > maxTextOfJobs) {
      const message = `a matrix may make ${maxTextOfJobs} characters of its file, and this one makes more`;
      file.report.add('workflow.too-many', at, message);
      break;
    }
    const { reader, root } = read;
    const fields = reader.fields(root, 'the file');
    if (!fields) return [];
    const job = { axes, reader, fields, root };
    const workflow = readJob(job);
    workflows.push(workflow);
    steps += workflow.steps.length;
    if (steps <= maxStepsOfFile) continue;
    refuseSteps(job, workflow, Math.max(1, sets.length));
    break;
  }
  return workflows;
}

function refuseSteps({ reader, fields, root }: JobDocument, workflow: WorkflowDraft, jobs: number): void {
  const at = fields.get('steps')?.key ?? fields.get('pipeline')?.key ?? root;
  const given =
    jobs === 1 ? `${workflow.steps.length}` : `${workflow.steps.length} for each of ${jobs} sets of the matrix`;
  reader.add('workflow.too-many', at, `a file may have ${maxStepsOfFile} steps, and this one has ${given}`);
}

interface LoadedText {
  readonly text: string;
  readonly root: YamlNode;
}

interface ReadText extends LoadedText {
  readonly reader: DocumentReader;
}

/** With the tree of `last` when the text is the same: most sets of a matrix change no more than a variable. */
function readDocument(
  file: FileContext,
  document: SourceDocument,
  variablesOf: () => VariableLookup,
  last: LoadedText | undefined,
): ReadText | undefined {
  const substituted = file.substituted(document, variablesOf);
  if (!substituted) return undefined;
  const { text, locate } = substituted;
  const root = last?.text === text ? last.root : file.parsed(text, locate);
  if (!root) {
    if (!file.report.hasError)
      file.report.add('file.empty', file.positionOf(document.offset), 'the file has no pipeline');
    return undefined;
  }
  const reader = file.readerAt(locate);
  if (root.kind === 'map') return { text, root, reader };
  reader.add('document.shape', root, 'the file must be a map');
  return undefined;
}

/** The one that counts; a bad `${` in any other, or in a comment, fails the file all the same. */
function firstDocument(file: FileContext): SourceDocument | undefined {
  const { documents, unreadOffsets } = splitDocuments(file.text);
  for (const offset of unreadOffsets)
    file.report.add(
      'document.unread',
      file.positionOf(offset),
      'this text is not read: it stands behind the end of a document',
    );
  const [first, ...others] = documents.filter((document) => !document.isEmpty);
  for (const document of documents) if (document !== first) file.checkSubstitution(document);
  for (const other of others)
    file.report.add(
      'file.other-document',
      file.positionOf(other.offset),
      'only the first document of the file is read',
    );
  return first;
}

/** Finds the keys of a file that its system does not know, and those that Gantry does not support. */
export function refuseKeys({ reader, fields }: JobDocument, known: ReadonlySet<string>, what: string): void {
  const unsupported = unsupportedKeys[reader.rules.dialect].workflow;
  for (const [name, { key, value }] of fields) {
    if (known.has(name)) continue;
    if (!unsupported.has(name)) reader.unknownKey(key, what, known);
    else if (!asksForNothing(value)) reader.add('key.unsupported', key, `Gantry does not support "${name}" of ${what}`);
  }
}

/** Whether a key of the raw text may be `matrix`: few files have it, and only for these that text is read as well. */
function hasMatrix(text: string): boolean {
  return text.includes('matrix') || (text.includes('\\') && /\\[xuU\r\n]/.test(text));
}

/** From the raw text: what `${…}` stands for depends on it. */
function readAxes(
  file: FileContext,
  document: SourceDocument,
  raw: YamlNode | undefined,
): { readonly sets: readonly Axes[]; readonly at: Position } {
  const locate: Locate = (offset) => file.positionOf(document.offset + offset);
  const root = raw ?? loaded(matrixBlock(document.text) ?? '', file);
  const entries = root?.kind === 'map' ? root.entries : [];
  const entry = entries.findLast(({ key }) => key.kind === 'scalar' && key.text === 'matrix');
  return { sets: entry ? readMatrix(file.readerAt(locate), entry) : [], at: locate(entry?.key.offset ?? 0) };
}

/** The tree of a text that may be no YAML before `${…}` is replaced. */
function loaded(text: string, { rules }: FileContext): YamlNode | undefined {
  try {
    return readYaml(text, rules);
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
): readonly ContainerEntry[] {
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
  // Without its port, as upstream; and an address of IPv6 has colons, which no engine takes in a folder.
  const { hostname } = instanceAddress(instanceUrl);
  const host = hostname === '' || hostname.includes(':') ? 'localhost' : hostname;
  const defaults = { base: defaultBase, path: `src/${host}/${project.owner}/${project.name}` };
  const fields = reader.fields(entry?.value, '"workspace"');
  if (!entry || !fields) return defaults;
  for (const [name, { key }] of fields)
    if (name !== 'base' && name !== 'path') reader.unknownKey(key, '"workspace"', ['base', 'path']);
  const base = reader.text(fields.get('base')?.value, '"workspace.base"') || defaults.base;
  const path = reader.text(fields.get('path')?.value, '"workspace.path"') || (fields.has('base') ? '' : defaults.path);
  return workspaceOr(reader, entry.value, { base, path }, defaults);
}

function workspaceOr(reader: DocumentReader, node: YamlNode, given: Workspace, defaults: Workspace): Workspace {
  const [base, path] = [plainFolder(given.base), plainFolder(given.path).replace(/^\//, '')];
  const isClimbing = given.path.split('/').includes('..');
  if (isGoodWorkspace(base) && isGoodWorkspace(plainFolder(`${base}/${path}`)) && !isClimbing) return { base, path };
  reader.add(
    'workflow.workspace-reserved',
    node,
    `the workspace may not be "${given.base}/${given.path}": "${defaults.base}/${defaults.path}" is used`,
  );
  return defaults;
}
