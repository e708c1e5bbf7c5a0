import type { Command } from 'commander';
import { eventKinds } from '../../core/event.ts';
import { pullRequestOrigins } from '../../core/pull-request-origin.ts';
import type { Cli } from '../cli.ts';
import { addHolder, type HolderOptions, holderOf } from '../holder.ts';
import { addJson, collect, type JsonOption, oneOf } from '../options.ts';
import { readSecretValue } from '../read-secret-value.ts';

interface SecretSetOptions extends JsonOption, HolderOptions {
  readonly from?: string;
  readonly keepValue?: true;
  readonly event?: readonly string[];
  readonly branch?: readonly string[];
  readonly image?: readonly string[];
  readonly pluginsOnly?: boolean;
  readonly pullRequests?: string;
}

const events = eventKinds;

/** `gantry secret set NAME`: the value is never an argument, where everybody on the host could read it. */
export function addSecretSet(parent: Command, cli: Cli): void {
  const { texts, out } = cli;
  addJson(addHolder(parent.command('set <name>').description(texts.commands.secretSet), cli), cli)
    .option('--from <file>', texts.options.value)
    .option('--keep-value', texts.options.keepValue)
    .option('--event <event>', texts.options.events, collect)
    .option('--pull-requests <origin>', texts.options.pullRequests)
    .option('--branch <glob>', texts.options.secretBranch, collect)
    .option('--image <glob>', texts.options.secretImage, collect)
    .option('--plugins-only', texts.options.pluginsOnly)
    .option('--no-plugins-only', texts.options.noPluginsOnly)
    .addHelpText(
      'before',
      `${texts.examples}\n  gantry secret set deploy_key --from key.pem\n  printf %s "$KEY" | gantry secret set deploy_key\n  gantry secret set deploy_key --keep-value --event push --branch main --branch 'release/*'\n  gantry secret set test_token --keep-value --pull-requests project\n`,
    )
    .action(async (name: string, options: SecretSetOptions) => {
      const limits = {
        ...(options.event && { events: options.event.map((event) => oneOf(cli, '--event', event, events)) }),
        ...(options.pullRequests !== undefined && {
          pullRequests: oneOf(cli, '--pull-requests', options.pullRequests, pullRequestOrigins),
        }),
        ...(options.branch && { branches: globsOf(options.branch) }),
        ...(options.image && { images: globsOf(options.image) }),
        ...(options.pluginsOnly !== undefined && { isForPluginsOnly: options.pluginsOnly }),
      };
      const holder = await holderOf(cli, options);
      const { client } = await cli.connect();
      const value = options.keepValue ? undefined : await readSecretValue(cli, name, options.from);
      const body = { ...(value === undefined ? {} : { value }), ...limits };
      const secret = holder.isOrganisation
        ? await client('setOrganisationSecret', { params: { ...holder.params, name }, body })
        : await client('setSecret', { params: { ...holder.params, name }, body });
      if (options.json !== undefined) return out.json(secret, options.json);
      await out.note(texts.secretSet(secret.name, holder.name));
      if (limits.pullRequests === 'forks') await out.note(out.paintNote('yellow', texts.forksWarning(secret.name)));
      if (secret.warning !== null) await out.note(out.paintNote('yellow', secret.warning));
    });
}

/** `any` takes a limit away. */
function globsOf(given: readonly string[]): string[] {
  return given.filter((glob) => glob !== 'any');
}
