import { setTimeout as pause } from 'node:timers/promises';
import type { Command } from 'commander';
import type { DeliveryView } from '../../api/webhooks.ts';
import type { Cli } from '../cli.ts';
import { Exit, exitCodes } from '../exit-codes.ts';
import { addHolder, type HolderOptions, holderOf } from '../holder.ts';
import { ago } from '../instants.ts';
import { addJson, type JsonOption, wholeNumber } from '../options.ts';
import type { Colour } from '../output.ts';
import { printable } from '../text-width.ts';
import { type WebhookCalls, webhookCalls } from '../webhook-calls.ts';

const colours: Readonly<Record<DeliveryView['status'], Colour>> = {
  delivered: 'green',
  waiting: 'yellow',
  failed: 'red',
};

/** A try takes 15 s at most; the server may be busy before it. */
const waitedMs = 30_000;
const askEveryMs = 250;

/** `gantry webhook deliveries ID`, and with `--delivery` one of them whole. */
export function addWebhookDeliveries(parent: Command, cli: Cli): void {
  const { texts, out } = cli;
  addJson(addHolder(parent.command('deliveries <id>').description(texts.webhook.commands.deliveries), cli), cli)
    .option('--delivery <number>', texts.webhook.options.delivery)
    .option('--limit <count>', texts.options.limit, '30')
    .option('--after <cursor>', texts.options.after)
    .action(
      async (
        id: string,
        options: JsonOption & HolderOptions & { delivery?: string; limit: string; after?: string },
      ) => {
        const webhook = wholeNumber(cli, 'id', id);
        const limit = wholeNumber(cli, '--limit', options.limit);
        const shown = options.delivery === undefined ? undefined : wholeNumber(cli, '--delivery', options.delivery);
        const calls = await callsOf(cli, options);
        if (shown !== undefined) return showDelivery(cli, calls, { webhook, delivery: shown }, options.json);
        const page = await calls.deliveries(webhook, { limit, after: options.after });
        if (options.json !== undefined) return out.json(page, options.json);
        if (page.items.length === 0) return out.note(texts.webhook.noDeliveries);
        const now = new Date();
        await out.table(page.items, [
          { title: texts.columns.id, text: (one) => String(one.id) },
          {
            title: texts.columns.status,
            text: ({ status }) => texts.webhook.statuses[status],
            plain: ({ status }) => status,
            colour: ({ status }) => colours[status],
          },
          { title: texts.columns.event, text: ({ event }) => event },
          { title: texts.webhook.triesColumn, text: ({ tries }) => String(tries) },
          {
            title: texts.columns.age,
            text: ({ createdAt }) => ago(texts, createdAt, now),
            plain: ({ createdAt }) => createdAt,
          },
          {
            title: texts.webhook.answerColumn,
            text: ({ responseStatus, problem }) => problem ?? String(responseStatus ?? ''),
          },
        ]);
        if (page.next !== null) await out.note(texts.more(page.next));
      },
    );
}

async function showDelivery(
  { texts, out }: Cli,
  calls: WebhookCalls,
  { webhook, delivery }: { readonly webhook: number; readonly delivery: number },
  json: string | undefined,
): Promise<void> {
  const found = await calls.delivery(webhook, delivery);
  if (json !== undefined) return out.json(found, json);
  await out.note(`${found.messageId}  ${texts.webhook.statuses[found.status]}  ${found.problem ?? ''}`);
  await out.line(printable(found.request));
  if (found.response !== null) {
    await out.note(`${texts.webhook.answered} ${found.responseStatus ?? ''}`);
    for (const line of found.response.split('\n')) await out.line(printable(line));
  }
}

/** `gantry webhook test ID`: sends a ping and waits for what comes of it. */
export function addWebhookTest(parent: Command, cli: Cli): void {
  const { texts } = cli;
  addJson(addHolder(parent.command('test <id>').description(texts.webhook.commands.test), cli), cli).action(
    async (id: string, options: JsonOption & HolderOptions) => {
      const webhook = wholeNumber(cli, 'id', id);
      const calls = await callsOf(cli, options);
      await report(cli, calls, webhook, await calls.test(webhook), options.json);
    },
  );
}

/** `gantry webhook redeliver ID DELIVERY` */
export function addWebhookRedeliver(parent: Command, cli: Cli): void {
  const { texts } = cli;
  addJson(
    addHolder(parent.command('redeliver <id> <delivery>').description(texts.webhook.commands.redeliver), cli),
    cli,
  ).action(async (id: string, delivery: string, options: JsonOption & HolderOptions) => {
    const webhook = wholeNumber(cli, 'id', id);
    const number = wholeNumber(cli, 'delivery', delivery);
    const calls = await callsOf(cli, options);
    await report(cli, calls, webhook, await calls.redeliver(webhook, number), options.json);
  });
}

async function callsOf(cli: Cli, options: HolderOptions): Promise<WebhookCalls> {
  const holder = await holderOf(cli, options);
  const { client } = await cli.connect();
  return webhookCalls(client, holder);
}

/** Waits for the first try, and says how it went: exit code 5 when it failed. */
async function report(
  { texts, out }: Cli,
  calls: WebhookCalls,
  webhook: number,
  { id }: DeliveryView,
  json: string | undefined,
): Promise<void> {
  const untilMs = performance.now() + waitedMs;
  let found = await calls.delivery(webhook, id);
  while (found.status === 'waiting' && found.tries === 0 && performance.now() < untilMs) {
    await pause(askEveryMs);
    found = await calls.delivery(webhook, id);
  }
  if (json !== undefined) await out.json(found, json);
  else
    await out.note(
      found.status === 'delivered'
        ? texts.webhook.delivered(found.responseStatus ?? 0, found.durationMs ?? 0)
        : (found.problem ?? texts.webhook.statuses[found.status]),
    );
  if (found.status !== 'delivered') throw new Exit(exitCodes.endedBadly);
}
