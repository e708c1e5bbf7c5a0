import { Script } from 'node:vm';
import type { CompileAnswer, CompileQuestion, FromChild, ToChild } from './compile-messages.ts';

/**
 * The child's side of `CompileProcess`: one question at a time, one answer each, after word that all is loaded. Ends
 * with the server, however that one ends.
 */
export function answerQuestions(read: (question: CompileQuestion) => CompileAnswer): void {
  const limited = timeLimited(read);
  process.on('message', ({ question, limitMs }: ToChild) => say(limited(question, limitMs)));
  process.on('disconnect', () => process.exit());
  // They are sent to a whole group or terminal: what is being read is finished, and the server says when to end.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {});
  say({ kind: 'ready' });
}

function say(message: FromChild): void {
  process.send?.(message, undefined, undefined, (error) => {
    if (error) process.exit();
  });
}

/**
 * The server ends a child that takes too long, and a server that was killed cannot: a child that spins does not notice
 * that it is alone either. The time limit of a script is held by a native thread, which lives for the call alone, needs
 * no event loop and stops loops, regular expressions and sorting alike.
 */
function timeLimited(
  read: (question: CompileQuestion) => CompileAnswer,
): (question: CompileQuestion, limitMs: number) => FromChild {
  let present: CompileQuestion | undefined;
  const name = 'answerPresentQuestion';
  // A script sees what is global and nothing else.
  Object.defineProperty(globalThis, name, { value: () => (present ? read(present) : undefined) });
  const script = new Script(`${name}()`);

  return (question, limitMs) => {
    present = question;
    try {
      return script.runInThisContext({ timeout: limitMs }) as CompileAnswer;
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ERR_SCRIPT_EXECUTION_TIMEOUT')
        return { kind: 'timeout' };
      return { kind: 'bug', error: error instanceof Error ? error : new Error(String(error)) };
    } finally {
      present = undefined;
    }
  };
}
