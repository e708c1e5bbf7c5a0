import type { Dialect } from '../../core/plan.ts';
import type { Project } from '../../core/project.ts';
import { renderingCommand } from '../../engine/choose-files.ts';
import { sampleFacts } from '../../engine/sample-facts.ts';
import { withIncludes } from './include-files.ts';
import { readChosenFiles } from './read-chosen-files.ts';
import type { StartParametersDeps } from './start-parameters.ts';

/** Targets of promotions that the pipeline files at the commit name, in their order. */
export async function readPromotionTargets(
  deps: StartParametersDeps,
  project: Project,
  commit: string,
): Promise<readonly string[]> {
  const { dialect, files = [] } = (await readChosenFiles(deps.repository, project, commit)) ?? {};
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
