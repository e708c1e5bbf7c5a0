import type { RegistryCredentials } from '../core/image.ts';
import type { BuildPlan, BuildPlugin } from '../core/plan.ts';
import { credentialsOf, dockerHub, ecrRequestsOf, hostOf, registryOf } from './build-logins.ts';
import { BuildFault, BuildSettings, jsonOf, listOf } from './build-settings.ts';
import { autoTags } from './build-tags.ts';
import type { EcrRequest } from './ecr-request.ts';

/** What a build step asks of the builder, once its secrets are known. */
export interface BuildRequest {
  /** Relative to the workspace; some plugins look for it in the context as well. */
  readonly dockerfile: string;
  readonly looksInContext: boolean;
  readonly context: string;
  readonly target?: string;
  readonly args: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
  readonly platforms: readonly string[];
  readonly cacheFrom: readonly string[];
  readonly ignoresCache: boolean;
  readonly pullsAlways: boolean;
  /** Hosts that are asked for the images of Docker's registry instead of it: the first. */
  readonly mirrors: readonly string[];
  readonly credentials: readonly RegistryCredentials[];
  /** Logins that AWS has yet to give: with its answers the request is read again. */
  readonly ecr: readonly EcrRequest[];
  /** By their id. */
  readonly secrets: Readonly<Record<string, string>>;
  /** Full names, with registry and tag; empty = nothing is pushed. */
  readonly push: readonly string[];
  /** Lines for the log: settings that change nothing here. */
  readonly remarks: readonly string[];
}

export type BuildReading =
  | { readonly kind: 'build'; readonly request: BuildRequest }
  /** There is nothing to do, says the sentence, and the step has passed. */
  | { readonly kind: 'nothing'; readonly why: string }
  | { readonly kind: 'refused'; readonly message: string };

/** What is known of a build beside its plan and its variables. */
export interface BuildKnowledge {
  /** What the file `.tags` of the workspace says, which some pipelines write in a step before. */
  readonly tagsFile: string | undefined;
  /** For the label that says when. */
  readonly now: Date;
  /** What AWS has answered to `ecr` of the request; absent = it was not asked yet. */
  readonly ecrLogins?: readonly RegistryCredentials[] | undefined;
}

/** Repositories times tags: each is a push, and a line of the step's record. */
const maxPushedNames = 100;

/** Registry and path of plugins that put their registry before the name themselves. */
const joinsRegistry: Readonly<Partial<Record<BuildPlugin, 'always' | 'missing'>>> = {
  acr: 'missing',
  ecr: 'missing',
  gar: 'missing',
  gcr: 'missing',
  gantry: 'missing',
  'kaniko-script': 'always',
};

const labelsItself: ReadonlySet<BuildPlugin> = new Set(['docker', 'ecr', 'gcr', 'gar', 'acr']);

/**
 * Reads the variables of a build step as its plugin would (pipelines.md 8a). `variables` holds its settings as `PLUGIN_…`
 * with their secrets.
 */
export function readBuildRequest(
  plan: BuildPlan,
  variables: Readonly<Record<string, string>>,
  knowledge: BuildKnowledge,
): BuildReading {
  try {
    return read(plan, variables, knowledge);
  } catch (error) {
    if (error instanceof BuildFault) return { kind: 'refused', message: error.message };
    throw error;
  }
}

function read(
  plan: BuildPlan,
  variables: Readonly<Record<string, string>>,
  { tagsFile, now, ecrLogins = [] }: BuildKnowledge,
): BuildReading {
  const { plugin } = plan;
  const settings = new BuildSettings(variables);
  const isDryRun = settings.isOn('DRY_RUN') || settings.isOn('NO_PUSH');
  let tags: readonly string[] = firstOf(settings.list('TAGS'), settings.list('TAG'), listOf(tagsFile ?? ''), [
    'latest',
  ]);
  if (settings.isOn('AUTO_TAG') || settings.isOn('DEFAULT_TAGS')) {
    const suffix = settings.text('AUTO_TAG_SUFFIX', 'DEFAULT_SUFFIX') ?? '';
    const auto = autoTags(plan.ref, plan.defaultBranch, suffix);
    if (auto.kind === 'not-built')
      return {
        kind: 'nothing',
        why: `Nothing is built for ${plan.ref}: with "auto_tag" only the default branch and tags are`,
      };
    if (auto.kind === 'no-version') throw new BuildFault(`Cannot tag the image: the tag "${auto.tag}" is no version`);
    tags = auto.tags;
  }
  const registry = registryOf(settings, plugin, ecrLogins);
  const names = settings.list('REPO').map((repo) => nameOf(repo, registry, settings, plugin));
  if (names.length === 0 && !isDryRun && plugin !== 'gantry' && plugin !== 'kaniko-script')
    throw new BuildFault('Cannot push the image: "repo" names no repository');
  const push = isDryRun ? [] : [...new Set(names.flatMap((name) => tags.map((tag) => withTag(name, tag))))];
  if (push.length > maxPushedNames)
    throw new BuildFault(`Cannot push the image: it has ${push.length} names, and may have ${maxPushedNames}`);
  return {
    kind: 'build',
    request: {
      dockerfile: settings.text('DOCKERFILE') ?? 'Dockerfile',
      looksInContext: plugin === 'kaniko' || plugin === 'kaniko-script',
      context: settings.text('CONTEXT') ?? '.',
      ...optional('target', settings.text('TARGET')),
      args: argsOf(settings),
      labels: { ...(labelsItself.has(plugin) ? ownLabels(plan, settings, now) : {}), ...labelsOf(settings) },
      platforms: firstOf(settings.list('PLATFORMS'), settings.list('PLATFORM')),
      cacheFrom: cacheFromOf(settings),
      ignoresCache: settings.isOn('NO_CACHE'),
      pullsAlways: plugin !== 'gantry' && (settings.isOn('PULL_IMAGE') || settings.text('PULL_IMAGE') === undefined),
      mirrors: settings.list('MIRROR').map((mirror) => hostOf(mirror)),
      credentials: [...ecrLogins, ...credentialsOf(settings, registry, plugin)],
      ecr: isDryRun ? [] : ecrRequestsOf(settings, plugin),
      secrets: secretsOf(settings, variables),
      push,
      remarks: remarksOf(settings),
    },
  };
}

function firstOf(...lists: readonly (readonly string[])[]): readonly string[] {
  return lists.find((list) => list.length > 0) ?? [];
}

function optional<Name extends string>(name: Name, value: string | undefined): { [key in Name]?: string } {
  return value === undefined ? {} : ({ [name]: value } as { [key in Name]: string });
}

/** The full name of a repository, always with its registry. */
function nameOf(repo: string, registry: string, settings: BuildSettings, plugin: BuildPlugin): string {
  const cleaned = repo.replace(/^[a-z]+:\/\//i, '').replace(/\/+$/, '');
  const join = joinsRegistry[plugin] ?? (plugin === 'kaniko' && settings.isOn('EXPAND_REPO') ? 'missing' : undefined);
  const isThere = cleaned === registry || cleaned.startsWith(`${registry}/`);
  const hasHost = /^(?:[^/]*[.:][^/]*|localhost)\//.test(cleaned);
  const isJoined = join === 'always' || (join === 'missing' && !isThere && !(plugin === 'gantry' && hasHost));
  const name = isJoined && !(join === 'always' && isThere) ? `${registry}/${cleaned}` : cleaned;
  const first = name.split('/')[0]!;
  const full = /[.:]/.test(first) || first === 'localhost' ? name : `${dockerHub}/${name}`;
  if (full.length > 400 || !/^[\w.-]+(?::\d+)?(?:\/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)+(?::[\w][\w.-]{0,127})?$/.test(full))
    throw new BuildFault(
      `Cannot push the image: "${repo}" is no name of a repository (lower case, with "/" between its parts)`,
    );
  return full;
}

/** A repository that has a tag itself keeps it. */
function withTag(name: string, tag: string): string {
  if (/:[^/:]+$/.test(name.slice(name.indexOf('/')))) return name;
  if (!/^\w[\w.-]{0,127}$/.test(tag))
    throw new BuildFault(`Cannot tag the image: "${tag.slice(0, 140)}" is no tag (letters, digits, "_", "." and "-")`);
  return `${name}:${tag}`;
}

/** A name without a value takes that of the step's variable. */
function argsOf(settings: BuildSettings): Record<string, string> {
  const args: Record<string, string> = {};
  for (const setting of ['BUILD_ARGS', 'ARGS'])
    for (const [name, value = settings.variable(name)] of settings.pairs(setting))
      if (name !== '' && value !== undefined) args[name] = value;
  for (const name of settings.list('BUILD_ARGS_FROM_ENV')) {
    const value = settings.variables[name];
    if (value !== undefined) args[name] = value;
  }
  return args;
}

function labelsOf(settings: BuildSettings): Record<string, string> {
  const labels: Record<string, string> = {};
  for (const setting of ['LABELS', 'CUSTOM_LABELS'])
    for (const [name, value = ''] of settings.pairs(setting)) if (name !== '') labels[name] = value;
  for (const [name, value = ''] of settings.pairs('LABEL_SCHEMA'))
    if (name !== '') labels[`org.opencontainers.image.${name}`] = value;
  return labels;
}

function ownLabels(plan: BuildPlan, settings: BuildSettings, now: Date): Record<string, string> {
  if (settings.text('AUTO_LABEL') !== undefined && !settings.isOn('AUTO_LABEL')) return {};
  return {
    'org.opencontainers.image.created': now.toISOString(),
    'org.opencontainers.image.revision': plan.revision,
    'org.opencontainers.image.source': plan.source,
    'org.opencontainers.image.url': plan.link,
  };
}

/** `type=registry,ref=…` is buildx's way to name an image; other kinds of caches are not of an engine. */
function cacheFromOf(settings: BuildSettings): readonly string[] {
  const text = settings.text('CACHE_FROM') ?? '';
  const references = [...text.matchAll(/\bref=([^,\s"\]]+)/g)].map((found) => found[1]!);
  return [...(references.length > 0 ? references : listOf(text)), ...settings.list('CACHE_IMAGES')].filter(
    (name) => !name.includes('='),
  );
}

/** `id=NAME`, `id=…,env=NAME`, or (`.gantry.yml`) a map of values. */
function secretsOf(settings: BuildSettings, variables: Readonly<Record<string, string>>): Record<string, string> {
  const secrets: Record<string, string> = {};
  const map = jsonOf(settings.text('SECRETS') ?? '');
  if (typeof map === 'object' && map !== null && !Array.isArray(map)) {
    for (const [id, value] of Object.entries(map)) secrets[id] = String(value);
  } else
    for (const text of [settings.text('SECRETS'), settings.text('SECRET')])
      for (const found of (text ?? '').matchAll(/\bid=([^,\s"]+),(env|src|source)=([^,\s"]+)/g)) {
        if (found[2] !== 'env')
          throw new BuildFault(
            `Cannot give the secret "${found[1]}" to the build: a file is not read for that, name a variable: "id=${found[1]},env=NAME"`,
          );
        const value = variables[found[3]!];
        if (value === undefined)
          throw new BuildFault(
            `Cannot give the secret "${found[1]}" to the build: the step has no variable ${found[3]}`,
          );
        secrets[found[1]!] = value;
      }
  for (const [id, name = id] of settings.pairs('SECRETS_FROM_ENV')) {
    const value = variables[name];
    if (value === undefined)
      throw new BuildFault(`Cannot give the secret "${id}" to the build: the step has no variable ${name}`);
    secrets[id] = value;
  }
  return secrets;
}

function remarksOf(settings: BuildSettings): readonly string[] {
  return settings.isOn('INSECURE')
    ? [
        '"insecure": whether a registry may be spoken to without TLS is for the container engine to say (its "insecure-registries")',
      ]
    : [];
}
