/**
 * What describes the run and not the work: numbers, commits, branches, people, times. Constants of the project and the
 * place of the step in its file stay.
 */
const runSpecific =
  /^(?:(?:DRONE|CI)_(?!REPO(?:_|$)|REMOTE_URL$|GIT_|SYSTEM_|WORKSPACE|STAGE_(?:KIND|TYPE|NAME|OS|ARCH|VARIANT)$|STEP_(?:NAME|TYPE)$)|GANTRY_(?!URL$|REPO|CLONE_URL$|DEFAULT_BRANCH$|VISIBILITY$|WORKFLOW$|STEP$|WORKSPACE$)|GIT_(?:AUTHOR|COMMITTER)_(?:NAME|EMAIL)$|PULLREQUEST_DRONE_)/;

/**
 * The environment of a step that may be reused: a variable of Gantry's own that is another one in each run is there only
 * when the step's texts name it, and then it is part of the key. What a step has not got it cannot depend on.
 *
 * @param own - Names that the file, the project or whoever started the run gave: they stay whatever they are called.
 * @param texts - Commands, arguments and settings of the step.
 */
export function reusableEnvironment(
  environment: Readonly<Record<string, string>>,
  own: ReadonlySet<string>,
  texts: readonly string[],
): Record<string, string> {
  const named = new Set(texts.flatMap((text) => text.match(/[A-Za-z_][A-Za-z0-9_]*/g) ?? []));
  return Object.fromEntries(
    Object.entries(environment).filter(([name]) => own.has(name) || named.has(name) || !runSpecific.test(name)),
  );
}

/** What of an environment is the same in each run. */
export function lastingEnvironment(environment: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !runSpecific.test(name)));
}
