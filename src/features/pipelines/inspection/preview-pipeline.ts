import type { FindingView, PipelinePreview } from '../../../api/inspection.ts';
import type { previewEvents } from '../../../api/preview-events.ts';
import { includedPlaceView } from '../../../api/views/pipeline-view.ts';
import type { PipelineError } from '../../../core/pipeline.ts';
import type { Dialect, PipelinePlan } from '../../../core/plan.ts';
import type { GitCommit } from '../../../core/repository.ts';
import { type ChosenFiles, chooseFiles, dialectOf } from '../../../engine/choose-files.ts';
import type { CompileInput, CompileResult, PipelineFile } from '../../../engine/compile-input.ts';
import type { EnvironmentFacts } from '../../../engine/environment-facts.ts';
import type { IncludedText } from '../../../engine/includes.ts';
import type { LintResult } from '../../../engine/lint-result.ts';
import { findingInChinese } from '../../../engine/lint-sentences.zh.ts';
import type { ClosedSecret } from '../file-secrets.ts';
import { traceView } from '../pipeline-views.ts';
import { conditionsOf } from './condition-views.ts';

/** The event that somebody thinks of. */
export interface ImaginedEvent {
  readonly kind: (typeof previewEvents)[number];
  /** Branch, or name of the tag. */
  readonly branch: string;
  readonly target?: string | undefined;
  readonly cron?: string | undefined;
  readonly changedPaths?: readonly string[] | undefined;
  readonly message?: string | undefined;
  readonly parameters: Readonly<Record<string, string>>;
  readonly personName: string;
  /** The commit that stands for the one to come; absent in an empty repository. */
  readonly commit?: GitCommit | undefined;
}

const noCommit = '0'.repeat(40);
/** A commit of all zeros means a reference that was deleted. */
const someCommit = '1'.repeat(40);

/** The facts of an event that has not happened. */
export function imagineEvent(event: ImaginedEvent): CompileInput['event'] {
  const { kind, branch, commit } = event;
  const message = event.message ?? commit?.message ?? '';
  return {
    kind,
    ref: refOf(kind, branch),
    branch,
    before: commit?.parents[0] ?? noCommit,
    commit: commit?.id ?? someCommit,
    message,
    authorName: commit?.authorName ?? event.personName,
    authorEmail: commit?.authorEmail ?? '',
    personName: event.personName,
    parameters: event.parameters,
    target: event.target,
    schedule: event.cron,
    changedPaths: event.changedPaths,
    ...(kind === 'pull_request'
      ? {
          pullRequest: {
            number: 1,
            title: message.split('\n', 1)[0] ?? '',
            sourceBranch: branch,
            targetBranch: branch,
            action: 'opened',
          },
        }
      : {}),
  };
}

function refOf(kind: ImaginedEvent['kind'], branch: string): string {
  if (kind === 'pull_request') return 'refs/pull/1/head';
  return kind === 'tag' ? `refs/tags/${branch}` : `refs/heads/${branch}`;
}

interface PreviewReader {
  compile(input: CompileInput): Promise<CompileResult>;
  lint(path: string, text: string, facts: EnvironmentFacts, includes?: readonly IncludedText[]): Promise<LintResult>;
}

/** What files would come to at an event: what is wrong with them, each decision, and the workflows and steps. */
export async function previewPipeline(
  reader: PreviewReader,
  input: CompileInput,
  language: 'en' | 'zh',
  findClosed: (plan: PipelinePlan) => Promise<readonly ClosedSecret[]>,
): Promise<PipelinePreview> {
  const chosen = chooseFiles(input.files, input.rules?.path);
  const [result, found] = await Promise.all([
    reader.compile(input),
    chosen ? findAll(reader, chosen, input, language) : [],
  ]);
  const closed =
    result.kind === 'planned' ? closedFindings(result.plan.path, await findClosed(result.plan), language) : [];
  const findings = [...found, ...closed];
  const [firstClosed] = closed;
  const workflows = result.kind === 'planned' && !firstClosed ? result.plan.workflows : [];
  return {
    outcome: firstClosed ? 'failed' : result.kind,
    error: result.kind === 'failed' ? errorOf(result.error, findings, language) : (firstClosed?.message ?? null),
    findings,
    decisions: result.trace
      .filter(({ rule }) => rule !== 'file.warning' && rule !== 'file.invalid')
      .map((entry) => traceView(entry, language)),
    conditions: conditionsOf(input, chosen?.dialect ?? 'gantry', {}),
    workflows: workflows.map(({ name, dependsOn, matrix = {}, steps }) => ({
      name,
      dependsOn: [...dependsOn],
      matrix: { ...matrix },
      steps: steps.map((step) => ({
        name: step.name,
        image: step.image,
        dependsOn: [...step.dependsOn],
        line: step.line,
        isSkipped: step.skipped !== undefined,
        reason: step.skipped ? traceView(step.skipped, language).sentence : null,
        background: step.background ?? null,
      })),
    })),
  };
}

/** Secrets of the file that only the server can tell of: it has the keys. */
function closedFindings(path: string, closed: readonly ClosedSecret[], language: 'en' | 'zh'): FindingView[] {
  return closed.map(({ secret: { line, column }, message }) => {
    const finding = { code: 'secret.closed', severity: 'error', message, line, column } as const;
    const told = language === 'zh' ? findingInChinese(finding) : finding;
    return { ...told, path, hint: null, substituted: null };
  });
}

/** Why it fails; it is the first error of the files, where that is told in another language. */
function errorOf({ message }: PipelineError, findings: readonly FindingView[], language: 'en' | 'zh'): string {
  const first = language === 'zh' ? findings.find(({ severity }) => severity === 'error') : undefined;
  return first?.message ?? message;
}

/** One after the other: the process that reads them takes one at a time anyway. */
async function findAll(
  reader: PreviewReader,
  { files, dialect }: ChosenFiles,
  facts: EnvironmentFacts,
  language: 'en' | 'zh',
): Promise<FindingView[]> {
  const all: FindingView[] = [];
  for (const file of files) {
    const { findings } = await reader.lint(lintPath(file, dialect), file.text, facts, file.includes);
    const told = language === 'zh' ? findings.map(findingInChinese) : findings;
    for (const { severity, code, message, line, column, hint, substituted, included } of told)
      all.push({
        path: file.path,
        severity,
        code,
        message,
        line,
        column,
        hint: hint ?? null,
        substituted: substituted ?? null,
        ...(included ? { included: includedPlaceView(included) } : {}),
      });
  }
  return all;
}

/** A file under a name of somebody's own is checked as the file that it is read as. */
function lintPath(file: PipelineFile, dialect: Dialect): string {
  if (dialectOf(file) === dialect) return file.path;
  if (dialect === 'woodpecker') return '.woodpecker.yml';
  return dialect === 'gantry' ? '.gantry.yml' : '.drone.yml';
}
