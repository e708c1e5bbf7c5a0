import type { TraceEntry } from '../core/trace.ts';
import type { CompileInput, CompileResult } from './compile-input.ts';
import type { LintCode } from './lint-rules.ts';

/** Size that a pipeline file may have as it is written (reliability R5). */
export const maxPipelineFileBytes = 256 * 1024;

/** Size of all documents that a program writes (reliability R5). */
export const maxConvertedBytes = 1024 * 1024;

/** Steps that one file may have, over all its workflows. */
export const maxStepsOfFile = 1_000;

/** The answer to a file that is too large to be read, after `trace`; `undefined` when none is. */
export function refuseLargeFile(files: CompileInput['files'], trace: readonly TraceEntry[]): CompileResult | undefined {
  for (const { path, text, isConverted } of files) {
    const limit = isConverted ? maxConvertedBytes : maxPipelineFileBytes;
    // A character has at most three bytes.
    if (text.length * 3 <= limit) continue;
    const bytes = Buffer.byteLength(text);
    if (bytes <= limit) continue;
    const code = (isConverted ? 'file.program' : 'file.too-large') satisfies LintCode;
    return {
      kind: 'failed',
      path,
      error: { message: `Cannot run ${path}: it has ${bytes} bytes, and may have ${limit}`, code, path },
      trace: [
        ...trace,
        {
          subject: { kind: 'file' },
          rule: 'file.too-large',
          verdict: 'failed',
          values: { path, bytes, limit },
        },
      ],
    };
  }
  return undefined;
}
