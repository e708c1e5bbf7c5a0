import { randomUUID } from 'node:crypto';
import type { Command } from 'commander';
import { GantryError } from '../../core/errors.ts';
import { webhookEvents } from '../../core/webhook.ts';
import type { Cli } from '../cli.ts';
import { addHolder, type HolderOptions, holderOf } from '../holder.ts';
import { addJson, collect, type JsonOption, oneOf, wholeNumber } from '../options.ts';
import { parametersOf } from '../parameters.ts';
import { webhookCalls } from '../webhook-calls.ts';

interface CreateOptions extends JsonOption, HolderOptions {
  readonly event?: readonly string[];
  readonly incoming?: string;
  readonly branch?: string;
  readonly parameter?: readonly string[];
  readonly token?: true;
}

/** `gantry webhook create URL`, or with `--incoming NAME` an address for others; the secret is the answer. */
export function addWebhookCreate(parent: Command, cli: Cli): void {
  const { texts, out } = cli;
  const { options: words } = texts.webhook;
  addJson(addHolder(parent.command('create [url]').description(texts.webhook.commands.create), cli), cli)
    .option('--event <event>', words.event, collect)
    .option('--incoming <name>', words.createIncoming)
    .option('--branch <name>', words.branch)
    .option('--parameter <KEY=PATH>', words.parameter, collect)
    .option('--token', words.token)
    .addHelpText(
      'before',
      `${texts.examples}\n  gantry webhook create https://chat.example.org/hook --event pipeline.finished\n` +
        "  gantry webhook create --incoming deploy --branch main --parameter 'VERSION=$.release.tag'\n",
    )
    .action(async (url: string | undefined, options: CreateOptions) => {
      if ((url === undefined) === (options.incoming === undefined))
        throw new GantryError('USAGE_WRONG', texts.webhook.eitherOr);
      if (url === undefined) return createIncoming(cli, options);
      const events = options.event?.map((event) => oneOf(cli, '--event', event, webhookEvents));
      const holder = await holderOf(cli, options);
      const { client } = await cli.connect();
      const made = await webhookCalls(client, holder).create({
        url,
        events: events ?? ['pipeline.finished'],
        isEnabled: true,
      });
      if (options.json !== undefined) return out.json(made, options.json);
      await out.note(texts.webhook.created(made.id, holder.name));
      await out.line(made.secret ?? '');
      await out.note(`  ${texts.next}  gantry webhook test ${made.id}`);
    });
}

async function createIncoming(cli: Cli, options: CreateOptions): Promise<void> {
  const { texts, out } = cli;
  const parameters = parametersOf(cli, options.parameter);
  const params = await cli.project(options.project);
  const { client } = await cli.connect();
  const made = await client('createIncomingWebhook', {
    params,
    body: {
      name: options.incoming ?? '',
      branch: options.branch,
      proof: options.token ? 'token' : 'signature',
      parameters,
    },
    idempotencyKey: randomUUID(),
  });
  if (options.json !== undefined) return out.json(made, options.json);
  await out.note(texts.webhook.createdIncoming(made.name, made.url, made.branch));
  await out.line(made.secret ?? '');
}

interface UpdateOptions extends JsonOption, HolderOptions {
  readonly to?: string;
  readonly event?: readonly string[];
  readonly incoming?: string;
  readonly branch?: string;
  readonly parameter?: readonly string[];
  readonly enable?: true;
  readonly disable?: true;
  readonly renewSecret?: true;
}

/** `gantry webhook update ID`, or `--incoming NAME`: what is not given stays as it is. A new secret is the answer. */
export function addWebhookUpdate(parent: Command, cli: Cli): void {
  const { texts, out } = cli;
  const { options: words } = texts.webhook;
  addJson(addHolder(parent.command('update [id]').description(texts.webhook.commands.update), cli), cli)
    .option('--incoming <name>', words.deleteIncoming)
    .option('--to <address>', words.url)
    .option('--event <event>', words.otherEvents, collect)
    .option('--branch <name>', texts.options.otherBranch)
    .option('--parameter <KEY=PATH>', words.otherParameters, collect)
    .option('--enable', words.enable)
    .option('--disable', words.disable)
    .option('--renew-secret', words.renewSecret)
    .addHelpText(
      'before',
      `${texts.examples}\n  gantry webhook update 3 --event pipeline.finished --event step.failed\n` +
        '  gantry webhook update --incoming deploy --renew-secret\n',
    )
    .action(async (id: string | undefined, options: UpdateOptions) => {
      if ((id === undefined) === (options.incoming === undefined))
        throw new GantryError('USAGE_WRONG', texts.webhook.eitherOr);
      const isForOthers = id === undefined;
      const misplaced = isForOthers
        ? [options.to && '--to', options.event && '--event']
        : [options.branch && '--branch', options.parameter && '--parameter'];
      const [wrong] = misplaced.filter((one) => one !== undefined);
      if (wrong !== undefined) throw new GantryError('USAGE_WRONG', texts.webhook.notForThis(wrong));
      const common = commonChange(cli, options);
      if (isForOthers) return updateIncoming(cli, options, common);
      const events = options.event?.map((event) => oneOf(cli, '--event', event, webhookEvents));
      const body = {
        ...common,
        ...(options.to !== undefined && { url: options.to }),
        ...(events !== undefined && { events }),
      };
      requireChange(cli, body);
      const holder = await holderOf(cli, options);
      const { client } = await cli.connect();
      const changed = await webhookCalls(client, holder).update(wholeNumber(cli, 'id', id), body);
      if (options.json !== undefined) return out.json(changed, options.json);
      await out.note(texts.webhook.updated(id, holder.name));
      if (changed.secret !== null) await out.line(changed.secret);
    });
}

async function updateIncoming(cli: Cli, options: UpdateOptions, common: object): Promise<void> {
  const { texts, out } = cli;
  const name = options.incoming ?? '';
  const body = {
    ...common,
    ...(options.branch !== undefined && { branch: options.branch }),
    ...(options.parameter !== undefined && { parameters: parametersOf(cli, options.parameter) }),
  };
  requireChange(cli, body);
  const params = await cli.project(options.project);
  const { client } = await cli.connect();
  const changed = await client('updateIncomingWebhook', { params: { ...params, name }, body });
  if (options.json !== undefined) return out.json(changed, options.json);
  await out.note(texts.webhook.updated(name, `${params.owner}/${params.project}`));
  if (changed.secret !== null) await out.line(changed.secret);
}

function commonChange(
  cli: Cli,
  { enable, disable, renewSecret }: UpdateOptions,
): { readonly isEnabled?: boolean; readonly renewSecret?: true } {
  if (enable && disable) throw new GantryError('USAGE_WRONG', cli.texts.webhook.onOrOff);
  return {
    ...((enable ?? disable) && { isEnabled: enable === true }),
    ...(renewSecret && { renewSecret }),
  };
}

function requireChange(cli: Cli, body: object): void {
  if (Object.keys(body).length === 0) throw new GantryError('USAGE_WRONG', cli.texts.errors.nothingToChange);
}

/** `gantry webhook delete ID`, or `--incoming NAME` */
export function addWebhookDelete(parent: Command, cli: Cli): void {
  const { texts, out } = cli;
  addHolder(parent.command('delete [id]').description(texts.webhook.commands.delete), cli)
    .option('--incoming <name>', texts.webhook.options.deleteIncoming)
    .option('--yes', texts.options.yes)
    .action(async (id: string | undefined, options: HolderOptions & { incoming?: string; yes?: true }) => {
      if ((id === undefined) === (options.incoming === undefined))
        throw new GantryError('USAGE_WRONG', texts.webhook.eitherOr);
      const holder = await holderOf(cli, options);
      const { client } = await cli.connect();
      const what = id ?? options.incoming ?? '';
      await cli.ask.confirm(texts.webhook.askDelete(what, holder.name), options.yes);
      if (id !== undefined) await webhookCalls(client, holder).remove(wholeNumber(cli, 'id', id));
      else await client('removeIncomingWebhook', { params: { ...(await cli.project(options.project)), name: what } });
      await out.note(texts.webhook.deleted(what, holder.name));
    });
}
