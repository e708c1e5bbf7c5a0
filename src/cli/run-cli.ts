import type { CommanderError } from 'commander';
import { ApiError } from '../api/client.ts';
import { GantryError } from '../core/errors.ts';
import { Cli } from './cli.ts';
import type { CliIo } from './cli-io.ts';
import { Exit, exitCodeOf, exitCodes } from './exit-codes.ts';
import { readVersion } from './package-version.ts';
import { printable } from './text-width.ts';

/** Runs one command and answers its exit code. Never throws: what goes wrong is said on stderr. */
export async function runCli(words: readonly string[], io: CliIo): Promise<number> {
  const cli = await Cli.create(io);
  try {
    // Answered before anything else is read.
    if (words.length === 1 && words[0] === '--version') {
      await cli.out.line(readVersion());
      return exitCodes.done;
    }
    const { createProgram } = await import('./program.ts');
    const program = await createProgram(cli, words);
    await program.parseAsync(withBareJson(words), { from: 'user' });
    return exitCodes.done;
  } catch (error) {
    if (error instanceof Exit) return error.exitCode;
    // Help and --version end this way with 0; commander has said already what is wrong.
    if (isCommanderError(error)) return error.exitCode === 0 ? exitCodes.done : exitCodes.usage;
    return tell(cli, error);
  }
}

function isCommanderError(error: unknown): error is CommanderError {
  return error instanceof Error && 'code' in error && String(error.code).startsWith('commander.');
}

/** A bare `--json` is all fields: as an option with an optional value it would swallow the argument after it. */
function withBareJson(words: readonly string[]): string[] {
  const end = words.indexOf('--');
  return words.map((word, i) => (word === '--json' && (end < 0 || i < end) ? '--json=*' : word));
}

/** An error as a sentence, with its next step, its code and what to quote when asking for help. */
async function tell(cli: Cli, error: unknown): Promise<number> {
  const { out, texts } = cli;
  const head = out.paintNote('red', texts.error);
  if (error instanceof ApiError) {
    const { detail, hint, code, requestId, errors = [] } = error.problem;
    await out.note(`${head} ${printable(detail)}`);
    for (const { pointer, message } of errors) await out.note(`  ${printable(pointer)}  ${printable(message)}`);
    if (hint) await out.note(`  ${texts.next}  ${printable(hint)}`);
    await out.note(`  ${texts.code}  ${code}${requestId ? `   ${texts.request} ${requestId}` : ''}`);
    return exitCodeOf(error);
  }
  if (error instanceof GantryError) {
    await out.note(`${head} ${printable(error.message)}`);
    await out.note(`  ${texts.next}  ${await hintOf(cli, error)}`);
    await out.note(`  ${texts.code}  ${error.code}`);
    return exitCodeOf(error);
  }
  await out.note(`${head} ${texts.errors.internal}`);
  await out.note(error instanceof Error ? (error.stack ?? error.message) : String(error));
  return exitCodes.failed;
}

async function hintOf(cli: Cli, error: GantryError): Promise<string> {
  // The catalogue speaks to programs too; here the next step is a command.
  if (error.code === 'SIGN_IN_REQUIRED') return 'gantry login http://HOST:PORT';
  if (cli.language === 'en') return error.hint;
  const { errorsZh } = await import('../api/messages/errors.zh.ts');
  return errorsZh[error.code].hint;
}
