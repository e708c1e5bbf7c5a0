import { existsSync, readFileSync } from 'node:fs';
import { availableParallelism, homedir, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { GantryError } from '../core/errors.ts';
import { isNetwork } from '../lib/address-guard.ts';
import { parseDurationMs } from '../lib/duration.ts';
import { Secret } from '../lib/secret.ts';
import { parseSizeBytes } from '../lib/size.ts';

/** One setting: where it is read from, what it may be, and what it is for. docs/reference/config.md prints these rows. */
interface ConfigRow<T> {
  /** Environment variable; the file's key is the row's own name. */
  readonly variable: string;
  /** Flag of `gantry serve`, where there is one. */
  readonly flag?: string;
  readonly type: z.ZodType<T, string>;
  /** As it would be written; a function where it depends on the host. */
  readonly fallback: string | undefined | ((environment: Environment) => string);
  readonly fallbackText?: string;
  /** One sentence, with the unit. */
  readonly description: string;
  readonly isSecret?: true;
}

type Environment = Readonly<Record<string, string | undefined>>;

const text = z.string().min(1);
const optionalText = z.string().transform((value) => (value === '' ? undefined : value));
const list = z.string().transform((value) =>
  value
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== ''),
);
const labels = list.transform((entries, context) => {
  const pairs = entries.map((entry) => /^([A-Za-z0-9_./-]{1,100})=([^\s=]{0,200})$/.exec(entry));
  const wrong = entries.find((_, index) => !pairs[index]);
  if (wrong !== undefined) context.addIssue(`"${wrong}" is no label: write key=value`);
  return Object.fromEntries(pairs.flatMap((pair) => (pair ? [[pair[1]!, pair[2]!] as const] : [])));
});
const networks = list.superRefine((entries, context) => {
  const wrong = entries.find((entry) => !isNetwork(entry));
  if (wrong !== undefined) context.addIssue(`"${wrong}" is neither an address nor a network such as 10.0.0.0/8`);
});
const path = text.transform((value) => resolve(value));
const count = (min: number, max: number) =>
  z.string().regex(/^\d+$/, 'write a whole number').transform(Number).pipe(z.number().min(min).max(max));
const size = z.string().transform((value, context) => {
  const bytes = parseSizeBytes(value);
  if (bytes === undefined) context.addIssue('write a size such as 512MiB');
  return bytes ?? 0;
});
const duration = z.string().transform((value, context) => {
  const ms = parseDurationMs(value);
  if (ms === undefined) context.addIssue('write a duration such as 30s');
  return ms ?? 0;
});

/** Where a container engine listens that nobody has named. */
function engineAddress({ GANTRY_RUNTIME, XDG_RUNTIME_DIR }: Environment): string {
  const docker = '/var/run/docker.sock';
  const podman =
    process.getuid?.() === 0 || XDG_RUNTIME_DIR === undefined
      ? '/run/podman/podman.sock'
      : join(XDG_RUNTIME_DIR, 'podman/podman.sock');
  const isPodman = GANTRY_RUNTIME === 'podman' || (!existsSync(docker) && existsSync(podman));
  return `unix://${isPodman ? podman : docker}`;
}

const row = <T>(definition: ConfigRow<T>): ConfigRow<T> => definition;

export const configRows = {
  host: row({
    variable: 'GANTRY_HOST',
    flag: '--host',
    type: text,
    fallback: '127.0.0.1',
    description: 'Address to listen on; 0.0.0.0 for all.',
  }),
  port: row({
    variable: 'GANTRY_PORT',
    flag: '--port',
    type: count(0, 65_535),
    fallback: '3000',
    description: 'Port to listen on; 0 takes a free one.',
  }),
  dataFolder: row({
    variable: 'GANTRY_DATA',
    flag: '--data',
    type: path,
    fallback: './data',
    description: 'Folder of the database, repositories and logs; back it up.',
  }),
  cacheFolder: row({
    variable: 'GANTRY_CACHE',
    type: path,
    fallback: ({ XDG_CACHE_HOME }) => join(XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'gantry'),
    fallbackText: '$XDG_CACHE_HOME/gantry',
    description: 'Folder of composed and unpacked images, which several data folders may share; it can be made again.',
  }),
  runFolder: row({
    variable: 'GANTRY_RUN',
    type: path,
    fallback: ({ XDG_RUNTIME_DIR }) =>
      join(process.getuid?.() === 0 ? '/run' : (XDG_RUNTIME_DIR ?? tmpdir()), 'gantry'),
    fallbackText: '/run/gantry as root, else $XDG_RUNTIME_DIR/gantry',
    description: 'Folder of sockets; its path must be short, for a socket’s may have 107 bytes.',
  }),
  publicUrl: row({
    variable: 'GANTRY_PUBLIC_URL',
    flag: '--public-url',
    type: optionalText,
    fallback: '',
    fallbackText: 'http://HOST:PORT',
    description: 'Address by which people reach this Gantry, e.g. https://git.example.com.',
  }),
  trustedProxies: row({
    variable: 'GANTRY_TRUSTED_PROXIES',
    type: list,
    fallback: '',
    description: 'Addresses or networks, separated by commas, whose X-Forwarded-… headers count.',
  }),
  databaseUrl: row({
    variable: 'DATABASE_URL',
    type: optionalText.transform((value) => (value === undefined ? undefined : new Secret(value))),
    fallback: '',
    description: 'postgres://… to keep the records in PostgreSQL; empty keeps them in the data folder (SQLite).',
    isSecret: true,
  }),
  keyFile: row({
    variable: 'GANTRY_KEY_FILE',
    type: optionalText,
    fallback: '',
    fallbackText: '$XDG_CONFIG_HOME/gantry/keys/<instance id>',
    description: 'File with the key that secrets are sealed with; made at the first start, and part of no backup.',
  }),
  logLevel: row({
    variable: 'GANTRY_LOG_LEVEL',
    type: z.enum(['error', 'warn', 'info', 'debug']) as z.ZodType<'error' | 'warn' | 'info' | 'debug', string>,
    fallback: 'info',
    description: 'How much the server says on stderr: error, warn, info or debug.',
  }),
  runtime: row({
    variable: 'GANTRY_RUNTIME',
    type: z.enum(['auto', 'sandbox', 'docker', 'podman', 'scripted']) as z.ZodType<
      'auto' | 'sandbox' | 'docker' | 'podman' | 'scripted',
      string
    >,
    fallback: 'auto',
    description:
      'What steps run on: sandbox, docker, podman, or scripted for demonstrations, where nothing is really run; auto for the sandbox and, for work that may not run in it, a container engine where there is one.',
  }),
  builder: row({
    variable: 'GANTRY_BUILDER',
    type: z
      .string()
      .regex(
        /^(?:auto|none|unix:\/\/\/.+|tcp:\/\/.+|https?:\/\/.+)$/,
        'write auto, none or the address of a Docker Engine',
      ),
    fallback: 'auto',
    description:
      'What builds images: the address of a Docker Engine, auto for that of GANTRY_DOCKER_HOST where its socket is there, or none.',
  }),
  ecrEndpoint: row({
    variable: 'GANTRY_ECR_ENDPOINT',
    type: optionalText.refine(
      (value) => value === undefined || /^https?:\/\/\S+$/.test(value),
      'write an address with https://',
    ),
    fallback: '',
    fallbackText: 'that of AWS in the region',
    description: 'Address that builds ask for a login of an ECR registry, e.g. an endpoint in a private network.',
  }),
  dockerHost: row({
    variable: 'GANTRY_DOCKER_HOST',
    type: text,
    fallback: engineAddress,
    fallbackText: 'the socket of Docker, or of Podman where that is named or alone there',
    description: 'Where the container engine listens: unix:///path, tcp://host:port or https://host:port.',
  }),
  dockerSubnets: row({
    variable: 'GANTRY_DOCKER_SUBNETS',
    type: z.string().regex(/^\d+\.\d+\.\d+\.\d+\/(?:8|9|1\d|2[0-8])$/, 'write a network such as 10.214.0.0/16'),
    fallback: '10.214.0.0/16',
    description: 'Network out of which each job in a container engine gets 16 addresses.',
  }),
  privilegedImages: row({
    variable: 'GANTRY_PRIVILEGED_IMAGES',
    type: list,
    fallback: '',
    description:
      'Images, separated by commas, that trusted projects may run privileged: registry/repository@sha256:… or registry/repository:tag.',
  }),
  runnerLabels: row({
    variable: 'GANTRY_RUNNER_LABELS',
    type: labels,
    fallback: '',
    description:
      'Labels of the runner, key=value separated by commas, for workflows that ask for them; beside platform, os, arch, hostname, backend and repo.',
  }),
  runnerWaitLimit: row({
    variable: 'GANTRY_RUNNER_WAIT_LIMIT',
    type: duration,
    fallback: '24h',
    description: 'How long a workflow waits for a runner with the labels or platform that it asks for.',
  }),
  launcher: row({
    variable: 'GANTRY_LAUNCHER',
    type: z.enum(['auto', 'bubblewrap', 'runc']) as z.ZodType<'auto' | 'bubblewrap' | 'runc', string>,
    fallback: 'auto',
    description: 'Program that starts sandboxes: bubblewrap, runc, or auto for the first that passes its self-test.',
  }),
  slots: row({
    variable: 'GANTRY_SLOTS',
    type: count(1, 1_000),
    fallback: () => String(Math.max(2, availableParallelism())),
    fallbackText: 'one per core, at least 2',
    description: 'How many steps may run at once.',
  }),
  stepMemory: row({
    variable: 'GANTRY_STEP_MEMORY',
    type: size,
    fallback: '4GiB',
    description: 'Memory that a step may use.',
  }),
  stepCpus: row({
    variable: 'GANTRY_STEP_CPUS',
    type: optionalText.transform((value, context) => {
      if (value === undefined) return undefined;
      const millis = /^\d{1,4}(?:\.\d{1,3})?$/.test(value) ? Math.round(Number(value) * 1_000) : 0;
      if (millis < 10) context.addIssue('write a number of cores such as 2 or 0.5, at least 0.01');
      return millis;
    }),
    fallback: '',
    fallbackText: 'all of them',
    description: 'Processor cores that a step may use, as a number such as `2` or `0.5`; untrusted work has at most 2.',
  }),
  stepPids: row({
    variable: 'GANTRY_STEP_PIDS',
    type: count(16, 1_000_000),
    fallback: '4096',
    description: 'Processes and threads that a step may have.',
  }),
  stepDisk: row({
    variable: 'GANTRY_STEP_DISK',
    type: size,
    fallback: '10GiB',
    description: 'Bytes that a step may write to its root file system and workspace.',
  }),
  stepTimeout: row({
    variable: 'GANTRY_STEP_TIMEOUT',
    type: duration,
    fallback: '1h',
    description: 'How long a step may run where neither project nor file says.',
  }),
  cacheEntryLimit: row({
    variable: 'GANTRY_CACHE_ENTRY_LIMIT',
    type: size,
    fallback: '2GiB',
    description: 'How much one entry of a cache may have; a larger one is not saved.',
  }),
  cacheProjectLimit: row({
    variable: 'GANTRY_CACHE_PROJECT_LIMIT',
    type: size,
    fallback: '10GiB',
    description: 'How much the caches of one project may have; those unused for longest make room.',
  }),
  cacheLimit: row({
    variable: 'GANTRY_CACHE_LIMIT',
    type: size,
    fallback: '50GiB',
    description: 'How much the caches of all projects may have.',
  }),
  serviceReadyLimit: row({
    variable: 'GANTRY_SERVICE_READY_LIMIT',
    type: duration,
    fallback: '1m',
    description: 'How long the ports of a service may stay silent before the steps go on without it.',
  }),
  logLimit: row({
    variable: 'GANTRY_LOG_LIMIT',
    type: size,
    fallback: '64MiB',
    description: 'Bytes of output kept of a step; what comes after is dropped, and the log says so.',
  }),
  artifactLimit: row({
    variable: 'GANTRY_ARTIFACT_LIMIT',
    type: size,
    fallback: '1GiB',
    description: 'How large an artifact may be, packed.',
  }),
  artifactPipelineLimit: row({
    variable: 'GANTRY_ARTIFACT_PIPELINE_LIMIT',
    type: size,
    fallback: '4GiB',
    description: 'What all artifacts of a pipeline may take.',
  }),
  artifactProjectLimit: row({
    variable: 'GANTRY_ARTIFACT_PROJECT_LIMIT',
    type: size,
    fallback: '20GiB',
    description: 'What all artifacts of a project may take; they go when their time is over.',
  }),
  caBundle: row({
    variable: 'GANTRY_CA_BUNDLE',
    type: optionalText,
    fallback: '',
    fallbackText: 'the host’s bundle',
    description: 'File of CA certificates that pulls and every step trust.',
  }),
  mirrors: row({
    variable: 'GANTRY_MIRRORS',
    type: optionalText.transform((value) => (value === undefined ? undefined : resolve(value))),
    fallback: '',
    description:
      'File (YAML or JSON) with the proxy, the mirrors of package registries and the rules for images; see the guide “Behind a proxy, without the internet”.',
  }),
  defaultRegistry: row({
    variable: 'GANTRY_DEFAULT_REGISTRY',
    type: optionalText,
    fallback: '',
    fallbackText: 'docker.io’s registry',
    description: 'Host of images whose name has none, e.g. registry.example:5000.',
  }),
  plainHttpRegistries: row({
    variable: 'GANTRY_PLAIN_HTTP_REGISTRIES',
    type: list,
    fallback: '',
    description: 'Registries, separated by commas, that are spoken to without TLS; loopback addresses are anyway.',
  }),
  webhookAllow: row({
    variable: 'GANTRY_WEBHOOK_ALLOW',
    type: networks,
    fallback: '',
    description:
      'Addresses or networks, separated by commas, to which webhooks may be sent although they are not public, e.g. 10.0.0.0/8.',
  }),
  gitAllow: row({
    variable: 'GANTRY_GIT_ALLOW',
    type: networks,
    fallback: '',
    description:
      'Addresses or networks, separated by commas, from which checkouts may fetch submodules and other repositories although they are not public, e.g. 10.0.0.0/8.',
  }),
  failpoints: row({
    variable: 'GANTRY_FAILPOINTS',
    type: optionalText,
    fallback: '',
    description: 'For fault tests only: name=kill|throw|hang|delay:<ms>[@n], separated by semicolons.',
  }),
} as const;

export type ConfigName = keyof typeof configRows;
export type Config = { readonly [Name in ConfigName]: z.output<(typeof configRows)[Name]['type']> };

export interface ConfigValue {
  readonly name: ConfigName;
  readonly variable: string;
  readonly value: string;
  readonly source: 'default' | 'file' | 'environment' | 'flag';
}

export interface ConfigSources {
  readonly environment: Environment;
  /** By name of the row. */
  readonly flags?: Readonly<Partial<Record<ConfigName, string>>>;
}

/**
 * Reads every setting: defaults < file (`GANTRY_CONFIG`, a JSON object by row name) < environment < flags.
 * All mistakes are told together, each with where it came from (CONFIG_INVALID).
 */
export function readConfig(sources: ConfigSources): {
  readonly config: Config;
  readonly values: readonly ConfigValue[];
} {
  const mistakes: string[] = [];
  const file = readFile(sources.environment['GANTRY_CONFIG'], mistakes);
  const config: Record<string, unknown> = {};
  const values: ConfigValue[] = [];
  for (const name of Object.keys(configRows) as ConfigName[]) {
    const definition: ConfigRow<unknown> = configRows[name];
    const [value, source] = pick(name, definition, sources, file);
    const parsed = definition.type.safeParse(value);
    if (parsed.success) config[name] = parsed.data;
    else
      mistakes.push(
        `${where(name, definition, source)}: ${parsed.error.issues.map(({ message }) => message).join('; ')}`,
      );
    values.push({
      name,
      variable: definition.variable,
      source,
      value: definition.isSecret && value !== '' ? '***' : value,
    });
  }
  if (mistakes.length > 0) throw new GantryError('CONFIG_INVALID', `Cannot read the settings: ${mistakes.join('. ')}`);
  return { config: config as Config, values };
}

function pick(
  name: ConfigName,
  definition: ConfigRow<unknown>,
  { environment, flags }: ConfigSources,
  file: Readonly<Record<string, string>>,
): [string, ConfigValue['source']] {
  const flag = flags?.[name];
  if (flag !== undefined) return [flag, 'flag'];
  const variable = environment[definition.variable];
  if (variable !== undefined) return [variable, 'environment'];
  const fromFile = file[name];
  if (fromFile !== undefined) return [fromFile, 'file'];
  const { fallback } = definition;
  return [typeof fallback === 'function' ? fallback(environment) : (fallback ?? ''), 'default'];
}

function where(name: ConfigName, { variable, flag }: ConfigRow<unknown>, source: ConfigValue['source']): string {
  if (source === 'flag') return flag ?? name;
  return source === 'file' ? `"${name}" of the file` : variable;
}

function readFile(file: string | undefined, mistakes: string[]): Readonly<Record<string, string>> {
  if (!file) return {};
  try {
    const parsed = z
      .record(z.string(), z.union([z.string(), z.number(), z.boolean()]))
      .parse(JSON.parse(readFileSync(file, 'utf8')));
    for (const name of Object.keys(parsed))
      if (!(name in configRows)) mistakes.push(`${file}: there is no setting "${name}"`);
    return Object.fromEntries(Object.entries(parsed).map(([name, value]) => [name, String(value)]));
  } catch (error) {
    mistakes.push(`${file}: ${error instanceof Error ? error.message : String(error)}`);
    return {};
  }
}
