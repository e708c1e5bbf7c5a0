import type { Command } from 'commander';
import type { Cli } from '../cli.ts';
import { addJson, addProject, type JsonOption, type ProjectOption } from '../options.ts';
import { readSecretValue } from '../read-secret-value.ts';

interface SecretEncryptOptions extends JsonOption, ProjectOption {
  readonly from?: string;
}

/** `gantry secret encrypt NAME`: a document for the pipeline file, whose value opens in this project alone. */
export function addSecretEncrypt(parent: Command, cli: Cli): void {
  const { texts, out } = cli;
  addJson(addProject(parent.command('encrypt <name>').description(texts.commands.secretEncrypt), cli), cli)
    .option('--from <file>', texts.options.value)
    .addHelpText(
      'before',
      `${texts.examples}\n  printf %s "$TOKEN" | gantry secret encrypt npm_token >> .gantry.yml\n  gantry secret encrypt deploy_key --from key.pem --project shop/web\n`,
    )
    .action(async (name: string, options: SecretEncryptOptions) => {
      const params = await cli.project(options.project);
      const { client } = await cli.connect();
      const value = await readSecretValue(cli, name, options.from);
      const encrypted = await client('encryptValue', { params, body: { value } });
      if (options.json !== undefined) return out.json(encrypted, options.json);
      for (const line of ['---', 'kind: secret', `name: ${name}`, `data: ${encrypted.data}`]) await out.line(line);
      await out.note(texts.valueEncrypted(`${params.owner}/${params.project}`));
    });
}
