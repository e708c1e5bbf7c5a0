import { GantryError } from '../core/errors.ts';
import type { CliIo } from './cli-io.ts';
import { Exit, exitCodes } from './exit-codes.ts';
import type { Texts } from './texts.en.ts';

/**
 * Asks a person, on a terminal only. Elsewhere, and with --no-input, a needed question is refused with INPUT_NEEDED and
 * the flag that answers it. The library is loaded when a question is asked and not before.
 */
export class Questions {
  readonly #io: CliIo;
  readonly #texts: Texts;
  readonly #isAllowed: () => boolean;

  constructor(io: CliIo, texts: Texts, isAllowed: () => boolean) {
    this.#io = io;
    this.#texts = texts;
    this.#isAllowed = isAllowed;
  }

  /** Whether something may be asked of a person at all, on this terminal or elsewhere. */
  get mayAsk(): boolean {
    return this.#isAllowed();
  }

  get canAsk(): boolean {
    return this.#isAllowed() && this.#io.stdin.isTerminal && this.#io.stderr.isTerminal;
  }

  async text(question: string, flag: string, initial?: string): Promise<string> {
    const prompts = await this.#prompts(question, flag);
    const answer = await untilInputEnds((signal) =>
      prompts.text({
        message: question,
        ...(initial === undefined ? {} : { initialValue: initial }),
        output: process.stderr,
        signal,
      }),
    );
    return this.#given(answer, prompts.isCancel(answer));
  }

  async hidden(question: string, flag: string): Promise<string> {
    const prompts = await this.#prompts(question, flag);
    const answer = await untilInputEnds((signal) =>
      prompts.password({ message: question, output: process.stderr, signal }),
    );
    return this.#given(answer, prompts.isCancel(answer));
  }

  /** A yes, or the command ends: declined (exit code 3), or without a terminal INPUT_NEEDED. */
  async confirm(question: string, isGiven: boolean | undefined): Promise<void> {
    if (isGiven) return;
    if (!this.canAsk) throw new GantryError('INPUT_NEEDED', this.#texts.errors.noConfirmation(question));
    if (await this.yes(question, '--yes')) return;
    await this.#io.stderr.write(`${this.#texts.declined}\n`);
    throw new Exit(exitCodes.declined);
  }

  async yes(question: string, flag: string): Promise<boolean> {
    const prompts = await this.#prompts(question, flag);
    const answer = await untilInputEnds((signal) =>
      prompts.confirm({ message: question, output: process.stderr, signal }),
    );
    if (prompts.isCancel(answer)) throw new Exit(exitCodes.declined);
    return answer;
  }

  async #prompts(question: string, flag: string): Promise<typeof import('@clack/prompts')> {
    if (!this.canAsk) throw new GantryError('INPUT_NEEDED', this.#texts.errors.noAnswer(question, flag));
    return import('@clack/prompts');
  }

  #given(answer: unknown, isCancelled: boolean): string {
    if (isCancelled) throw new Exit(exitCodes.declined);
    const text = typeof answer === 'string' ? answer.trim() : '';
    if (text === '') throw new GantryError('USAGE_WRONG', this.#texts.errors.emptyInput('answer'));
    return text;
  }
}

/**
 * Takes the question back where the input ends without an answer (Ctrl-D, a terminal that is gone): nothing keeps the
 * program then, and the library does not say.
 */
async function untilInputEnds<Answer>(ask: (signal: AbortSignal) => Promise<Answer>): Promise<Answer> {
  const ended = new AbortController();
  const end = (): void => ended.abort();
  process.once('beforeExit', end);
  try {
    return await ask(ended.signal);
  } finally {
    process.removeListener('beforeExit', end);
  }
}
