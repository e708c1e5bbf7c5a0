import { randomUUID } from 'node:crypto';
import type { Command } from 'commander';
import { GantryError } from '../../core/errors.ts';
import type { Cli } from '../cli.ts';
import { ago } from '../instants.ts';
import { addJson, addProject, type JsonOption, oneOf, type ProjectOption, wholeNumber } from '../options.ts';

/** `gantry pull-request list` */
export function addPullRequestList(parent: Command, cli: Cli): void {
  const { texts, out } = cli;
  addJson(addProject(parent.command('list').description(texts.commands.pullRequestList), cli), cli)
    .option('--state <state>', texts.options.pullRequestState)
    .action(async (options: JsonOption & ProjectOption & { readonly state?: string }) => {
      const state = options.state === undefined ? undefined : oneOf(cli, '--state', options.state, ['open', 'closed']);
      const params = await cli.project(options.project);
      const { client } = await cli.connect();
      const page = await client('listPullRequests', { params, query: { state } });
      if (options.json !== undefined) return out.json(page, options.json);
      if (page.items.length === 0) return out.note(texts.nothingHere.pullRequests);
      const now = new Date();
      await out.table(page.items, [
        { title: texts.columns.number, text: ({ number }) => String(number) },
        {
          title: texts.columns.status,
          text: ({ state: one }) => texts.pullRequestStates[one],
          plain: (item) => item.state,
        },
        { title: texts.columns.source, text: (item) => `${item.source} ${item.sourceBranch}` },
        { title: texts.columns.branch, text: ({ targetBranch }) => targetBranch },
        { title: texts.columns.by, text: ({ authorName }) => authorName },
        {
          title: texts.columns.age,
          text: ({ updatedAt }) => ago(texts, updatedAt, now),
          plain: ({ updatedAt }) => updatedAt,
        },
        { title: texts.columns.subject, text: ({ title }) => title },
      ]);
    });
}

interface OpenOptions extends JsonOption, ProjectOption {
  readonly from?: string;
  readonly target?: string;
  readonly title?: string;
}

/** `gantry pull-request open BRANCH` */
export function addPullRequestOpen(parent: Command, cli: Cli): void {
  const { texts, out } = cli;
  addJson(addProject(parent.command('open <branch>').description(texts.commands.pullRequestOpen), cli), cli)
    .option('--from <owner/project>', texts.options.fork)
    .option('--target <branch>', texts.options.targetBranch)
    .option('--title <title>', texts.options.pullRequestTitle)
    .addHelpText('before', `${texts.examples}\n  gantry pull-request open fix --from ann/shop --project shop/web\n`)
    .action(async (sourceBranch: string, options: OpenOptions) => {
      const params = await cli.project(options.project);
      const { client } = await cli.connect();
      const body = {
        sourceBranch,
        ...(options.from !== undefined && { source: options.from }),
        ...(options.target !== undefined && { targetBranch: options.target }),
        ...(options.title !== undefined && { title: options.title }),
      };
      const opened = await client('openPullRequest', { params, body, idempotencyKey: randomUUID() });
      if (options.json !== undefined) return out.json(opened, options.json);
      await out.note(texts.pullRequestOpened(opened.number));
      await out.line(String(opened.number));
    });
}

/** `gantry pull-request close NUMBER`, `reopen NUMBER` and `update NUMBER` */
export function addPullRequestChanges(parent: Command, cli: Cli): void {
  const { texts, out } = cli;
  const begin = (word: string, description: string): Command =>
    addJson(addProject(parent.command(`${word} <number>`).description(description), cli), cli);
  const change = async (
    given: string,
    options: JsonOption & ProjectOption,
    body: { readonly state?: 'open' | 'closed'; readonly title?: string; readonly targetBranch?: string },
  ): Promise<void> => {
    const number = wholeNumber(cli, 'number', given);
    const params = await cli.project(options.project);
    const { client } = await cli.connect();
    const changed = await client('updatePullRequest', { params: { ...params, number }, body });
    if (options.json !== undefined) return out.json(changed, options.json);
    await out.note(
      texts.pullRequestChanged(changed.number, texts.pullRequestStates[changed.state], changed.targetBranch),
    );
  };
  begin('close', texts.commands.pullRequestClose).action((number: string, options: JsonOption & ProjectOption) =>
    change(number, options, { state: 'closed' }),
  );
  begin('reopen', texts.commands.pullRequestReopen).action((number: string, options: JsonOption & ProjectOption) =>
    change(number, options, { state: 'open' }),
  );
  begin('update', texts.commands.pullRequestUpdate)
    .option('--target <branch>', texts.options.targetBranch)
    .option('--title <title>', texts.options.pullRequestTitle)
    .action((number: string, options: OpenOptions) => {
      const body = {
        ...(options.target !== undefined && { targetBranch: options.target }),
        ...(options.title !== undefined && { title: options.title }),
      };
      if (Object.keys(body).length === 0) throw new GantryError('USAGE_WRONG', texts.errors.nothingToChange);
      return change(number, options, body);
    });
}
