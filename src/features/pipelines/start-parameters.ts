import { GantryError } from '../../core/errors.ts';
import type { EventKind } from '../../core/event.ts';
import type { Dialect } from '../../core/plan.ts';
import type { Project } from '../../core/project.ts';
import type { Repository } from '../../core/repository.ts';
import type { UnitOfWork } from '../../core/unit-of-work.ts';
import { type ChosenFiles, chooseFiles, renderingCommand } from '../../engine/choose-files.ts';
import type { EnvironmentFacts } from '../../engine/environment-facts.ts';
import type { IncludedText } from '../../engine/includes.ts';
import type { LintResult } from '../../engine/lint-result.ts';
import type { PipelineParameter } from '../../engine/pipeline-parameters.ts';
import { sampleFacts } from '../../engine/sample-facts.ts';
import { withIncludes } from './include-files.ts';
import { readPipelineFiles } from './read-pipeline-files.ts';

export interface StartParametersDeps {
  readonly store: UnitOfWork;
  readonly repository: Pick<Repository, 'readFile' | 'listFolder' | 'resolve'>;
  readonly linter: {
    lint(path: string, text: string, facts?: EnvironmentFacts, includes?: readonly IncludedText[]): Promise<LintResult>;
  };
}

/** What whoever starts a pipeline at this commit by hand may choose; none where no `.gantry.yml` says so. */
export async function readStartParameters(
  deps: StartParametersDeps,
  project: Project,
  commit: string,
): Promise<readonly PipelineParameter[]> {
  return (await lintFile(deps, project, commit, sampleFacts))?.parameters ?? [];
}

/**
 * Refuses parameters that the file at the commit does not take, before anything is stored; the compiler says the same
 * of events that come by other ways. `what` begins the message.
 */
export async function requireStartParameters(
  deps: StartParametersDeps,
  project: Project,
  commit: string,
  start: { readonly kind: EventKind; readonly parameters: Readonly<Record<string, string>> },
  what: string,
): Promise<void> {
  const facts = { ...sampleFacts, event: { ...sampleFacts.event, ...start } };
  const { findings = [] } = (await lintFile(deps, project, commit, facts)) ?? {};
  const messages = findings.filter(({ code }) => code === 'parameter.value').map(({ message }) => message);
  if (messages.length > 0) throw new GantryError('PARAMETER_INVALID', `${what}: ${messages.join('; ')}`);
}

/** Targets of promotions that the pipeline files at the commit name, in their order. */
export async function readTargets(
  deps: StartParametersDeps,
  project: Project,
  commit: string,
): Promise<readonly string[]> {
  const { dialect, files = [] } = (await readChosen(deps, project, commit)) ?? {};
  // To read one takes a process.
  const naming = files.filter(({ text }) => /target|environment|^include[ \t]*:/m.test(text));
  if (!dialect || naming.length === 0) return [];
  const whole = await withIncludes(deps, { project, commit }, naming);
  const results = await Promise.all(
    // Where the project has its files under other names, the dialect would be guessed by these.
    whole.map(({ path, text, includes }) =>
      deps.linter.lint(renderingCommand(path) === undefined ? usualPaths[dialect] : path, text, sampleFacts, includes),
    ),
  );
  return [...new Set(results.flatMap(({ targets = [] }) => targets))];
}

const usualPaths: Readonly<Record<Dialect, string>> = {
  drone08: '.drone.yml',
  drone1: '.drone.yml',
  woodpecker: '.woodpecker.yml',
  gantry: '.gantry.yml',
};

async function readChosen(
  { repository }: StartParametersDeps,
  project: Project,
  commit: string,
): Promise<ChosenFiles | undefined> {
  const { path } = project.pipelines;
  const found = await readPipelineFiles(repository, project.id, commit, path);
  return chooseFiles(
    found.flatMap((file) => (file.text === undefined ? [] : [{ path: file.path, text: file.text }])),
    path,
  );
}

async function lintFile(
  deps: StartParametersDeps,
  project: Project,
  commit: string,
  facts: EnvironmentFacts,
): Promise<LintResult | undefined> {
  const chosen = await readChosen(deps, project, commit);
  const [file] = chosen?.files ?? [];
  // Few files have any, and to read one takes a process.
  if (!file || chosen?.dialect !== 'gantry' || !/parameters|^include[ \t]*:/m.test(file.text)) return undefined;
  const [whole] = await withIncludes(deps, { project, commit }, [file]);
  return deps.linter.lint('.gantry.yml', file.text, facts, whole?.includes);
}
