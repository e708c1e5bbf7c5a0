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

// The first file costs many times what the next one does: while the push that woke us is still being received, a file
// that nobody waits for pays for it.
setImmediate(() => lintPipelineFile('.gantry.yml', sample));

const sample = `kind: pipeline
name: sample
trigger: {branch: [main, "release/**"]}
environment: {COMMIT: "\${GANTRY_COMMIT_SHA:0:8}"}
steps:
  - name: test
    image: base/node:24
    commands: [npm test]
    environment: {TOKEN: {from_secret: token}}
  - name: release
    image: base/node:24
    commands: [npm publish]
    when: {event: tag}
    depends_on: [test]
`;
