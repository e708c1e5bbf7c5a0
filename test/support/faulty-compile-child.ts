import { answerQuestions } from '../../src/engine/answer-questions.ts';

/** A child of `CompileProcess` with the mistakes that a reader must not have: the text says which. */
answerQuestions((question) => {
  const text = question.kind === 'lint' ? question.text : (question.input.files[0]?.text ?? '');
  switch (text) {
    case 'spin':
      for (;;);
    case 'spin in a regular expression':
      /^(a+)+$/.test(`${'a'.repeat(60)}b`);
      break;
    case 'crash':
      process.kill(process.pid, 'SIGSEGV');
      break;
    case 'exit':
      process.exit(7);
      break;
    case 'throw':
      throw new TypeError('this is a bug');
    case 'fill the memory': {
      const kept: number[][] = [];
      for (;;) kept.push([kept.length]);
    }
    case 'talk':
      process.stderr.write(`${'this is no out of luck\n'.repeat(1_000)}`);
  }
  return { kind: 'lint', result: { isValid: true, findings: [], workflows: [{ name: text, steps: [] }] } };
});
