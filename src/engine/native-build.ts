import type { BuildPlan, BuildPlugin } from '../core/plan.ts';
import type { CompileRules } from './compile-input.ts';
import { didYouMean } from './did-you-mean.ts';
import type { EnvironmentFacts } from './environment-facts.ts';
import type { LintReport } from './lint-report.ts';
import { placeOf } from './source-position.ts';
import { buildPluginOf, isForeignBuilder } from './well-known-plugins.ts';
import type { StepDraft, WorkflowDraft } from './workflow-draft.ts';

/** What of the facts a build goes by. */
export type BuildFacts = Pick<EnvironmentFacts, 'event' | 'project' | 'architecture'>;

type BuildRules = Pick<CompileRules, 'runsBuildersAsContainers' | 'hasNoBuilder'>;

/** Settings that mean here what they mean to their plugin (pipelines.md 8a), in lower case. */
const settings: ReadonlySet<string> = new Set(
  [
    'repo registry username password email logins json_key location expand_repo tag tags auto_tag',
    'auto_tag_suffix default_tags default_suffix dockerfile context target args build_args',
    'build_args_from_env platform platforms labels custom_labels label_schema auto_label cache_from',
    'cache_images no_cache dry_run no_push mirror pull_image purge secret secrets secrets_from_env',
  ].flatMap((words) => words.split(' ')),
);

/** Settings of a daemon or of a program that there is none of here. */
const withoutEffect: Readonly<Record<string, string>> = {
  insecure: 'whether a registry may be spoken to without TLS is for the container engine to say',
  squash: 'the builder makes a layer of each instruction',
  storage_driver: 'no daemon of its own is started',
  storage_path: 'no daemon of its own is started',
  bip: 'no daemon of its own is started',
  mtu: 'no daemon of its own is started',
  ipv6: 'no daemon of its own is started',
  experimental: 'no daemon of its own is started',
  custom_dns: 'no daemon of its own is started',
  debug: 'the log is the same',
  launch_debug: 'the log is the same',
  quiet: 'the log is the same',
  verbosity: 'the log is the same',
  log: 'the log is the same',
  compress: 'the context is sent as it is',
  cache: 'the builder has a cache of its own',
  cache_repo: 'the builder has a cache of its own',
  cache_ttl: 'the builder has a cache of its own',
  skip_tls_verify: 'whether a registry may be spoken to without TLS is for the container engine to say',
  assume_role: 'no role is assumed: the keys themselves must be allowed to push',
  external_id: 'no role is assumed: the keys themselves must be allowed to push',
  lifecycle_policy: 'a repository is made without policies',
  repository_policy: 'a repository is made without policies',
};

/** What the plugins for ECR have beside those. */
const ecrSettings: ReadonlySet<string> = new Set([
  'access_key',
  'secret_key',
  'session_token',
  'region',
  'create_repository',
  'scan_on_push',
]);

const onlyOfEcr = 'AWS is asked for a login by "plugins/ecr" and its like only';

/**
 * Makes steps whose image builds images, and that run nothing of their own, into builds (pipelines.md 8a), and finds what
 * is wrong with them. What they ask of their host (`privileged`, the socket of an engine) they do not need then.
 */
export function withNativeBuilds(
  workflows: readonly WorkflowDraft[],
  report: LintReport,
  facts: BuildFacts,
  rules: BuildRules | undefined,
): readonly WorkflowDraft[] {
  return workflows.map((workflow) =>
    workflow.steps.some(isBuilder)
      ? {
          ...workflow,
          steps: workflow.steps.map((step) => (isBuilder(step) ? nativeStep(step, report, facts, rules) : step)),
        }
      : workflow,
  );
}

function isBuilder({ kind, image, entrypoint, background, hasBuild }: StepDraft): boolean {
  if (hasBuild) return true;
  const runsNothing = kind === 'image' && entrypoint === undefined && background !== 'service';
  return runsNothing && (buildPluginOf(image) !== undefined || isForeignBuilder(image));
}

function nativeStep(step: StepDraft, report: LintReport, facts: BuildFacts, rules: BuildRules | undefined): StepDraft {
  const at = placeOf(step);
  const plugin = step.hasBuild ? 'gantry' : buildPluginOf(step.image);
  if (step.background) {
    report.add(
      'key.unsupported',
      at,
      `step "${step.name}" builds an image with "${step.image}" beside the steps, which Gantry does not support`,
    );
    return step;
  }
  const isSwitchedOff = rules?.runsBuildersAsContainers === true && plugin !== 'gantry';
  if (plugin === undefined || isSwitchedOff) {
    if (step.host?.isPrivileged) return step;
    const why = isSwitchedOff
      ? ': native builds are switched off in this project, and the image needs "privileged"'
      : ', which Gantry does not support';
    report.add('key.unsupported', at, `step "${step.name}" builds an image with "${step.image}"${why}`);
    return step;
  }
  judgeSettings(step, plugin, report);
  judgePlatforms(step, report, facts);
  if (rules?.hasNoBuilder)
    report.add(
      'build.no-builder',
      at,
      `step "${step.name}" builds an image, and this installation has nothing to build with: set GANTRY_BUILDER`,
    );
  const inArguments = step.secrets.find(({ variable }) => /^PLUGIN_(?:BUILD_)?ARGS$/.test(variable));
  if (inArguments)
    report.add(
      'build.secret-argument',
      step.settingNodes?.find(({ name }) => /^(?:build_)?args$/.test(name))?.at ?? at,
      `the secret "${inArguments.secret}" is an argument of the build of step "${step.name}": whoever has the image can read it there`,
    );
  return {
    ...step,
    kind: 'build',
    build: buildPlan(plugin, facts),
    host: undefined,
    hostRequests: [],
    cache: undefined,
  };
}

function judgeSettings({ name: step, settingNodes }: StepDraft, plugin: BuildPlugin, report: LintReport): void {
  if (plugin === 'gantry') return;
  for (const { name, at } of settingNodes ?? []) {
    const key = name.toLowerCase().replaceAll(/[-.]/g, '_');
    if (settings.has(key) || (plugin === 'ecr' && ecrSettings.has(key))) continue;
    const why = ecrSettings.has(key) ? onlyOfEcr : Object.hasOwn(withoutEffect, key) ? withoutEffect[key] : undefined;
    const meant = why === undefined ? didYouMean(key, settings) : undefined;
    report.add(
      'build.setting',
      at,
      why === undefined
        ? `"${name}" of step "${step}" has no effect: the image is built natively, and the builder knows no such setting`
        : `"${name}" of step "${step}" has no effect: ${why}`,
      meant && `did you mean "${meant}"?`,
    );
  }
}

function judgePlatforms(draft: StepDraft, report: LintReport, facts: BuildFacts): void {
  const { name: step, settings: values, settingNodes } = draft;
  const own = `linux/${facts.architecture ?? 'amd64'}`;
  for (const key of ['platform', 'platforms']) {
    const written = (values[`PLUGIN_${key.toUpperCase()}`] ?? '').split(',').map((each) => each.trim());
    const foreign = written.find((platform) => platform !== '' && platform !== own);
    if (foreign === undefined) continue;
    const at = settingNodes?.find(({ name }) => name.toLowerCase() === key)?.at ?? placeOf(draft);
    report.add(
      'build.platform',
      at,
      `step "${step}" builds for ${foreign}, and the builder makes images for ${own} only`,
    );
  }
}

function buildPlan(plugin: BuildPlugin, { event, project }: BuildFacts): BuildPlan {
  return {
    plugin,
    ref: event.ref,
    defaultBranch: project.defaultBranch,
    revision: event.commit,
    source: project.cloneUrl,
    link: project.link,
  };
}
