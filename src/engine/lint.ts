import { dialectOf } from './choose-files.ts';
import { type LintResult, refuseLargeText } from './lint-result.ts';
import { cloneStepName } from './order-steps.ts';
import { readPipelineFile } from './read-pipeline-file.ts';
import { sampleFacts } from './sample-facts.ts';

/**
 * Checks a pipeline file as the server reads it, for a push to the default branch. Pure; never throws for what the file
 * contains. The server calls it through `CompileProcess`, since the text may be hostile.
 */
export function lintPipelineFile(path: string, text: string): LintResult {
  const tooLarge = refuseLargeText(text);
  if (tooLarge) return tooLarge;
  const { workflows, report } = readPipelineFile({ path, text }, dialectOf({ path, text }), sampleFacts);
  return {
    isValid: !report.hasError,
    findings: report.findings,
    workflows: workflows.map((workflow) => ({
      name: workflow.name,
      steps: [...(workflow.clone.isDisabled ? [] : [cloneStepName]), ...workflow.steps.map((step) => step.name)],
    })),
  };
}
