import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { GantryError } from '../core/errors.ts';
import type { Cli } from './cli.ts';

/** A value that is never an argument, where everybody on the host could read it: from a file, stdin or a question. */
export async function readSecretValue(cli: Cli, name: string, from: string | undefined): Promise<string> {
  const { texts } = cli;
  let value: string;
  if (from !== undefined && from !== '-') {
    const path = resolve(cli.io.workingFolder, from);
    try {
      value = readFileSync(path, 'utf8');
    } catch (error) {
      throw new GantryError('USAGE_WRONG', texts.errors.noFile(from, (error as Error).message), { cause: error });
    }
  } else if (from === '-' || !cli.io.stdin.isTerminal) {
    value = await cli.io.stdin.readAll();
    // `echo value |` adds an end of line that nobody means; a value of several lines keeps its own.
    if (/^[^\n]*\n$/.test(value)) value = value.slice(0, -1);
  } else {
    value = await cli.ask.hidden(texts.askSecret(name), '--from');
  }
  if (value === '') throw new GantryError('USAGE_WRONG', texts.errors.emptyInput(name));
  return value;
}
