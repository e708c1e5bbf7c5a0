import type { Dialect } from '../core/plan.ts';
import { dialectRules } from './dialect-rules.ts';
import { drone08Variables, saysNothing } from './environment-drone08.ts';
import type { EnvironmentFacts, WorkflowIdentity } from './environment-facts.ts';
import { woodpeckerStepVariables, woodpeckerVariables, workflowVariables } from './environment-woodpecker.ts';
import { eventText, isPrivate, slugOf, unixSeconds } from './event-text.ts';
import { instanceAddress } from './instance-address.ts';
import { LayeredVariables, setVariable } from './layered-variables.ts';
import { onceFor } from './once-for.ts';
import { watchLookup, watchVariables } from './passing-variables.ts';
import type { VariableLookup, Variables } from './substitute.ts';
import { tagVersionVariables } from './tag-version.ts';
import { watchOf } from './watched-facts.ts';

export interface StepIdentity {
  readonly name: string;
  /** Counts from 1 in the workflow, the checkout included. */
  readonly number: number;
}

/** Where the workspace is in each step. */
export interface Workspace {
  readonly base: string;
  readonly path: string;
}

/** Folder in which steps start. */
export function workspaceFolder(workspace: Workspace): string {
  if (workspace.path === '') return workspace.base;
  const folder = `${workspace.base}/${workspace.path}`;
  return folder.includes('//') ? folder.replaceAll(/\/{2,}/g, '/') : folder;
}

/** The release of Drone whose variables these are; scripts compare with it. */
const droneVersion = '2.0.4';

/**
 * Variables that `${…}` can name in a workflow's document (pipelines.md 3): no secrets, and nothing of a step.
 * What is known only when a step starts reads as it does there before the first step: status `success`, times empty.
 */
export function substitutionVariables(
  facts: EnvironmentFacts,
  dialect: Dialect,
  workflow: WorkflowIdentity,
): VariableLookup {
  const watch = watchOf(facts);
  if (watch) return watchLookup(ofDocument(watch.given, dialect, workflow), dialect, watch.reads, allOfDocument);
  return ofDocument(facts, dialect, workflow);
}

function ofDocument(facts: EnvironmentFacts, dialect: Dialect, workflow: WorkflowIdentity): LayeredVariables {
  const ofGantry = { ...gantryVariables(facts), GANTRY_WORKFLOW: workflow.name };
  const { parameters } = facts.event;
  switch (dialect) {
    case 'drone08':
      return new LayeredVariables([drone08Variables(facts), ofGantry, parameters, workflow.matrix]);
    case 'woodpecker':
      return new LayeredVariables(
        [workflowVariables(workflow), unknownToWoodpecker, ofGantry, parameters, workflow.matrix],
        woodpeckerVariables(facts),
      );
    default:
      return new LayeredVariables([
        // They stand where the globals of a runner do (pipelines.md 3).
        ...(facts.variables ? [facts.variables] : []),
        parameters,
        workflow.matrix,
        systemVariables(facts),
        repositoryVariables(facts),
        buildVariables(facts),
        stageVariables(facts, workflow),
        ofGantry,
      ]);
  }
}

function allOfDocument(facts: EnvironmentFacts, dialect: Dialect, workflow: WorkflowIdentity): Variables {
  return ofDocument(facts, dialect, workflow).merged();
}

/** Known only later, and so as good as nothing before a step starts, as upstream has it. */
const unknownToWoodpecker: Variables = { CI_STEP_NUMBER: '0', CI_PIPELINE_FILES: '[]' };

/** What an expression of `evaluate` can name (pipelines.md 11.4). */
export function expressionVariables(facts: EnvironmentFacts, workflow: WorkflowIdentity): Variables {
  const watch = watchOf(facts);
  if (!watch) return ofExpression(facts, 'woodpecker', workflow);
  return watchVariables(ofExpression(watch.given, 'woodpecker', workflow), 'woodpecker', watch.reads, ofExpression);
}

function ofExpression(facts: EnvironmentFacts, dialect: Dialect, workflow: WorkflowIdentity): Record<string, string> {
  const variables = ofDocument(facts, dialect, workflow).merged();
  // Whatever a matrix or a parameter says of the same name.
  new LayeredVariables([workflowVariables(workflow)], woodpeckerVariables(facts)).addTo(variables);
  return variables;
}

/** What the environment of a step is made of, beside what the event gives. */
export interface StepEnvironmentParts {
  readonly workflow: WorkflowIdentity & { readonly workspace: Workspace; readonly environment: Variables };
  readonly step: StepIdentity & {
    readonly environment: Variables;
    readonly settings: Variables;
    /** Without commands of its own: what its image does looks for variables of any of the systems. */
    readonly isPlugin: boolean;
  };
}

/** What the steps of a pipeline share: `WorkflowPlan` holds it once, and a step only what it has over it. */
export interface SharedEnvironment {
  /** Of every step. */
  readonly ofSteps: Variables;
  /** Of steps that are an image alone, below all others. */
  readonly ofPlugins: Variables;
}

/** Where facts of an event stand beside what a file says of the same name. */
interface FactLayers {
  /** A step's own settings and variables win over these; what is given to all steps does not. */
  readonly weak: LayeredVariables;
  /** Nobody can override these. */
  readonly strong: LayeredVariables;
}

const noVariables: Variables = {};

const factLayers: Readonly<Record<Dialect, (facts: EnvironmentFacts) => FactLayers>> = {
  drone08: onceFor((facts: EnvironmentFacts) => ({
    weak: new LayeredVariables([drone08Variables(facts)]),
    strong: new LayeredVariables([gantryVariables(facts)]),
  })),
  drone1: onceFor(droneLayers),
  gantry: onceFor(droneLayers),
  woodpecker: onceFor((facts: EnvironmentFacts) => ({
    weak: new LayeredVariables(
      [gantryVariables(facts), { CI_STEP_URL: facts.pipeline.link }],
      woodpeckerStepVariables(facts),
    ),
    strong: new LayeredVariables([]),
  })),
};

function droneLayers(facts: EnvironmentFacts): FactLayers {
  return {
    weak: new LayeredVariables([systemVariables(facts), repositoryVariables(facts), gitVariables(facts)]),
    strong: new LayeredVariables([buildVariables(facts), gantryVariables(facts)]),
  };
}

const sharedOf: Readonly<Record<Dialect, (facts: EnvironmentFacts) => SharedEnvironment>> = {
  drone08: onceFor((facts: EnvironmentFacts) => shared(facts, 'drone08')),
  drone1: onceFor((facts: EnvironmentFacts) => shared(facts, 'drone1')),
  gantry: onceFor((facts: EnvironmentFacts) => shared(facts, 'gantry')),
  woodpecker: onceFor((facts: EnvironmentFacts) => shared(facts, 'woodpecker')),
};

/** The same object for every step and workflow of a pipeline. */
export function sharedEnvironment(facts: EnvironmentFacts, dialect: Dialect): SharedEnvironment {
  return sharedOf[dialect](facts);
}

function shared(facts: EnvironmentFacts, dialect: Dialect): SharedEnvironment {
  const { weak, strong } = factLayers[dialect](facts);
  const ofSteps: Record<string, string> = { ...facts.variables };
  weak.addTo(ofSteps);
  strong.addTo(ofSteps);
  for (const name of executionVariables) delete ofSteps[name];
  return {
    ofSteps,
    // Asked for by few: most steps have commands.
    get ofPlugins() {
      return dialect === 'woodpecker' ? noVariables : pluginVariables(facts);
    },
  };
}

const pluginVariables = onceFor((facts: EnvironmentFacts): Variables => {
  const variables = new LayeredVariables([], woodpeckerStepVariables(facts)).merged();
  for (const name of executionVariables) delete variables[name];
  return variables;
});

/** The environment of one step, complete but for what `executionEnvironment` adds and for secrets. */
export function stepEnvironment(
  facts: EnvironmentFacts,
  dialect: Dialect,
  parts: StepEnvironmentParts,
): Record<string, string> {
  const { ofSteps, ofPlugins } = sharedEnvironment(facts, dialect);
  return {
    ...(parts.step.isPlugin ? ofPlugins : {}),
    ...ofSteps,
    ...ownEnvironment(facts, dialect, parts),
  };
}

/**
 * What a step has over `sharedEnvironment`. It depends on which facts there are; `onFactValue` is told when it depends on
 * what one of them says.
 */
export function ownEnvironment(
  facts: EnvironmentFacts,
  dialect: Dialect,
  { workflow, step }: StepEnvironmentParts,
  onFactValue: () => void = () => {},
): Record<string, string> {
  const own = new OwnEnvironment(factLayers[dialect](facts), onFactValue);
  const folder = workspaceFolder(workflow.workspace);
  const number = String(step.number);
  const plugin = step.isPlugin && dialect !== 'woodpecker' ? sharedEnvironment(facts, dialect).ofPlugins : undefined;
  if (plugin) {
    // The weakest names of a plugin are still above those of the project.
    if (facts.variables) own.keepAbove(facts.variables, plugin);
    own.force(workflowVariables(workflow));
  }
  switch (dialect) {
    case 'drone08':
      own.addOfDrone08(step.environment);
      own.addOfDrone08(facts.event.parameters);
      own.addOfDrone08(workflow.matrix);
      own.set('CI_WORKSPACE', folder);
      own.set('DRONE_WORKSPACE', folder);
      own.add(step.settings);
      break;
    case 'woodpecker':
      own.force(workflowVariables(workflow));
      own.set('CI_STEP_NAME', step.name);
      own.set('CI_STEP_NUMBER', number);
      own.set('CI_STEP_TYPE', step.isPlugin ? 'plugin' : 'commands');
      own.set('CI_WORKSPACE', folder);
      own.set('DRONE_STEP_NUMBER', number);
      own.nameStep(workflow, step.name, number, folder);
      own.add(facts.event.parameters);
      own.add(workflow.matrix);
      own.add(step.environment);
      own.add(step.settings);
      return own.values;
    default:
      // Low to high: what is given to all steps, the step's own, and what nobody can override (pipelines.md 10.7).
      own.addBelowFacts(facts.event.parameters);
      own.addBelowFacts(workflow.environment);
      own.addBelowFacts(workflow.matrix);
      if (workflow.type === 'exec') own.force(execVariables);
      own.set('DRONE_WORKSPACE', folder);
      own.set('DRONE_WORKSPACE_BASE', workflow.workspace.base);
      own.set('DRONE_WORKSPACE_PATH', workflow.workspace.path);
      own.add(step.environment);
      own.add(step.settings);
      own.force(stageVariables(facts, workflow));
      own.set('DRONE_STEP_NAME', step.name);
      own.set('DRONE_STEP_NUMBER', number);
  }
  own.nameStep(workflow, step.name, number, folder);
  return own.values;
}

/** What a step has over the facts that it shares, as it is put together from low to high. */
class OwnEnvironment {
  readonly values: Record<string, string> = {};
  readonly #facts: FactLayers;
  readonly #onFactValue: () => void;

  constructor(facts: FactLayers, onFactValue: () => void) {
    this.#facts = facts;
    this.#onFactValue = onFactValue;
  }

  set(name: string, value: string): void {
    this.values[name] = value;
  }

  force(variables: Variables): void {
    for (const name of Object.keys(variables)) this.#own(name, variables[name]!);
  }

  /** What a step says for itself. */
  add(variables: Variables): void {
    for (const name of Object.keys(variables)) if (!this.#facts.strong.has(name)) this.#own(name, variables[name]!);
  }

  /** What is said for all steps. */
  addBelowFacts(variables: Variables): void {
    for (const name of Object.keys(variables))
      if (!this.#facts.weak.has(name) && !this.#facts.strong.has(name)) this.#own(name, variables[name]!);
  }

  /** The system's variables win over a step's own, unless they say nothing. */
  addOfDrone08(variables: Variables): void {
    const { weak, strong } = this.#facts;
    for (const name of Object.keys(variables)) {
      if (strong.has(name)) continue;
      const fact = weak.get(name);
      if (fact !== undefined) this.#onFactValue();
      if (fact === undefined || saysNothing(fact)) this.#own(name, variables[name]!);
    }
  }

  /** Those of `variables` that are among `others` and no facts, with the values that they have there. */
  keepAbove(variables: Variables, others: Variables): void {
    for (const name of Object.keys(variables)) {
      // Whether a plugin is given one depends on whether it says something.
      if (/^(?:CI|DRONE|PULLREQUEST)(?:_|$)/.test(name)) this.#onFactValue();
      if (Object.hasOwn(others, name)) this.addBelowFacts({ [name]: others[name]! });
    }
  }

  nameStep(workflow: WorkflowIdentity, step: string, number: string, folder: string): void {
    this.values['GANTRY_WORKFLOW'] = workflow.name;
    this.values['GANTRY_STEP'] = step;
    this.values['GANTRY_STEP_NUMBER'] = number;
    this.values['GANTRY_WORKSPACE'] = folder;
  }

  #own(name: string, value: string): void {
    if (!executionNames.has(name)) setVariable(this.values, name, value);
  }
}

/** What a runner of `type: exec` adds (pipelines.md 10.3): the home is that of the image. */
const execVariables: Variables = {
  HOME: '/root',
  HOMEPATH: '/root',
  USERPROFILE: '/root',
  DRONE_HOME: '/root',
  GIT_TERMINAL_PROMPT: '0',
};

function systemVariables({ instanceUrl }: EnvironmentFacts): Record<string, string> {
  const { protocol, host, hostname } = instanceAddress(instanceUrl);
  return {
    CI: 'true',
    DRONE: 'true',
    DRONE_SYSTEM_PROTO: protocol,
    DRONE_SYSTEM_HOST: host,
    DRONE_SYSTEM_HOSTNAME: hostname,
    DRONE_SYSTEM_VERSION: droneVersion,
  };
}

function repositoryVariables({ project }: EnvironmentFacts): Record<string, string> {
  const slug = slugOf(project);
  return {
    DRONE_REPO: slug,
    DRONE_REPO_SCM: 'git',
    DRONE_REPO_OWNER: project.owner,
    DRONE_REPO_NAMESPACE: project.owner,
    DRONE_REPO_NAME: project.name,
    DRONE_REPO_LINK: project.link,
    DRONE_REPO_BRANCH: project.defaultBranch,
    DRONE_REPO_VISIBILITY: project.visibility,
    DRONE_REPO_PRIVATE: isPrivate(project),
    DRONE_REMOTE_URL: project.cloneUrl,
    DRONE_GIT_HTTP_URL: project.cloneUrl,
    DRONE_GIT_SSH_URL: '',
    CI_REPO: slug,
    CI_REPO_NAME: slug,
    CI_REPO_LINK: project.link,
    CI_REPO_REMOTE: project.cloneUrl,
    CI_REMOTE_URL: project.cloneUrl,
    CI_REPO_PRIVATE: isPrivate(project),
  };
}

function buildVariables({ event, pipeline, project }: EnvironmentFacts): Record<string, string> {
  const number = String(pipeline.number);
  const [word] = dialectRules.drone1.eventWords[event.kind];
  const created = unixSeconds(pipeline.createdAt);
  const { message, tag, pullRequestNumber } = eventText(event);
  const sourceBranch = event.pullRequest?.sourceBranch ?? event.branch;
  const parent = String(event.parentNumber ?? 0);
  const target = event.target ?? '';
  return {
    DRONE_BRANCH: event.branch,
    DRONE_SOURCE_BRANCH: sourceBranch,
    DRONE_TARGET_BRANCH: event.branch,
    DRONE_COMMIT: event.commit,
    DRONE_COMMIT_SHA: event.commit,
    DRONE_COMMIT_BEFORE: event.before,
    DRONE_COMMIT_AFTER: event.commit,
    DRONE_COMMIT_REF: event.ref,
    DRONE_COMMIT_BRANCH: event.branch,
    DRONE_COMMIT_LINK: `${project.link}/commits/${event.commit}`,
    DRONE_COMMIT_MESSAGE: message,
    DRONE_COMMIT_AUTHOR: event.personName,
    DRONE_COMMIT_AUTHOR_NAME: event.authorName,
    DRONE_COMMIT_AUTHOR_EMAIL: event.authorEmail,
    DRONE_COMMIT_AUTHOR_AVATAR: '',
    DRONE_BUILD_NUMBER: number,
    DRONE_BUILD_PARENT: parent,
    DRONE_BUILD_EVENT: word,
    DRONE_BUILD_ACTION: event.pullRequest?.action ?? '',
    DRONE_BUILD_STATUS: 'success',
    DRONE_BUILD_DEBUG: 'false',
    DRONE_BUILD_CREATED: created,
    DRONE_BUILD_TRIGGER: event.personName,
    DRONE_BUILD_LINK: pipeline.link,
    DRONE_DEPLOY_TO: target,
    DRONE_DEPLOY_ID: '',
    CI_BUILD_NUMBER: number,
    CI_BUILD_CREATED: created,
    CI_BUILD_STATUS: 'success',
    CI_BUILD_EVENT: word,
    CI_BUILD_LINK: pipeline.link,
    CI_BUILD_TARGET: target,
    CI_PARENT_BUILD_NUMBER: parent,
    CI_COMMIT_SHA: event.commit,
    CI_COMMIT_REF: event.ref,
    CI_COMMIT_BRANCH: event.branch,
    CI_COMMIT_MESSAGE: message,
    CI_COMMIT_AUTHOR: event.personName,
    CI_COMMIT_AUTHOR_NAME: event.authorName,
    CI_COMMIT_AUTHOR_EMAIL: event.authorEmail,
    CI_COMMIT_AUTHOR_AVATAR: '',
    ...(pullRequestNumber === undefined
      ? {}
      : { DRONE_PULL_REQUEST: pullRequestNumber, DRONE_PULL_REQUEST_TITLE: event.pullRequest?.title ?? '' }),
    ...(tag === undefined ? {} : tagVersionVariables(tag)),
  };
}

function stageVariables(
  { architecture = 'amd64' }: EnvironmentFacts,
  workflow: WorkflowIdentity,
): Record<string, string> {
  return {
    DRONE_STAGE_KIND: 'pipeline',
    DRONE_STAGE_TYPE: workflow.type,
    DRONE_STAGE_NAME: workflow.name,
    DRONE_STAGE_NUMBER: String(workflow.number),
    DRONE_STAGE_OS: 'linux',
    DRONE_STAGE_ARCH: architecture,
    DRONE_STAGE_VARIANT: '',
    DRONE_STAGE_VERSION: '',
    DRONE_STAGE_STATUS: 'success',
    DRONE_STAGE_DEPENDS_ON: workflow.dependsOn.join(','),
    DRONE_CARD_PATH: '/dev/stdout',
  };
}

function gitVariables({ event, instanceUrl }: EnvironmentFacts): Record<string, string> {
  const host = instanceAddress(instanceUrl).hostname || 'localhost';
  const name = event.personName === '' ? 'gantry' : event.personName;
  const email = `noreply@${host}`;
  return { GIT_AUTHOR_NAME: name, GIT_AUTHOR_EMAIL: email, GIT_COMMITTER_NAME: name, GIT_COMMITTER_EMAIL: email };
}

/** The same facts under Gantry's own names. */
function gantryVariables({ event, project, pipeline, instanceUrl }: EnvironmentFacts): Record<string, string> {
  const { message, tag } = eventText(event);
  return {
    GANTRY: 'true',
    GANTRY_URL: instanceUrl,
    GANTRY_REPO: slugOf(project),
    GANTRY_REPO_OWNER: project.owner,
    GANTRY_REPO_NAME: project.name,
    GANTRY_REPO_LINK: project.link,
    GANTRY_CLONE_URL: project.cloneUrl,
    GANTRY_DEFAULT_BRANCH: project.defaultBranch,
    GANTRY_VISIBILITY: project.visibility,
    GANTRY_EVENT: event.kind,
    GANTRY_REF: event.ref,
    GANTRY_BRANCH: tag === undefined ? event.branch : '',
    ...(tag === undefined ? {} : { GANTRY_TAG: tag }),
    GANTRY_COMMIT_SHA: event.commit,
    GANTRY_COMMIT_BEFORE: event.before,
    GANTRY_COMMIT_MESSAGE: message,
    GANTRY_COMMIT_AUTHOR_NAME: event.authorName,
    GANTRY_COMMIT_AUTHOR_EMAIL: event.authorEmail,
    GANTRY_PERSON: event.personName,
    GANTRY_PIPELINE_NUMBER: String(pipeline.number),
    GANTRY_PIPELINE_LINK: pipeline.link,
    GANTRY_PIPELINE_CREATED: unixSeconds(pipeline.createdAt),
    ...(event.target === undefined ? {} : { GANTRY_TARGET: event.target }),
    ...(event.schedule === undefined ? {} : { GANTRY_CRON: event.schedule }),
  };
}

/** Set when a step starts, and by nobody before: `executionEnvironment`. */
export const executionVariables = [
  'DRONE_BUILD_STATUS',
  'DRONE_BUILD_STARTED',
  'DRONE_BUILD_FINISHED',
  'DRONE_FAILED_STAGES',
  'DRONE_STAGE_STATUS',
  'DRONE_STAGE_STARTED',
  'DRONE_STAGE_FINISHED',
  'DRONE_STAGE_MACHINE',
  'DRONE_FAILED_STEPS',
  'CI_BUILD_STATUS',
  'CI_BUILD_STARTED',
  'CI_BUILD_FINISHED',
  'CI_JOB_STATUS',
  'CI_JOB_STARTED',
  'CI_JOB_FINISHED',
  'DRONE_JOB_STATUS',
  'DRONE_JOB_STARTED',
  'DRONE_JOB_FINISHED',
  'CI_PIPELINE_STATUS',
  'CI_PIPELINE_STARTED',
  'CI_PIPELINE_FINISHED',
  'CI_STEP_STATUS',
  'CI_STEP_STARTED',
  'CI_STEP_FINISHED',
  'CI_MACHINE',
  'GANTRY_PIPELINE_STATUS',
  'GANTRY_PIPELINE_STARTED',
  'GANTRY_WORKFLOW_STATUS',
  'GANTRY_WORKFLOW_STARTED',
  'GANTRY_STEP_STARTED',
] as const;

export const executionNames: ReadonlySet<string> = new Set(executionVariables);

/** Names that some other event sets: `${…}` on them is no slip, even where they are empty. */
export const occasionalVariables: ReadonlySet<string> = new Set([
  ...Object.keys(tagVersionVariables('2026.1.2')),
  'DRONE_SEMVER_ERROR',
  'DRONE_PULL_REQUEST',
  'DRONE_PULL_REQUEST_TITLE',
  'CI_COMMIT_TAG',
  'CI_TAG',
  'CI_COMMIT_PULL_REQUEST',
  'CI_PULL_REQUEST',
  'CI_COMMIT_SOURCE_BRANCH',
  'CI_COMMIT_TARGET_BRANCH',
  'CI_PIPELINE_DEPLOY_TARGET',
  'CI_DEPLOY_TO',
  'DRONE_DEPLOY_TO',
  'GANTRY_TARGET',
  'GANTRY_CRON',
  'GANTRY_TAG',
]);

/** What others than the file's author write: a branch, a tag, a message, a name. */
export const outsiderVariables: ReadonlySet<string> = new Set([
  'DRONE_BRANCH',
  'DRONE_SOURCE_BRANCH',
  'DRONE_TARGET_BRANCH',
  'DRONE_COMMIT_BRANCH',
  'DRONE_COMMIT_REF',
  'DRONE_COMMIT_MESSAGE',
  'DRONE_COMMIT_AUTHOR_NAME',
  'DRONE_COMMIT_AUTHOR_EMAIL',
  'DRONE_TAG',
  'CI_COMMIT_BRANCH',
  'CI_COMMIT_REF',
  'CI_COMMIT_MESSAGE',
  'CI_COMMIT_AUTHOR_NAME',
  'CI_COMMIT_AUTHOR_EMAIL',
  'GANTRY_REF',
  'GANTRY_BRANCH',
  'GANTRY_TAG',
  'GANTRY_COMMIT_MESSAGE',
  'GANTRY_COMMIT_AUTHOR_NAME',
  'GANTRY_COMMIT_AUTHOR_EMAIL',
]);
