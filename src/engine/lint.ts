import { dialectOf } from './choose-files.ts';
import type { EventFacts } from './compile-input.ts';
import type { EnvironmentFacts } from './environment-facts.ts';
import { type LintResult, refuseLargeText } from './lint-result.ts';
import { cloneStepName } from './order-steps.ts';
import { readPipelineFile } from './read-pipeline-file.ts';

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

const samplePush: EventFacts = {
  kind: 'push',
  ref: 'refs/heads/main',
  branch: 'main',
  before: '0123456789abcdef0123456789abcdef01234567',
  commit: '89abcdef0123456789abcdef0123456789abcdef',
  message: 'Example',
  authorName: 'Example',
  authorEmail: 'example@example.com',
  personName: 'example',
  parameters: {},
};

const sampleFacts: EnvironmentFacts = {
  event: samplePush,
  project: {
    owner: 'example',
    name: 'example',
    visibility: 'private',
    defaultBranch: 'main',
    link: 'https://gantry.example.com/example/example',
    cloneUrl: 'https://gantry.example.com/example/example.git',
  },
  pipeline: { number: 1, createdAt: new Date(0), link: 'https://gantry.example.com/example/example/pipelines/1' },
  instanceUrl: 'https://gantry.example.com',
};
