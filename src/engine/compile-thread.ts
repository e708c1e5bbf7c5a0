import { parentPort } from 'node:worker_threads';
import { compilePipeline } from './compile.ts';
import type { CompileAnswer, CompileQuestion, ThreadMessage } from './compile-worker.ts';
import { lintPipelineFile } from './lint.ts';

/** The thread of `CompileWorker`: one question at a time, one answer each, after word that all is loaded. */
parentPort?.on('message', (question: CompileQuestion) => {
  const answer: CompileAnswer =
    question.kind === 'compile'
      ? { kind: 'compile', result: compilePipeline(question.input) }
      : { kind: 'lint', result: lintPipelineFile(question.path, question.text) };
  parentPort?.postMessage(answer);
});
parentPort?.postMessage({ kind: 'ready' } satisfies ThreadMessage);
