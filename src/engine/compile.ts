import type { TraceEntry, TraceRule } from '../core/trace.ts';
import { chooseFiles } from './choose-files.ts';
import { type CompileInput, type CompileResult, pipelineFilePaths } from './compile-input.ts';
import { dialectRules } from './dialect-rules.ts';
import type { Finding, LintReport } from './lint-report.ts';
import { withNativeBuilds } from './native-build.ts';
import { cloneStepName } from './order-steps.ts';
import { refuseLargeFile } from './pipeline-file-size.ts';
import { planWorkflows } from './plan-workflows.ts';
import { Planning } from './planning.ts';
import type { CheckoutDraft } from './read-checkout.ts';
import { judgeHostRights } from './read-host-rights.ts';
import { type PipelineFileDraft, readPipelineFile, refuseTooManySteps } from './read-pipeline-file.ts';
import type { WrittenSecret } from './read-secret-document.ts';
import { findSkipMarker } from './skip-marker.ts';
import { watchFacts } from './watched-facts.ts';
import type { StepDraft } from './workflow-draft.ts';

/**
 * Says what a pipeline file asks for at an event: the first of the files is read whole, typed, and only then judged by
 * the event; of Woodpecker's folder all files are. Pure: the same input gives the same plan, here and in the CLI. Never
 * throws for what a file contains.
 */
export function compilePipeline(given: CompileInput): CompileResult {
  const { input, reads } = watchFacts(given);
  const trace: TraceEntry[] = [];
  const refused = refuseEvent(given);
  if (refused) return { kind: 'nothing', trace: [refused] };
  const chosen = chooseFiles(input.files, input.rules?.path);
  if (!chosen) {
    const looked = input.rules?.path ?? pipelineFilePaths.join(', ');
    return { kind: 'nothing', trace: [fileEntry('file.missing', 'skipped', { looked })] };
  }
  const { dialect } = chosen;
  for (const { path } of chosen.files) trace.push(fileEntry('file.chosen', 'noted', { path }));
  for (const path of chosen.others)
    trace.push(fileEntry('file.other-ignored', 'noted', { path, chosen: chosen.files[0].path }));
  const tooLarge = refuseLargeFile(chosen.files, trace);
  if (tooLarge) return tooLarge;

  const rules = dialectRules[dialect];
  const marker = findSkipMarker(given.event, dialect);
  if (marker !== undefined) {
    trace.push({ subject: { kind: 'event' }, rule: 'event.skip-marker', verdict: 'skipped', values: { marker } });
    return { kind: 'nothing', trace };
  }

  const written = chosen.files.map((file) => readPipelineFile(file, dialect, input));
  refuseTooManySteps(written);
  for (const { report, secrets } of written) noteStoredSecrets(report, secrets, input.secretNames);
  const files = written.map((file) => ({
    ...file,
    workflows: withNativeBuilds(file.workflows, file.report, input, input.rules ?? {}),
  }));
  for (const { report, workflows } of files)
    for (const { clone, steps } of workflows)
      judgeHostRights(report, [...steps, checkoutRequest(clone)], input.rules ?? {}, input.event.trust === 'untrusted');
  const decisions: TraceEntry[] = [];
  const plans = files.some(({ report }) => report.hasError)
    ? []
    : planWorkflows(new Planning({ given, input, reads }, rules, decisions).withParametersOf(files, trace), files);
  for (const { path, report } of files) for (const finding of report.findings) trace.push(findingEntry(path, finding));
  const failed = files.find(({ report }) => report.hasError);
  if (failed) return failure(failed, trace);
  trace.push(...decisions);
  const { path } = chosen.files[0];
  if (plans.length === 0) {
    trace.push({
      subject: { kind: 'event' },
      rule: 'event.nothing-matched',
      verdict: 'skipped',
      values: { path },
    });
    return { kind: 'nothing', trace, reads: [...reads] };
  }
  const encryptedSecrets = written.flatMap(({ secrets }) =>
    secrets.map(({ at: { line, column }, ...secret }) => ({ ...secret, line, column })),
  );
  const plan = { dialect, path, workflows: plans, ...(encryptedSecrets.length === 0 ? {} : { encryptedSecrets }) };
  return { kind: 'planned', plan, trace, reads: [...reads] };
}

/** Whoever encrypts a value anew would wait for it in vain. */
function noteStoredSecrets(report: LintReport, secrets: readonly WrittenSecret[], stored: readonly string[]): void {
  for (const { name, at } of secrets)
    if (stored.includes(name))
      report.add(
        'secret.stored',
        at,
        `the project has a stored secret "${name}" as well, which wins wherever a step may have it`,
      );
}

function refuseEvent({ event }: CompileInput): TraceEntry | undefined {
  if (!/^0+$/.test(event.commit)) return undefined;
  return { subject: { kind: 'event' }, rule: 'event.deleted-ref', verdict: 'skipped', values: { ref: event.ref } };
}

function failure({ path, report }: PipelineFileDraft, trace: readonly TraceEntry[]): CompileResult {
  const error = report.findings.find((finding) => finding.severity === 'error')!;
  return {
    kind: 'failed',
    path,
    error: {
      message: `Cannot run ${path}: ${error.message}`,
      code: error.code,
      path,
      line: error.line,
      column: error.column,
      ...(error.included ? { included: error.included } : {}),
    },
    trace,
  };
}

/** What a checkout asks of the host, as a step would. */
function checkoutRequest({ requests = [] }: CheckoutDraft): Pick<StepDraft, 'name' | 'hostRequests'> {
  return { name: cloneStepName, hostRequests: requests };
}

function fileEntry(rule: TraceRule, verdict: TraceEntry['verdict'], values: TraceEntry['values']): TraceEntry {
  return { subject: { kind: 'file' }, rule, verdict, values };
}

function findingEntry(path: string, finding: Finding): TraceEntry {
  const { code, line, column, message, included } = finding;
  const told = { message, code, ...(included ? { within: `${included.path}:${included.line}` } : {}) };
  return finding.severity === 'error'
    ? fileEntry('file.invalid', 'failed', { path, line, column, ...told })
    : fileEntry('file.warning', 'noted', { path, line, ...told });
}
