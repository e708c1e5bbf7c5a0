import type { Command } from 'commander';
import type { Cli } from '../cli.ts';
import { addHolder, type HolderOptions, holderOf } from '../holder.ts';
import { ago } from '../instants.ts';
import { addJson, type JsonOption } from '../options.ts';
import { webhookCalls } from '../webhook-calls.ts';

const offStates = { failing: 'offFailing', gone: 'offGone' } as const;

/** `gantry webhook list`, and with `--incoming` those that others send. */
export function addWebhookList(parent: Command, cli: Cli): void {
  const { texts, out } = cli;
  addJson(addHolder(parent.command('list').description(texts.webhook.commands.list), cli), cli)
    .option('--incoming', texts.webhook.options.listIncoming)
    .action(async (options: JsonOption & HolderOptions & { readonly incoming?: true }) => {
      if (options.incoming) return listIncoming(cli, options);
      const holder = await holderOf(cli, options);
      const { client } = await cli.connect();
      const page = await webhookCalls(client, holder).list();
      if (options.json !== undefined) return out.json(page, options.json);
      if (page.items.length === 0) return out.note(texts.webhook.none);
      await out.table(page.items, [
        { title: texts.columns.id, text: ({ id }) => String(id) },
        {
          title: texts.columns.status,
          text: ({ isEnabled, failingSince, disabledReason }) =>
            isEnabled
              ? texts.webhook.states[failingSince === null ? 'on' : 'failing']
              : texts.webhook.states[disabledReason === null ? 'off' : offStates[disabledReason]],
        },
        { title: texts.columns.events, text: ({ events }) => events.join(' ') },
        { title: texts.webhook.urlColumn, text: ({ url }) => url },
      ]);
    });
}

async function listIncoming(cli: Cli, options: JsonOption & HolderOptions): Promise<void> {
  const { texts, out } = cli;
  const params = await cli.project(options.project);
  const { client } = await cli.connect();
  const page = await client('listIncomingWebhooks', { params });
  if (options.json !== undefined) return out.json(page, options.json);
  if (page.items.length === 0) return out.note(texts.webhook.noneIncoming);
  const now = new Date();
  await out.table(page.items, [
    { title: texts.columns.name, text: ({ name }) => name },
    { title: texts.columns.status, text: ({ isEnabled }) => texts.webhook.states[isEnabled ? 'on' : 'off'] },
    { title: texts.columns.branch, text: ({ branch }) => branch },
    {
      title: texts.columns.lastUsed,
      text: ({ lastAcceptedAt }) => ago(texts, lastAcceptedAt, now),
      plain: ({ lastAcceptedAt }) => lastAcceptedAt ?? '',
    },
    { title: texts.webhook.urlColumn, text: ({ url }) => url },
  ]);
}
