import type { ClientResult } from '../api/client.ts';
import { GantryError } from '../core/errors.ts';
import type { CompileRules } from '../engine/compile-input.ts';
import type { Cli, ProjectParams, Session } from './cli.ts';
import { printable } from './text-width.ts';

/** What a server says of a project, as far as it changes what a pipeline file means. */
export interface ProjectOfServer {
  readonly defaultBranch: string;
  readonly visibility: ClientResult<'getProject'>['visibility'];
  /** Plain variables: those of the project win over those of its organisation. */
  readonly variables: Readonly<Record<string, string>>;
  readonly stepTimeoutMs: number;
  /** Of the whole pipeline; null: none. */
  readonly timeoutMs: number | null;
  readonly rules: CompileRules;
}

/** A command that needs no server waits no longer for one. */
const patienceMs = 3_000;

/**
 * Asks the server of this clone, or the one that one is signed in to, about the project. `undefined` where the folder is
 * no clone of one, or nobody can be asked: then a line says why, and what is assumed instead.
 */
export async function askAboutProject(cli: Cli, given: string | undefined): Promise<ProjectOfServer | undefined> {
  const { out, texts } = cli;
  const slug = given ?? (await cli.clone())?.slug;
  // A folder that belongs to no project lacks nothing.
  if (slug === undefined) return undefined;
  try {
    const session = await cli.connect();
    return await fetchProject(cli, session, cli.projectOf(slug));
  } catch (error) {
    // Whoever names a project means it: a slug that is none is told as elsewhere.
    if (given !== undefined && error instanceof GantryError && error.code === 'USAGE_WRONG') throw error;
    const why = error instanceof Error ? error.message : String(error);
    await out.note(out.paintNote('dim', texts.assumed.instead(printable(why))));
    return undefined;
  }
}

async function fetchProject(cli: Cli, { client }: Session, params: ProjectParams): Promise<ProjectOfServer> {
  const signal = AbortSignal.timeout(patienceMs);
  const [project, settings] = await Promise.all([
    client('getProject', { params, signal }),
    client('getPipelineSettings', { params, signal }),
  ]);
  const { path, evaluatesDronePaths, toleratesFilteredSteps, ignoresCaches, stepTimeoutMs, timeoutMs } = settings;
  return {
    defaultBranch: project.defaultBranch,
    visibility: project.visibility,
    variables: await fetchVariables(cli, client, params, signal),
    stepTimeoutMs,
    timeoutMs,
    rules: {
      ...(path !== null && { path }),
      evaluatesDronePaths,
      toleratesFilteredSteps,
      ...(ignoresCaches && { ignoresCaches: 'project' as const }),
    },
  };
}

/** Reading variables takes the role "write": without it they are said to be missing, and the rest still counts. */
async function fetchVariables(
  { out, texts }: Cli,
  client: Session['client'],
  params: ProjectParams,
  signal: AbortSignal,
): Promise<Readonly<Record<string, string>>> {
  const { owner } = params;
  const [own, shared] = await Promise.allSettled([
    client('listVariables', { params, signal }),
    client('listOrganisationVariables', { params: { owner }, signal }),
  ]);
  if (own.status === 'rejected') {
    const why = own.reason instanceof Error ? own.reason.message : String(own.reason);
    await out.note(out.paintNote('dim', texts.assumed.noVariables(printable(why))));
  }
  // The owner may be a person, who has no variables, or one whose variables are for others to read.
  return Object.fromEntries(
    [shared, own].flatMap((answer) =>
      answer.status === 'fulfilled' ? answer.value.items.map(({ name, value }) => [name, value]) : [],
    ),
  );
}
