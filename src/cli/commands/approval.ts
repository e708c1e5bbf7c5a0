import type { Command } from 'commander';
import type { ApprovalDetail } from '../../api/approvals.ts';
import type { Cli } from '../cli.ts';
import { ago } from '../instants.ts';
import { addJson, addProject, type JsonOption, type ProjectOption } from '../options.ts';

/** `gantry pipeline approvals` */
export function addPipelineApprovals(parent: Command, cli: Cli): void {
  const { texts, out } = cli;
  addJson(addProject(parent.command('approvals').description(texts.commands.pipelineApprovals), cli), cli).action(
    async (options: JsonOption & ProjectOption) => {
      const params = await cli.project(options.project);
      const { client } = await cli.connect();
      const page = await client('listApprovals', { params });
      if (options.json !== undefined) return out.json(page, options.json);
      if (page.items.length === 0) return out.note(texts.nothingHere.approvals);
      const now = new Date();
      await out.table(page.items, [
        {
          title: texts.columns.number,
          text: ({ pipeline }) => `#${pipeline}`,
          plain: ({ pipeline }) => String(pipeline),
        },
        { title: texts.columns.source, text: ({ pullRequest, branch }) => pullRequest?.source ?? branch },
        { title: texts.columns.commit, text: ({ head }) => head.slice(0, 8), plain: ({ head }) => head },
        { title: texts.columns.by, text: ({ personName }) => personName },
        {
          title: texts.columns.age,
          text: ({ createdAt }) => ago(texts, createdAt, now),
          plain: ({ createdAt }) => createdAt,
        },
        { title: texts.columns.why, text: ({ why }) => why },
      ]);
    },
  );
}

interface DecideOptions extends JsonOption, ProjectOption {
  readonly secrets?: true;
  readonly yes?: true;
}

/** `gantry pipeline approve NUMBER` and `gantry pipeline decline NUMBER`: they show what is asked, and ask. */
export function addPipelineDecisions(parent: Command, cli: Cli): void {
  const { texts, out } = cli;
  const add = (decision: 'approve' | 'decline', description: string): void => {
    const command = addJson(
      addProject(parent.command(`${decision} <number>`).description(description), cli),
      cli,
    ).option('--yes', texts.options.yes);
    if (decision === 'approve') command.option('--secrets', texts.options.withSecrets);
    command.action(async (given: string, options: DecideOptions) => {
      const params = await cli.project(options.project);
      const session = await cli.connect();
      const number = await cli.pipelineNumber(session, params, given);
      const asked = await session.client('getApproval', { params: { ...params, number } });
      if (!options.yes) await show(cli, asked);
      const question =
        decision === 'approve' ? texts.askApprove(number, options.secrets === true) : texts.askDecline(number);
      await cli.ask.confirm(question, options.yes);
      const { head, configuration } = asked;
      const body = { decision, withSecrets: options.secrets === true, head, configuration };
      const pipeline = await session.client('decideApproval', { params: { ...params, number }, body });
      if (options.json !== undefined) return out.json(pipeline, options.json);
      await out.note(decision === 'approve' ? texts.pipelineApproved(number) : texts.pipelineDeclined(number));
      if (decision === 'approve') await out.note(`  ${texts.next}  ${texts.watchHow(number)}`);
    });
  };
  add('approve', texts.commands.pipelineApprove);
  add('decline', texts.commands.pipelineDecline);
}

async function show({ out }: Cli, asked: ApprovalDetail): Promise<void> {
  const { pullRequest, why, head, subject, personName, workflows, diff } = asked;
  await out.note(why);
  if (pullRequest)
    await out.note(
      `  !${pullRequest.number} ${pullRequest.source} ${pullRequest.sourceBranch} → ${pullRequest.targetBranch}`,
    );
  await out.note(`  ${head.slice(0, 8)} ${subject} (${personName})`);
  for (const { name, steps } of workflows)
    for (const step of steps) {
      const secrets = step.secrets.length === 0 ? '' : `  ${step.secrets.join(', ')}`;
      await out.note(`  ${name} / ${step.name}  ${step.image}${secrets}`);
    }
  for (const line of diff.split('\n').filter(Boolean)) await out.note(`  ${line}`);
}
