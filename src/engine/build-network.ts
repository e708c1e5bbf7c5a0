import { type Mirrors, secretsOf } from '../core/network-settings.ts';
import { type Dockerfile, declaredArguments, runInstructions } from '../lib/dockerfile.ts';
import type { BuildRequest } from './build-request.ts';
import {
  caBundlePath,
  caBundleVariables,
  mirrorVariables,
  type StepSettingsInput,
  stepSettings,
} from './step-settings.ts';

/** What an installation has for `RUN` of builds: what of it gets there depends on the Dockerfile. */
export interface BuildNetwork {
  /** Variables of tools for their mirrors, without passwords: each is an argument where the Dockerfile declares it. */
  readonly variables: Readonly<Record<string, string>>;
  /** For `RUN --mount=type=secret,id=gantry-…`: passwords may be in them. */
  readonly secrets: Readonly<Record<string, string>>;
  /** Files that images which Gantry composes look for at these paths. */
  readonly files: Readonly<Record<string, string>>;
  /** Mirrors that there are. */
  readonly mirrors: readonly Tool[];
  /** The installation names a CA bundle of its own. */
  readonly hasOwnCaBundle: boolean;
}

export interface BuildNetworkInput extends StepSettingsInput {
  readonly hasOwnCaBundle: boolean;
}

/** What a build is given of it. */
export interface BuildNetworkShare {
  readonly args: Readonly<Record<string, string>>;
  readonly secrets: Readonly<Record<string, string>>;
  /** Lines for the log: what does not reach `RUN`, and how it would. */
  readonly remarks: readonly string[];
}

type Tool = Exclude<keyof Mirrors, 'goSumDb' | 'debianSecurity'>;

/** BuildKit takes secrets of half a megabyte. */
const maxSecretBytes = 500_000;
const caBundleSecret = 'gantry-ca-bundle';
const environmentSecret = 'gantry-env';
const npmrcSecret = 'gantry-npmrc';
const secretFolder = '/run/secrets';

/** Files of steps that a Dockerfile may mount, by the id of their secret. */
const mountable: Readonly<Record<string, string>> = {
  [npmrcSecret]: '/.gantry/npmrc',
  'gantry-maven-settings': '/.gantry/maven/settings.xml',
  'gantry-cargo-config': '/.cargo/config.toml',
};

/** Variables that point to a file of a step: there is none in a build. */
const pointing = new Set(['npm_config_globalconfig']);

/** How each tool is called in `RUN`, the argument that it takes for its mirror, and where there is none the secret. */
const tools: Readonly<Record<Tool, { readonly words: RegExp; readonly argument?: string; readonly secret?: string }>> =
  {
    npm: { words: /\b(?:npm|npx|yarn|pnpm)\b/, argument: 'npm_config_registry' },
    pypi: { words: /\b(?:pip3?|uv|poetry)\b/, argument: 'PIP_INDEX_URL' },
    go: { words: /\bgo (?:build|install|get|mod|test|run|generate)\b/, argument: 'GOPROXY' },
    maven: { words: /\bmvnw?\b/, secret: 'gantry-maven-settings' },
    cargo: { words: /\bcargo\b/, secret: 'gantry-cargo-config' },
    debian: { words: /\bapt(?:-get)?\b/ },
    rubygems: { words: /\bbundle\b/, argument: 'BUNDLE_MIRROR__ALL' },
  };

/** Tools that ask servers whose certificates somebody must trust. */
const askingTools = /\b(?:curl|wget|git|npm|npx|yarn|pnpm|pip3?|uv|poetry|go|mvnw?|cargo|bundle)\b/;

/** Reads the settings of an installation for builds. */
export function buildNetwork(input: BuildNetworkInput): BuildNetwork {
  const { caBundle, hasOwnCaBundle, network } = input;
  const { files } = stepSettings(input);
  const hidden = secretsOf(network);
  const mirrors = mirrorVariables(network);
  const isOpen = ([name, value]: [string, string]): boolean =>
    !name.startsWith('GANTRY_') && !pointing.has(name) && !hidden.some((secret) => value.includes(secret));
  const bundle = caBundle !== undefined && Buffer.byteLength(caBundle) <= maxSecretBytes ? caBundle : undefined;
  const offered = Object.entries(mountable).flatMap(([id, path]) => {
    const content = files.get(path);
    return content ? [[id, content.toString('utf8')] as const] : [];
  });
  const apt = [...files].filter(([path]) => /^\/\.gantry\/apt\/.*\.list$/.test(path));
  return {
    variables: Object.fromEntries(Object.entries(mirrors).filter(isOpen)),
    secrets: {
      ...Object.fromEntries(offered),
      ...(bundle === undefined ? {} : { [caBundleSecret]: bundle }),
      [environmentSecret]: environmentFile(mirrors, bundle !== undefined),
    },
    files: {
      ...Object.fromEntries(apt.map(([path, content]) => [path, content.toString('utf8')])),
      ...(bundle === undefined || apt.length === 0
        ? {}
        : {
            [caBundlePath]: bundle,
            '/etc/apt/apt.conf.d/95gantry': `Acquire::https::CAInfo "${caBundlePath}";\n`,
          }),
    },
    mirrors: (Object.keys(tools) as Tool[]).filter((tool) => network.mirrors[tool] !== undefined),
    hasOwnCaBundle,
  };
}

/** What of it a Dockerfile gets. Arguments that the step sets itself win. */
export function networkShare(
  network: BuildNetwork,
  dockerfile: Dockerfile,
  { args, dockerfile: path }: Pick<BuildRequest, 'args' | 'dockerfile'>,
): BuildNetworkShare {
  const declared = declaredArguments(dockerfile);
  const isMounted = (id: string): boolean => dockerfile.text.includes(id);
  return {
    args: Object.fromEntries(
      Object.entries(network.variables).filter(([name]) => declared.has(name) && !Object.hasOwn(args, name)),
    ),
    secrets: Object.fromEntries(Object.entries(network.secrets).filter(([id]) => isMounted(id))),
    remarks: remarksOn(network, dockerfile, path, (name) => declared.has(name) || Object.hasOwn(args, name)),
  };
}

/** Tells of the first `RUN` that uses a tool whose mirror it does not get, and of the first that asks without the CA bundle. */
function remarksOn(
  { hasOwnCaBundle, mirrors, variables }: BuildNetwork,
  dockerfile: Dockerfile,
  path: string,
  hasArgument: (name: string) => boolean,
): readonly string[] {
  const isMounted = (id: string): boolean => dockerfile.text.includes(id);
  const remarks: string[] = [];
  const runs = runInstructions(dockerfile, {});
  for (const tool of mirrors) {
    const { argument, secret = environmentSecret, words } = tools[tool];
    // One with a password is no argument: whoever has the image could read it there.
    const isArgument = argument !== undefined && Object.hasOwn(variables, argument);
    const reaches = (isArgument && hasArgument(argument)) || isMounted(secret);
    const run = runs.find(({ base, text }) => words.test(text) && !(tool === 'debian' && looksForFiles(base)));
    if (reaches || !run) continue;
    const how = tool === 'debian' ? 'write it into the base image' : `mount "id=${secret}"`;
    remarks.push(
      `${path}:${run.line}: the installation's mirror for ${tool} does not reach RUN: ${isArgument ? `declare "ARG ${argument}", or ` : ''}${how}`,
    );
  }
  const asking = runs.find(({ text }) => askingTools.test(text));
  if (hasOwnCaBundle && asking && !isMounted(caBundleSecret))
    remarks.push(
      `${path}:${asking.line}: the installation's CA bundle does not reach RUN: mount "id=${caBundleSecret}", or have it in the base image`,
    );
  return remarks;
}

/** Whether an image is one of those that Gantry composes and that have apt: their lists of servers lie beside them. */
export function looksForFiles(image: string): boolean {
  return /^(?:base|devops)\//.test(image) && !/^base\/(?:busybox|gate)(?::|@|$)/.test(image);
}

/** For `. /run/secrets/gantry-env` of a shell. */
function environmentFile(mirrors: Readonly<Record<string, string>>, hasCaBundle: boolean): string {
  const variables = Object.entries(mirrors).map(
    ([name, value]) => [name, pointing.has(name) ? `${secretFolder}/${npmrcSecret}` : value] as const,
  );
  const trusting = hasCaBundle
    ? caBundleVariables.map((name) => [name, `${secretFolder}/${caBundleSecret}`] as const)
    : [];
  return [...trusting, ...variables]
    .map(([name, value]) => `export ${name}='${value.replaceAll("'", "'\\''")}'\n`)
    .join('');
}
