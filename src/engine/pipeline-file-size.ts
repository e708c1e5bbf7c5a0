import type { TraceEntry } from '../core/trace.ts';
import type { CompileInput, CompileResult } from './compile-input.ts';

/** Size that a pipeline file may have as it is written (reliability R5). */
export const maxPipelineFileBytes = 256 * 1024;

/** The answer to a file that is too large to be read, after `trace`; `undefined` when it is not. */
export function refuseLargeFile(input: CompileInput, trace: readonly TraceEntry[]): CompileResult | undefined {
  const [file] = input.files;
  const bytes = file ? Buffer.byteLength(file.text) : 0;
  if (!file || bytes <= maxPipelineFileBytes) return undefined;
  const { path } = file;
  return {
    kind: 'failed',
    path,
    error: { message: `Cannot run ${path}: it has ${bytes} bytes, and may have ${maxPipelineFileBytes}`, path },
    trace: [
      ...trace,
      {
        subject: { kind: 'file' },
        rule: 'file.too-large',
        verdict: 'failed',
        values: { path, bytes, limit: maxPipelineFileBytes },
      },
    ],
  };
}
