import type { Finding } from './lint-report.ts';
import { maxPipelineFileBytes } from './pipeline-file-size.ts';
import type { PipelineParameter } from './pipeline-parameters.ts';

export interface LintResult {
  /** No finding is an error: the file would run. */
  readonly isValid: boolean;
  /** In the order of the file. */
  readonly findings: readonly Finding[];
  /** What could be read, also of a file with errors. */
  readonly workflows: readonly { readonly name: string; readonly steps: readonly string[] }[];
  /** What whoever starts it by hand may choose; absent = nothing. */
  readonly parameters?: readonly PipelineParameter[];
  /** Targets of promotions that its conditions name, in the order of the file; absent = none. */
  readonly targets?: readonly string[];
}

/** The answer to a text that is too large to be read, or `undefined`. */
export function refuseLargeText(text: string): LintResult | undefined {
  const bytes = Buffer.byteLength(text);
  if (bytes <= maxPipelineFileBytes) return undefined;
  const message = `the file has ${bytes} bytes, and may have ${maxPipelineFileBytes}`;
  return {
    isValid: false,
    findings: [{ severity: 'error', code: 'file.too-large', message, line: 1, column: 1 }],
    workflows: [],
  };
}
