import { resolve } from 'node:path';
import type { Command } from 'commander';
import { ApiError } from '../../api/client.ts';
import type { Problem } from '../../api/operation.ts';
import { GantryError } from '../../core/errors.ts';
import { formatSize } from '../../lib/size.ts';
import type { Cli, ProjectParams, Session } from '../cli.ts';
import { ago } from '../instants.ts';
import { addJson, addProject, type JsonOption, type ProjectOption } from '../options.ts';
import { unpackArtifact, writeArtifact } from '../unpack-artifact.ts';

/** `gantry artifact list [NUMBER]` */
export function addArtifactList(parent: Command, cli: Cli): void {
  const { texts, out } = cli;
  addJson(addProject(parent.command('list [number]').description(texts.commands.artifactList), cli), cli).action(
    async (given: string | undefined, options: JsonOption & ProjectOption) => {
      const params = await cli.project(options.project);
      const session = await cli.connect();
      const number = await cli.pipelineNumber(session, params, given);
      const page = await session.client('listArtifacts', { params: { ...params, number } });
      if (options.json !== undefined) return out.json(page, options.json);
      if (page.items.length === 0) return out.note(texts.nothingHere.artifacts(number));
      const now = new Date();
      await out.table(page.items, [
        { title: texts.columns.name, text: ({ name }) => name },
        {
          title: texts.columns.size,
          text: ({ sizeBytes }) => formatSize(sizeBytes),
          plain: ({ sizeBytes }) => String(sizeBytes),
        },
        { title: texts.columns.workflow, text: ({ workflow }) => workflow },
        {
          title: texts.columns.age,
          text: ({ createdAt }) => ago(texts, createdAt, now),
          plain: ({ createdAt }) => createdAt,
        },
        {
          title: texts.columns.expires,
          text: ({ expiresAt }) => expiresAt.slice(0, 10),
          plain: ({ expiresAt }) => expiresAt,
        },
      ]);
    },
  );
}

/** `gantry artifact download [NUMBER] NAME` */
export function addArtifactDownload(parent: Command, cli: Cli): void {
  const { texts, out } = cli;
  addProject(parent.command('download <number> [name]').description(texts.commands.artifactDownload), cli)
    .option('-o, --output <path>', texts.options.artifactOutput)
    .option('--packed', texts.options.packed)
    .addHelpText(
      'before',
      `${texts.examples}\n  gantry artifact download 42 dist\n  gantry artifact download 42 dist --output build\n  gantry artifact download 42 dist --packed\n`,
    )
    .action(
      async (
        first: string,
        second: string | undefined,
        options: ProjectOption & { readonly output?: string; readonly packed?: true },
      ) => {
        const params = await cli.project(options.project);
        const session = await cli.connect();
        // With one word the newest pipeline is meant.
        const number = await cli.pipelineNumber(session, params, second === undefined ? undefined : first);
        const name = second ?? first;
        const response = await fetchArtifact(cli, session, params, number, name);
        const target = options.output ?? (options.packed ? `${name}.tar.zst` : name);
        const path = resolve(cli.io.workingFolder, target);
        try {
          if (options.packed) await writeArtifact(response, path);
          else await unpackArtifact(response, path);
        } catch (error) {
          if (error instanceof GantryError) throw error;
          throw new GantryError('USAGE_WRONG', texts.errors.notWritten(target, (error as Error).message), {
            cause: error,
          });
        }
        await out.note(texts.artifactWritten(name, number, target));
      },
    );
}

/** `gantry artifact delete NUMBER NAME` */
export function addArtifactDelete(parent: Command, cli: Cli): void {
  const { texts, out } = cli;
  addProject(parent.command('delete <number> <name>').description(texts.commands.artifactDelete), cli)
    .option('--yes', texts.options.yes)
    .addHelpText('before', `${texts.examples}\n  gantry artifact delete 42 dist\n`)
    .action(async (given: string, name: string, options: ProjectOption & { readonly yes?: true }) => {
      const params = await cli.project(options.project);
      const session = await cli.connect();
      const number = await cli.pipelineNumber(session, params, given);
      const slug = `${params.owner}/${params.project}`;
      await cli.ask.confirm(texts.askArtifactDelete(name, number, slug), options.yes);
      await session.client('deleteArtifact', { params: { ...params, number, artifact: name } });
      await out.note(texts.artifactDeleted(name, number, slug));
    });
}

async function fetchArtifact(
  cli: Cli,
  session: Session,
  { owner, project }: ProjectParams,
  number: number,
  name: string,
): Promise<ReadableStream<Uint8Array>> {
  const [o, p, n] = [owner, project, name].map(encodeURIComponent);
  let response: Response;
  try {
    response = await fetch(`${session.url}/api/v1/projects/${o}/${p}/pipelines/${number}/artifacts/${n}/file`, {
      headers: session.headers,
    });
  } catch (error) {
    throw cli.translated(session.url, error);
  }
  if (response.ok && response.body) return response.body;
  if (response.headers.get('content-type')?.includes('application/problem+json'))
    throw new ApiError((await response.json()) as Problem);
  throw new GantryError('ARTIFACT_NOT_FOUND', cli.texts.errors.noArtifact(name, response.status));
}
