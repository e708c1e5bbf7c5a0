import { GantryError } from '../../core/errors.ts';
import type { EventKind } from '../../core/event.ts';
import type { Project } from '../../core/project.ts';
import type { Repository } from '../../core/repository.ts';
import type { UnitOfWork } from '../../core/unit-of-work.ts';
import type { EnvironmentFacts } from '../../engine/environment-facts.ts';
import type { IncludedText } from '../../engine/includes.ts';
import type { LintResult } from '../../engine/lint-result.ts';
import type { PipelineParameter } from '../../engine/pipeline-parameters.ts';
import { sampleFacts } from '../../engine/sample-facts.ts';
import { withIncludes } from './include-files.ts';
import { readChosenFiles } from './read-chosen-files.ts';

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

async function lintFile(
  deps: StartParametersDeps,
  project: Project,
  commit: string,
  facts: EnvironmentFacts,
): Promise<LintResult | undefined> {
  const chosen = await readChosenFiles(deps.repository, project, commit);
  const [file] = chosen?.files ?? [];
  // Few files have any, and to read one takes a process.
  if (!file || chosen?.dialect !== 'gantry' || !/parameters|^include[ \t]*:/m.test(file.text)) return undefined;
  const [whole] = await withIncludes(deps, { project, commit }, [file]);
  return deps.linter.lint('.gantry.yml', file.text, facts, whole?.includes);
}
