import type { Dialect } from '../core/plan.ts';
import { type DialectRules, dialectRules } from './dialect-rules.ts';
import { DocumentReader, type Fields } from './document-reader.ts';
import { executionVariables, occasionalVariables, outsiderVariables, type WorkflowIdentity } from './environment.ts';
import { findCycle } from './find-cycle.ts';
import { LintReport } from './lint-report.ts';
import { readWorkflowBody, readWorkflowHeader, type WorkflowHeader } from './read-workflow.ts';
import { LineIndex, type Position } from './source-position.ts';
import { type SourceDocument, splitDocuments } from './split-documents.ts';
import { SubstitutionError, substitute, type Variables } from './substitute.ts';
import type { WorkflowDraft } from './workflow-draft.ts';
import { readYaml } from './yaml/read-yaml.ts';
import { YamlError, type YamlNode } from './yaml/yaml-node.ts';

/** A pipeline file, read whole; what is wrong with it is in `report`, and then the drafts are not to be used. */
export interface PipelineFileDraft {
  readonly workflows: readonly WorkflowDraft[];
  readonly report: LintReport;
}

const maxDocuments = 200;
const maxStepsOfFile = 1_000;

/**
 * Reads and types every document of a file. `variablesOf` gives what `${…}` may name in one of them. Never throws for
 * what a file contains.
 */
export function readPipelineFile(
  text: string,
  dialect: Dialect,
  variablesOf: (workflow: WorkflowIdentity) => Variables,
): PipelineFileDraft {
  const rules = dialectRules[dialect];
  const report = new LintReport(dialect);
  const file = new FileContext(text.replace(/^\uFEFF/, ''), rules, report);
  const split = splitDocuments(file.text);
  for (const offset of split.unreadOffsets) {
    report.add(
      'document.unread',
      file.positionOf(offset),
      'this text is not read: it stands behind the end of a document',
    );
  }
  for (const comment of split.documents.filter((one) => one.isEmpty)) checkSubstitution(file, comment);
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
    return { workflows: [], report };
  }

  const headers: { readonly document: SourceDocument; readonly root: YamlNode; readonly header: WorkflowHeader }[] = [];
  for (const document of documents) {
    const root = file.parsed(document.text, (offset) => file.positionOf(document.offset + offset));
    if (!root) {
      checkSubstitution(file, document);
      continue;
    }
    const reader = file.readerAt((offset) => file.positionOf(document.offset + offset));
    if (root.kind !== 'map') {
      reader.add('document.shape', root, 'a document must be a map with "kind: pipeline"');
      continue;
    }
    const fields = reader.fields(root, 'a document');
    if (!fields || !isPipeline(reader, root, fields)) {
      checkSubstitution(file, document);
      continue;
    }
    headers.push({ document, root, header: readWorkflowHeader(reader, root, fields) });
  }
  if (documents.length > 0 && headers.length === 0 && !report.hasError) {
    report.add('file.empty', { line: 1, column: 1 }, 'the file has no document with "kind: pipeline"');
  }

  const dependencies = readDependencies(file, headers);
  const workflows: WorkflowDraft[] = [];
  let steps = 0;
  for (const [index, { document, root, header }] of headers.entries()) {
    const dependsOn = dependencies.get(header) ?? [];
    const identity = { name: header.name, type: header.type, number: index + 1, dependsOn };
    const body = readBody(file, document, root, header, variablesOf(identity));
    if (!body) continue;
    steps += body.steps.length;
    workflows.push({ ...body, dependsOn });
  }
  if (steps > maxStepsOfFile) {
    report.add(
      'workflow.too-many',
      { line: 1, column: 1 },
      `a file may have ${maxStepsOfFile} steps, and this one has ${steps}`,
    );
  }
  return { workflows, report };
}

class FileContext {
  readonly text: string;
  readonly rules: DialectRules;
  readonly report: LintReport;
  readonly #lines: LineIndex;

  constructor(text: string, rules: DialectRules, report: LintReport) {
    this.text = text;
    this.rules = rules;
    this.report = report;
    this.#lines = new LineIndex(text);
  }

  positionOf(offset: number): Position {
    return this.#lines.at(offset);
  }

  readerAt(locate: (offset: number) => Position): DocumentReader {
    return new DocumentReader(this.rules, this.report, locate);
  }

  /** The tree of a text, or `undefined` with a finding. */
  parsed(text: string, locate: (offset: number) => Position): YamlNode | undefined {
    try {
      return readYaml(text);
    } catch (error) {
      if (!(error instanceof YamlError)) throw error;
      const isLimit = /^(nested deeper|more than)/.test(error.message);
      this.report.add(
        isLimit ? 'yaml.limit' : 'yaml.syntax',
        locate(error.offset),
        `the text cannot be read as YAML: ${error.message}`,
      );
      return undefined;
    }
  }

  /** The document with its `${…}` replaced, or `undefined` with a finding. */
  substituted(
    document: SourceDocument,
    variables: Variables,
    onUnknown: (name: string, at: Position) => void,
  ): { readonly text: string; readonly locate: (offset: number) => Position } | undefined {
    try {
      const result = substitute(document.text, variables, {
        quotesNewlines: true,
        onVariable: ({ name, offset, hasDefault }) => {
          const at = this.positionOf(document.offset + offset);
          if ((executionVariables as readonly string[]).includes(name)) {
            this.report.add(
              'substitution.frozen',
              at,
              `"\${${name}}" is replaced before the pipeline starts: write "$${name}" to see its value in the step`,
            );
          } else if (!Object.hasOwn(variables, name)) {
            if (!hasDefault && !occasionalVariables.has(name)) onUnknown(name, at);
          } else if (outsiderVariables.has(name) && isUnsafe(variables[name] ?? '')) {
            this.report.add(
              'substitution.unsafe-value',
              at,
              `the value of "\${${name}}" becomes part of the file's text, and holds more than plain characters: write "$${name}" in commands`,
            );
          }
        },
      });
      return {
        text: result.text,
        locate: (offset) => this.positionOf(document.offset + result.sourceOffset(offset)),
      };
    } catch (error) {
      if (!(error instanceof SubstitutionError)) throw error;
      this.report.add('substitution.syntax', this.positionOf(document.offset + error.offset), error.message);
      return undefined;
    }
  }
}

/** Whether a value may change what a shell or YAML reads. */
function isUnsafe(value: string): boolean {
  return /[^\p{L}\p{N}\p{M} _./@+=,~^%-]/u.test(value);
}

/** A document without a pipeline in it is substituted as well: a bad `${` anywhere fails the whole file. */
function checkSubstitution(file: FileContext, document: SourceDocument): void {
  file.substituted(document, {}, () => {});
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
    case 'signature':
      reader.add(
        'document.kind-no-effect',
        entry.value,
        'the signature is not checked: Gantry has no protected repositories',
      );
      return false;
    case 'secret':
      reader.add(
        'document.kind-unsupported',
        entry.value,
        'Gantry does not support encrypted secrets in the file: store the secret with "gantry secret set"',
      );
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
  const old = fields.get('pipeline');
  if (old) {
    reader.add(
      'dialect.unsupported',
      old.key,
      'this is a file for Drone 0.8 ("pipeline:" at the top), which Gantry does not run yet: write "kind: pipeline" with "steps:"',
    );
  } else if (fields.has('steps')) {
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
): ReadonlyMap<WorkflowHeader, readonly string[]> {
  const byName = new Map<string, WorkflowHeader>();
  const dependencies = new Map<WorkflowHeader, readonly string[]>();
  for (const { document, root, header } of headers) {
    const before = byName.get(header.name);
    if (before) {
      const at = file.positionOf(document.offset + root.offset);
      file.report.add(
        'workflow.name-duplicate',
        at,
        `a pipeline named "${header.name}" stands in line ${before.line} already: give this one another "name"`,
      );
    } else {
      byName.set(header.name, header);
    }
  }
  for (const { document, header } of headers) {
    const known: string[] = [];
    for (const { name, node } of header.dependsOn) {
      if (byName.has(name)) {
        if (!known.includes(name)) known.push(name);
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

  const cycle = findCycle(new Map([...byName].map(([name, header]) => [name, dependencies.get(header) ?? []])));
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
  rawRoot: YamlNode,
  header: WorkflowHeader,
  variables: Variables,
): Omit<WorkflowDraft, 'dependsOn'> | undefined {
  const substituted = file.substituted(document, variables, (name, at) => {
    file.report.add(
      'substitution.unknown-name',
      at,
      `"\${${name}}" is not known when the file is read, so it becomes empty: write "$\${${name}}" for the shell`,
    );
  });
  if (!substituted) return undefined;
  const root = substituted.text === document.text ? rawRoot : file.parsed(substituted.text, substituted.locate);
  if (!root) return undefined;
  const reader = file.readerAt(substituted.locate);
  const fields = reader.fields(root, 'a document');
  return fields && readWorkflowBody(reader, fields, header);
}
