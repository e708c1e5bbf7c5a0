import { answerQuestions } from './answer-questions.ts';
import { compilePipeline } from './compile.ts';
import { lintPipelineFile } from './lint.ts';
import { resolveFiles } from './resolve-files.ts';

/** The program of `CompileProcess`'s child. It loads what reading a pipeline file takes, and nothing else. */
answerQuestions((question) => {
  switch (question.kind) {
    case 'compile':
      return { kind: 'compile', result: compilePipeline(question.input) };
    case 'lint':
      return {
        kind: 'lint',
        result: lintPipelineFile(question.path, question.text, question.facts, question.includes),
      };
    case 'resolve':
      return { kind: 'resolve', files: resolveFiles(question.input) };
  }
});

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
