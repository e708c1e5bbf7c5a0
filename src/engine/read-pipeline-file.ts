import type { Dialect } from '../core/plan.ts';
import { renderingCommand } from './choose-files.ts';
import type { PipelineFile } from './compile-input.ts';
import { dialectRules } from './dialect-rules.ts';
import { substitutionVariables } from './environment.ts';
import type { EnvironmentFacts } from './environment-facts.ts';
import { FileContext, type TextListener } from './file-context.ts';
import { expandIncludes } from './includes.ts';
import { LintReport } from './lint-report.ts';
import { maxStepsOfFile } from './pipeline-file-size.ts';
import type { PipelineParameter } from './pipeline-parameters.ts';
import { type DocumentsDraft, readDrone1 } from './read-drone1.ts';
import { readDrone08 } from './read-drone08.ts';
import type { WrittenSecret } from './read-secret-document.ts';
import { readWoodpecker } from './read-woodpecker.ts';
import type { KeepExpression } from './substitute.ts';
import type { WorkflowDraft } from './workflow-draft.ts';

/** A pipeline file, read whole; what is wrong with it is in `report`, and then the drafts are not to be used. */
export interface PipelineFileDraft {
  readonly path: string;
  readonly workflows: readonly WorkflowDraft[];
  /** What whoever starts it by hand may choose. */
  readonly parameters: readonly PipelineParameter[];
  /** Secrets whose values stand encrypted in it. */
  readonly secrets: readonly WrittenSecret[];
  readonly report: LintReport;
  /** A line, counted from 1, as it reads once `${…}` is replaced; `undefined` where nothing in it is. */
  lineAfterSubstitution(line: number): string | undefined;
}

/** Reads and types a file in its dialect. Never throws for what it contains. */
export function readPipelineFile(
  { path, text, isConverted = false, includes = [] }: PipelineFile,
  dialect: Dialect,
  facts: EnvironmentFacts,
  onText?: TextListener,
  keep?: KeepExpression,
): PipelineFileDraft {
  const report = new LintReport(dialect);
  const own = text.startsWith('\uFEFF') ? text.slice(1) : text;
  const expanded = dialect === 'gantry' ? expandIncludes(own, includes) : undefined;
  for (const { line, message, within } of expanded?.faults ?? [])
    report.add('include.failed', { line, column: 1, within }, message);
  const rules = dialectRules[dialect];
  const file = new FileContext(expanded?.text ?? own, rules, report, onText, keep, expanded?.lines);
  const command = isConverted ? undefined : renderingCommand(path);
  if (command !== undefined) {
    const message = `the file is a program that writes pipelines, and nothing here runs it: commit what "${command}" writes`;
    report.add('file.program', { line: 1, column: 1 }, message);
    return { path, workflows: [], parameters: [], secrets: [], report, lineAfterSubstitution: () => undefined };
  }
  const { workflows, parameters, secrets = [] } = readIn(dialect, file, path, facts);
  return {
    path,
    workflows,
    parameters,
    secrets,
    report,
    lineAfterSubstitution: (line) => file.lineAfterSubstitution(line),
  };
}

/** The workflows of a folder may have as many steps together as one file may; one file alone is checked as it is read. */
export function refuseTooManySteps(files: readonly PipelineFileDraft[]): void {
  if (files.some(({ report }) => report.hasError)) return;
  let steps = 0;
  for (const { workflows, report } of files) {
    steps += workflows.reduce((sum, workflow) => sum + workflow.steps.length, 0);
    if (steps <= maxStepsOfFile) continue;
    const message = `all workflows together may have ${maxStepsOfFile} steps, and with this file they have ${steps}`;
    report.add('workflow.too-many', { line: 1, column: 1 }, message);
    return;
  }
}

function readIn(dialect: Dialect, file: FileContext, path: string, facts: EnvironmentFacts): DocumentsDraft {
  switch (dialect) {
    case 'drone08':
      return { workflows: readDrone08(file, facts), parameters: [] };
    case 'woodpecker':
      return { workflows: readWoodpecker(file, path, facts), parameters: [] };
    default:
      return readDrone1(file, facts.event, (workflow, parameters) =>
        substitutionVariables(facts, dialect, workflow, parameters),
      );
  }
}
