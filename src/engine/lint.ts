import { dialectOf } from './choose-files.ts';
import type { EnvironmentFacts } from './environment-facts.ts';
import type { IncludedText } from './includes.ts';
import { type LintResult, refuseLargeText } from './lint-result.ts';
import { namedTargets } from './named-targets.ts';
import { withNativeBuilds } from './native-build.ts';
import { cloneStepName } from './order-steps.ts';
import { judgeHostRights } from './read-host-rights.ts';
import { readPipelineFile } from './read-pipeline-file.ts';
import { sampleFacts } from './sample-facts.ts';

/**
 * Checks a pipeline file as the server reads it, for an event: a push to the default branch unless it is given. Pure; never throws for what the file
 * contains. The server calls it through `CompileProcess`, since the text may be hostile.
 */
export function lintPipelineFile(
  path: string,
  text: string,
  facts: EnvironmentFacts = sampleFacts,
  includes?: readonly IncludedText[],
): LintResult {
  const tooLarge = refuseLargeText(text);
  if (tooLarge) return tooLarge;
  const draft = readPipelineFile({ path, text, includes }, dialectOf({ path, text }), facts);
  const { parameters, report } = draft;
  const targets = namedTargets(draft.workflows);
  const workflows = withNativeBuilds(draft.workflows, report, facts, undefined);
  for (const { steps } of workflows) judgeHostRights(report, steps, undefined, false);
  return {
    isValid: !report.hasError,
    findings: report.findings.map((finding) => {
      const substituted = draft.lineAfterSubstitution(finding.line);
      return substituted === undefined ? finding : { ...finding, substituted };
    }),
    workflows: workflows.map((workflow) => ({
      name: workflow.name,
      steps: [...(workflow.clone.isDisabled ? [] : [cloneStepName]), ...workflow.steps.map((step) => step.name)],
    })),
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(targets.length === 0 ? {} : { targets }),
  };
}
