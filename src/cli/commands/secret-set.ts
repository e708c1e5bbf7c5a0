import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { GantryError } from '../../core/errors.ts';
import { eventKinds } from '../../core/event.ts';
import type { Cli } from '../cli.ts';
import { addJson, addProject, collect, type JsonOption, oneOf, type ProjectOption } from '../options.ts';

interface SecretSetOptions extends JsonOption, ProjectOption {
  readonly from?: string;
  readonly event?: readonly string[];
}

/** `gantry secret set NAME`: the value is never an argument, where everybody on the host could read it. */
export function addSecretSet(parent: Command, cli: Cli): void {
  const { texts, out } = cli;
  addJson(addProject(parent.command('set <name>').description(texts.commands.secretSet), cli), cli)
    .option('--from <file>', texts.options.value)
    .option('--event <event>', texts.options.events, collect)
    .addHelpText(
      'before',
      `${texts.examples}\n  gantry secret set deploy_key --from key.pem\n  printf %s "$KEY" | gantry secret set deploy_key\n`,
    )
    .action(async (name: string, options: SecretSetOptions) => {
      const events = options.event?.map((event) => oneOf(cli, '--event', event, eventKinds));
      const params = await cli.project(options.project);
      const { client } = await cli.connect();
      const value = await readValue(cli, name, options.from);
      const secret = await client('setSecret', {
        params: { ...params, name },
        body: { value, ...(events ? { events } : {}) },
      });
      if (options.json !== undefined) return out.json(secret, options.json);
      await out.note(texts.secretSet(secret.name, `${params.owner}/${params.project}`));
      if (secret.warning !== null) await out.note(out.paintNote('yellow', secret.warning));
    });
}

async function readValue(cli: Cli, name: string, from: string | undefined): Promise<string> {
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
