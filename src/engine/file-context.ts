import type { DialectRules } from './dialect-rules.ts';
import { DocumentReader } from './document-reader.ts';
import { executionNames, occasionalVariables, outsiderVariables } from './environment-names.ts';
import { type IncludedLines, placeOfLine } from './includes.ts';
import { LintReport } from './lint-report.ts';
import { LineIndex, type Position } from './source-position.ts';
import type { SourceDocument } from './split-documents.ts';
import {
  hasSubstitution,
  type KeepExpression,
  type Replacement,
  type Substituted,
  SubstitutionError,
  substitute,
  unchanged,
  type VariableLookup,
} from './substitute.ts';
import { readYaml } from './yaml/read-yaml.ts';
import { YamlError, type YamlNode } from './yaml/yaml-node.ts';

const noVariables: VariableLookup = new Map();

/** Longest part of a line that is shown as it reads after substitution. */
const maxShownLength = 500;

export type Locate = (offset: number) => Position;

export interface SubstitutedDocument {
  readonly text: string;
  readonly replacements: readonly Replacement[];
  /** Where a place of `text` stands in the file. */
  readonly locate: Locate;
}

/** Told of each document that is read, in order, with its text once `${…}` was replaced; of a matrix once for each set. */
export type TextListener = (document: SourceDocument, result: Substituted) => void;

/** One pipeline file while it is read: its text, its findings, and where everything stands. */
export class FileContext {
  readonly text: string;
  readonly rules: DialectRules;
  readonly report: LintReport;
  readonly #lines: LineIndex;
  /** Documents in which something was replaced, by the place where they begin; of a matrix the first. */
  readonly #replaced = new Map<number, { readonly end: number; readonly result: Substituted }>();

  readonly #onText: TextListener | undefined;

  readonly #keep: KeepExpression | undefined;
  /** Where lines of the text come from; empty = they are those of the file. */
  readonly #included: readonly IncludedLines[];

  constructor(
    text: string,
    rules: DialectRules,
    report: LintReport,
    onText?: TextListener,
    keep?: KeepExpression,
    included: readonly IncludedLines[] = [],
  ) {
    this.#included = included;
    this.#keep = keep;
    this.text = text;
    this.#onText = onText;
    this.rules = rules;
    this.report = report;
    this.#lines = new LineIndex(text);
  }

  positionOf(offset: number): Position {
    const at = this.#lines.at(offset);
    if (this.#included.length === 0) return at;
    const { line, within } = placeOfLine(this.#included, at.line);
    if (!within) return { line, column: at.column };
    const text = this.text.slice(this.#lines.startOf(at.line), this.#lines.startOf(at.line + 1));
    return {
      line,
      column: 1,
      within: { ...within, column: at.column, text: text.replace(/\r?\n$/, '').slice(0, maxShownLength) },
    };
  }

  /** A line, counted from 1, as it reads once `${…}` is replaced; `undefined` where nothing in it is. */
  lineAfterSubstitution(line: number): string | undefined {
    if (this.#included.length > 0) return undefined;
    const from = this.#lines.startOf(line);
    const end = this.text.indexOf('\n', from);
    const to = end < 0 ? this.text.length : end;
    for (const [start, { end: documentEnd, result }] of this.#replaced) {
      if (from < start || from > documentEnd) continue;
      const first = firstFrom(result, from - start);
      const shown = result.text.slice(first, Math.min(firstFrom(result, to - start), first + maxShownLength));
      return shown === this.text.slice(from, to) ? undefined : shown;
    }
    return undefined;
  }

  readerAt(locate: Locate): DocumentReader {
    return new DocumentReader(this.rules, this.report, locate);
  }

  /** The tree of a text, or `undefined` with a finding. */
  parsed(text: string, locate: Locate): YamlNode | undefined {
    try {
      return readYaml(text, this.rules);
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

  /**
   * The document with its `${…}` replaced, or `undefined` with a finding; names that nobody knows are found as well.
   * `variablesOf` is asked only where there is something to replace.
   */
  substituted(document: SourceDocument, variablesOf: () => VariableLookup): SubstitutedDocument | undefined {
    const result = hasSubstitution(document.text)
      ? this.#substituted(document, variablesOf(), (name, at) => {
          this.report.add(
            'substitution.unknown-name',
            at,
            `"\${${name}}" is not known when the file is read, so it becomes empty: write "$\${${name}}" for the shell`,
          );
        })
      : unchanged(document.text);
    if (!result) return undefined;
    this.#onText?.(document, result);
    return {
      text: result.text,
      replacements: result.replacements,
      locate: (offset) => this.positionOf(document.offset + result.sourceOffset(offset)),
    };
  }

  /** For a document that is not run: a bad `${` anywhere fails the whole file (pipelines.md 3). */
  checkSubstitution(document: SourceDocument): void {
    this.#substituted(document, noVariables, () => {});
  }

  #substituted(
    document: SourceDocument,
    variables: VariableLookup,
    onUnknown: (name: string, at: Position) => void,
  ): Substituted | undefined {
    try {
      const result = substitute(document.text, variables, {
        quotesNewlines: true,
        keep: this.#keep,
        onVariable: ({ name, offset, hasDefault }) => {
          const at = this.positionOf(document.offset + offset);
          if (executionNames.has(name)) {
            this.report.add(
              'substitution.frozen',
              at,
              `"\${${name}}" is replaced before the pipeline starts: write "$${name}" to see its value in the step`,
            );
          } else if (variables.get(name) === undefined) {
            // Woodpecker knows no name of Drone here, whatever the event is.
            const isOccasional =
              occasionalVariables.has(name) && !(this.rules.dialect === 'woodpecker' && name.startsWith('DRONE_'));
            if (!hasDefault && !isOccasional) onUnknown(name, at);
          } else if (outsiderVariables.has(name) && isUnsafe(variables.get(name) ?? '')) {
            this.report.add(
              'substitution.unsafe-value',
              at,
              `the value of "\${${name}}" becomes part of the file's text, and holds more than plain characters: write "$${name}" in commands`,
            );
          }
        },
      });
      if (result.text !== document.text && !this.#replaced.has(document.offset))
        this.#replaced.set(document.offset, { end: document.offset + document.text.length, result });
      return result;
    } catch (error) {
      if (!(error instanceof SubstitutionError)) throw error;
      this.report.add('substitution.syntax', this.positionOf(document.offset + error.offset), error.message);
      return undefined;
    }
  }
}

/** The first place of the replaced text that stands at this place of the source, or behind it. */
function firstFrom({ text, sourceOffset }: Substituted, sourcePlace: number): number {
  let low = 0;
  let high = text.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sourceOffset(middle) < sourcePlace) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Whether a value may change what a shell or YAML reads. */
function isUnsafe(value: string): boolean {
  return /[^\p{L}\p{N}\p{M} _./@+=,~^%-]/u.test(value);
}
