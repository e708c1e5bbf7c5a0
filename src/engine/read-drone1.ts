import type { EventFacts } from './compile-input.ts';
import type { DocumentReader, Fields } from './document-reader.ts';
import type { WorkflowIdentity } from './environment-facts.ts';
import type { FileContext, Locate, SubstitutedDocument } from './file-context.ts';
import { findCycle } from './find-cycle.ts';
import { maxStepsOfFile } from './pipeline-file-size.ts';
import { findParameterFaults, type PipelineParameter, withDefaults } from './pipeline-parameters.ts';
import { maxTextOfJobs } from './read-matrix.ts';
import { readSecretDocument, type WrittenSecret } from './read-secret-document.ts';
import { readWorkflowBody, readWorkflowHeader, type WorkflowHeader } from './read-workflow.ts';
import { refuseUnknownArtifacts } from './refuse-unknown-artifacts.ts';
import { lineText, placeOf } from './source-position.ts';
import { type SourceDocument, splitDocuments } from './split-documents.ts';
import type { VariableLookup, Variables } from './substitute.ts';
import { substituteTree } from './substitute-tree.ts';
import type { Dependency, WorkflowDraft } from './workflow-draft.ts';
import type { YamlNode } from './yaml/yaml-node.ts';

const maxDocuments = 200;

/** The documents of a file, and what whoever starts it by hand may choose. */
export interface DocumentsDraft {
  readonly workflows: readonly WorkflowDraft[];
  readonly parameters: readonly PipelineParameter[];
  /** Secrets whose values stand encrypted in it; absent = none. */
  readonly secrets?: readonly WrittenSecret[];
}

/** Reads and types every document of a file in the form of Drone 1.x, which `.gantry.yml` has as well. */
export function readDrone1(
  file: FileContext,
  event: Pick<EventFacts, 'kind' | 'parameters'>,
  variablesOf: (workflow: WorkflowIdentity, parameters: Variables) => VariableLookup,
): DocumentsDraft {
  const { report } = file;
  const split = splitDocuments(file.text);
  for (const offset of split.unreadOffsets) {
    report.add(
      'document.unread',
      file.positionOf(offset),
      'this text is not read: it stands behind the end of a document',
    );
  }
  for (const comment of split.documents.filter((one) => one.isEmpty)) file.checkSubstitution(comment);
  const documents = split.documents.filter((one) => !one.isEmpty);
  if (documents.length === 0) {
    report.add('file.empty', { line: 1, column: 1 }, 'the file has no pipeline');
  }
  if (documents.length > maxDocuments) {
    const at = file.positionOf(documents[maxDocuments]?.offset ?? 0);
    report.add(
      'workflow.too-many',
      at,
      `a file may have ${maxDocuments} documents, and this one has ${documents.length}`,
    );
    return { workflows: [], parameters: [] };
  }

  const headers: { readonly document: SourceDocument; readonly root: YamlNode; readonly header: WorkflowHeader }[] = [];
  const secrets: WrittenSecret[] = [];
  for (const document of documents) {
    const root = file.parsed(document.text, (offset) => file.positionOf(document.offset + offset));
    if (!root) {
      file.checkSubstitution(document);
      continue;
    }
    const reader = file.readerAt((offset) => file.positionOf(document.offset + offset));
    if (root.kind !== 'map') {
      reader.add('document.shape', root, 'a document must be a map with "kind: pipeline"');
      continue;
    }
    const fields = reader.fields(root, 'a document');
    if (!fields || !isPipeline(reader, root, fields)) {
      if (fields && isSecret(fields)) addSecret(reader, root, fields, secrets);
      file.checkSubstitution(document);
      continue;
    }
    headers.push({ document, root, header: readWorkflowHeader(reader, root, fields) });
  }
  if (documents.length > 0 && headers.length === 0 && !report.hasError) {
    report.add('file.empty', { line: 1, column: 1 }, 'the file has no document with "kind: pipeline"');
  }

  const parameters = headers.flatMap(({ header }) => header.parameters);
  checkParameters(file, parameters, event);
  const values = withDefaults(parameters, event.parameters);
  const dependencies = readDependencies(file, headers);
  const workflows: WorkflowDraft[] = [];
  let steps = 0;
  for (const [index, { document, root, header }] of headers.entries()) {
    const dependsOn = dependencies.get(header) ?? [];
    const names = dependsOn.map(({ name }) => name);
    const refuse = (message: string): DocumentsDraft => {
      report.add('workflow.too-many', file.positionOf(document.offset + root.offset), message);
      return { workflows, parameters, secrets };
    };
    const identity = { name: header.name, type: header.type, number: index + 1, dependsOn: names };
    let textLength = 0;
    const raw: ReadText = { text: document.text, root, locate: (offset) => file.positionOf(document.offset + offset) };
    let last = raw;
    for (const matrix of header.matrix.length === 0 ? [{}] : header.matrix) {
      const read = readBody(file, document, header, () => variablesOf({ ...identity, matrix }, values), raw, last);
      if (!read) break;
      last = read;
      workflows.push({ ...read.body, dependsOn, matrix });
      steps += read.body.steps.length;
      if (steps > maxStepsOfFile) return refuse(`a file may have ${maxStepsOfFile} steps, and more stand up to here`);
      textLength += read.text.length;
      if (textLength > maxTextOfJobs)
        return refuse(`a matrix may make ${maxTextOfJobs} characters of its file, and this one makes more`);
    }
  }
  refuseUnknownArtifacts(report, workflows);
  return { workflows, parameters, secrets };
}

function isSecret(fields: Fields): boolean {
  const kind = fields.get('kind')?.value;
  return kind?.kind === 'scalar' && kind.text === 'secret';
}

/** Of several with one name the first counts, as in Drone. */
function addSecret(reader: DocumentReader, root: YamlNode, fields: Fields, secrets: WrittenSecret[]): void {
  const secret = readSecretDocument(reader, root, fields);
  const before = secret && secrets.find(({ name }) => name === secret.name);
  if (before)
    reader.add(
      'secret.duplicate',
      root,
      `a secret named "${before.name}" stands in ${lineText(before.at)} already: that one counts`,
    );
  else if (secret) secrets.push(secret);
}

/** Each name stands once in a file, and the values of the event are values that they may have. */
function checkParameters(
  { report }: FileContext,
  parameters: readonly PipelineParameter[],
  event: Pick<EventFacts, 'kind' | 'parameters'>,
): void {
  const byName = new Map<string, PipelineParameter>();
  for (const parameter of parameters) {
    const { name } = parameter;
    const before = byName.get(name);
    if (before === undefined) byName.set(name, parameter);
    else {
      const message = `a parameter named "${name}" stands in ${lineText(before)} already`;
      report.add('parameter.name-duplicate', placeOf(parameter), message);
    }
  }
  const first = parameters[0] ?? { line: 1 };
  for (const { name, message } of findParameterFaults(parameters, event.parameters, event.kind))
    report.add('parameter.value', placeOf(byName.get(name) ?? first), message);
}

/** The text of a document and its tree. */
interface ReadText {
  readonly text: string;
  readonly root: YamlNode;
  readonly locate: Locate;
}

/** Whether a document is a pipeline; anything else is noted, or refused. */
function isPipeline(reader: DocumentReader, root: YamlNode, fields: Fields): boolean {
  const entry = fields.get('kind');
  if (!entry) return isPipelineWithoutKind(reader, root, fields);
  const kind = reader.text(entry.value, '"kind" of a document');
  switch (kind) {
    case 'pipeline':
      return true;
    case 'cron':
      reader.add('document.kind-no-effect', entry.value, 'a cron document has no effect, as in Drone');
      return false;
    case 'secret':
      // Its value is opened by whoever has the key.
      return false;
    case 'signature':
      // Checked where the project wants it, and by whoever has its key.
      return false;
    case 'template':
      reader.add(
        'document.kind-unsupported',
        entry.value,
        'Gantry does not support templates: put the pipeline itself into this file',
      );
      return false;
    case 'registry':
    case 'approval':
    case 'deployment':
      reader.add('document.kind-unsupported', entry.value, `Gantry does not support documents of the kind "${kind}"`);
      return false;
    default:
      reader.add('document.kind', entry.value, `"${kind ?? ''}" is no kind of document: write "kind: pipeline"`);
      return false;
  }
}

function isPipelineWithoutKind(reader: DocumentReader, root: YamlNode, fields: Fields): boolean {
  if (fields.has('steps')) {
    const steps = fields.get('steps')?.key ?? root;
    reader.add('document.kind-missing', steps, 'a document with "steps" needs "kind: pipeline"');
    return true;
  } else if (fields.has('build')) {
    const build = fields.get('build')?.key ?? root;
    reader.add(
      'dialect.unsupported',
      build,
      'this is a file for Drone 0.4 ("build:" at the top), which Gantry does not run',
    );
  } else {
    reader.add('document.kind', root, 'a document needs "kind: pipeline"');
  }
  return false;
}

/** Names that each document waits for, without those that the file does not have. */
function readDependencies(
  file: FileContext,
  headers: readonly { readonly document: SourceDocument; readonly root: YamlNode; readonly header: WorkflowHeader }[],
): ReadonlyMap<WorkflowHeader, readonly Dependency[]> {
  const byName = new Map<string, WorkflowHeader>();
  const dependencies = new Map<WorkflowHeader, readonly Dependency[]>();
  for (const { document, root, header } of headers) {
    const before = byName.get(header.name);
    if (before) {
      const at = file.positionOf(document.offset + root.offset);
      file.report.add(
        'workflow.name-duplicate',
        at,
        `a pipeline named "${header.name}" stands in ${lineText(before)} already: give this one another "name"`,
      );
    } else {
      byName.set(header.name, header);
    }
  }
  if (headers.every(({ header }) => header.dependsOn.length === 0)) return dependencies;
  for (const { document, header } of headers) {
    const known: Dependency[] = [];
    for (const { name, node } of header.dependsOn) {
      if (byName.has(name)) {
        const at = file.positionOf(document.offset + node.offset);
        if (!known.some((other) => other.name === name)) known.push({ name, isOptional: false, at });
        continue;
      }
      const isIgnored = file.rules.dialect === 'drone1';
      file.report.add(
        'workflow.dependency-unknown',
        file.positionOf(document.offset + node.offset),
        `no pipeline of this file is named "${name}"${isIgnored ? ': it is not waited for' : ''}`,
      );
    }
    dependencies.set(header, known);
  }

  const cycle = findCycle(
    new Map([...byName].map(([name, header]) => [name, (dependencies.get(header) ?? []).map((one) => one.name)])),
  );
  if (cycle) {
    const first = headers.find(({ header }) => header.name === cycle[0]);
    const node = first?.header.dependsOn[0]?.node;
    if (first && node) {
      const names = [...cycle, cycle[0]].map((name) => `"${name}"`).join(' → ');
      const at = file.positionOf(first.document.offset + node.offset);
      file.report.add('workflow.cycle', at, `pipelines wait for each other: ${names}; take one "depends_on" away`);
    }
  }
  return dependencies;
}

function readBody(
  file: FileContext,
  document: SourceDocument,
  header: WorkflowHeader,
  variablesOf: () => VariableLookup,
  raw: ReadText,
  last: ReadText,
): (ReadText & { readonly body: Omit<WorkflowDraft, 'dependsOn' | 'matrix'> }) | undefined {
  const substituted = file.substituted(document, variablesOf);
  if (!substituted) return undefined;
  // Most sets of a matrix, and most documents, change no more than a variable.
  const read = substituted.text === last.text ? last : readSubstituted(file, raw, substituted);
  if (!read) return undefined;
  const reader = file.readerAt(read.locate);
  const fields = reader.fields(read.root, 'a document');
  return fields && { ...read, body: readWorkflowBody(reader, fields, header) };
}

function readSubstituted(
  file: FileContext,
  raw: ReadText,
  { text, replacements, locate }: SubstitutedDocument,
): ReadText | undefined {
  const known = substituteTree(raw, replacements);
  if (known) return { text, root: known, locate: raw.locate };
  const root = file.parsed(text, locate);
  return root && { text, root, locate };
}
