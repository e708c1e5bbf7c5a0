/** JSON Schema (draft-07), as far as it is used here. */
export interface JsonSchema {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly enum?: readonly string[];
  readonly const?: string;
  readonly anyOf?: readonly JsonSchema[];
  readonly items?: JsonSchema;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly additionalProperties?: boolean | JsonSchema;
  readonly required?: readonly string[];
  readonly minimum?: number;
  readonly maxLength?: number;
  readonly pattern?: string;
  readonly description?: string;
}

/** A key of `.gantry.yml`: what it may hold, and what it is for. */
export interface GantryKey {
  readonly schema: JsonSchema;
  /** A sentence or two, with the default. The reference page and the editor show it. */
  readonly description: string;
  /** How the value is called on the reference page. */
  readonly type: string;
}

const text: JsonSchema = { $ref: '#/definitions/text' };
const texts: JsonSchema = { $ref: '#/definitions/texts' };
const variables: JsonSchema = { $ref: '#/definitions/environment' };
const constraint: JsonSchema = { $ref: '#/definitions/constraint' };
const cache: JsonSchema = { anyOf: [{ type: 'null' }, { $ref: '#/definitions/cache' }] };
const reuse: JsonSchema = { anyOf: [{ type: 'null' }, { $ref: '#/definitions/reuse' }] };
const retry: JsonSchema = { anyOf: [{ const: 'infra' }, { type: 'null' }, { $ref: '#/definitions/retry' }] };
const value: JsonSchema = { anyOf: [{ $ref: '#/definitions/text' }, { $ref: '#/definitions/secret' }] };
const boolean: JsonSchema = { type: ['boolean', 'null'] };
const listOf = (items: string): JsonSchema => ({
  type: ['array', 'null'],
  items: { $ref: `#/definitions/${items}` },
});
const oneOrMore = (item: string): JsonSchema => ({ anyOf: [{ $ref: `#/definitions/${item}` }, listOf(item)] });
const key = (type: string, schema: JsonSchema, description: string): GantryKey => ({ type, schema, description });

/**
 * Every key of `.gantry.yml`, by the place where it stands. The reader takes its known keys from here, and so do
 * gantry-yml.schema.json and the reference page: what is not in this table is unknown everywhere.
 */
export const gantryKeys = {
  pipeline: {
    kind: key('`pipeline`', { const: 'pipeline' }, 'What the document is.'),
    type: key(
      'text',
      text,
      'Kind of runner: `docker` (the default), or `kubernetes`. Any other waits for a runner of that type.',
    ),
    name: key(
      'text',
      text,
      'Name of the workflow, up to 100 characters; `default` when it has none. Each of a file has its own.',
    ),
    trigger: key(
      'conditions',
      { $ref: '#/definitions/conditions' },
      'When the workflow runs at all. Without it: at every event.',
    ),
    depends_on: key('texts', texts, 'Names of workflows of this file that must have ended before.'),
    parameters: key(
      'map of parameters',
      {
        type: ['object', 'null'],
        additionalProperties: { anyOf: [{ $ref: '#/definitions/parameter' }, { type: 'null' }] },
      },
      'What whoever starts it by hand may choose: variables of all steps and `${NAME}` in all documents of the file, in which each name stands once. Other events take the defaults. Where there are parameters, a start by hand may give no others.',
    ),
    matrix: key(
      'map',
      { $ref: '#/definitions/matrix' },
      'Makes a workflow of each set of values: each combination of the axes, whose names are variables of all steps and `${NAME}` in the document. Up to 12 axes and 200 sets.',
    ),
    platform: key('map', { $ref: '#/definitions/platform' }, 'System that its runner must be of; without it: any.'),
    node: key(
      'map of texts',
      { $ref: '#/definitions/plainEnvironment' },
      'Labels that its runner must have (GANTRY_RUNNER_LABELS).',
    ),
    concurrency: key(
      'map',
      { $ref: '#/definitions/concurrency' },
      'How many of its kind run at once on the server; the others wait, the oldest first.',
    ),
    retry: key(
      '`infra`, or a map',
      retry,
      'Runs the workflow once more by itself, whole and with what depends on it, when nobody’s verdict ended it: its runner was lost, a registry was down. Never after a failure of a step or a cancel.',
    ),
    workspace: key('map', { $ref: '#/definitions/workspace' }, 'Where the checkout stands.'),
    clone: key('map', { $ref: '#/definitions/clone' }, 'How the checkout is made.'),
    environment: key('map of texts', { $ref: '#/definitions/plainEnvironment' }, 'Variables of all steps.'),
    use: key(
      'list',
      oneOrMore('use'),
      'Artifacts of other workflows, by name: they are in the workspace before the first step begins. The workflows that make them are waited for as if `depends_on` named them.',
    ),
    cache: key('map', cache, 'The cache of all steps that have none of their own; not of services.'),
    volumes: key(
      'list',
      listOf('volume'),
      'Folders that its steps may share: empty when the workflow starts, gone when it ends.',
    ),
    services: key(
      'list of steps',
      listOf('step'),
      'Start before the steps, run beside them and end with the last of them. Steps reach them by name.',
    ),
    steps: key(
      'list of steps',
      listOf('step'),
      'What is run: one after the other, or as a graph where a step has `depends_on`.',
    ),
  },
  step: {
    name: key(
      'text',
      text,
      'Name, up to 100 characters; each of a workflow has its own. `clone` is taken by the checkout.',
    ),
    image: key('text', text, 'Image that the step runs in, for example `base/node:24`.'),
    commands: key('texts', texts, 'Run by one `/bin/sh -e`: `cd` and `export` last, the first failure ends the step.'),
    entrypoint: key('texts', texts, 'Instead of that of the image; not beside `commands`.'),
    command: key('texts', texts, 'Arguments of the entrypoint; not beside `commands`.'),
    environment: key('map', variables, 'Variables: texts, or `{from_secret: name}`.'),
    build: key(
      'map',
      { $ref: '#/definitions/build' },
      'Builds an image of a Dockerfile and pushes it, instead of running something: not beside `image` and `commands`.',
    ),
    settings: key(
      'map',
      { type: ['object', 'null'] },
      'For plugins: each becomes `PLUGIN_` and its name in capitals. `{from_secret: name}` stands for a secret at any depth.',
    ),
    depends_on: key(
      'texts',
      texts,
      'Names of steps that must have ended before. One such step makes a graph of all of them.',
    ),
    when: key(
      'conditions',
      { $ref: '#/definitions/conditions' },
      'When the step runs. One that does not run counts as ended for those that wait for it.',
    ),
    failure: key(
      '`ignore`, `fast`, `always`',
      { enum: ['ignore', 'fast', 'fast-fail', 'fail-fast', 'always'] },
      '`ignore`: a failure of this step does not fail the workflow. `fast`: it cancels the rest of the workflow at once, steps that run included.',
    ),
    retry: key(
      '`infra`, or a map',
      retry,
      'Runs the workflow once more by itself when this step ended for no fault of its own. Default: what the document says.',
    ),
    timeout: key(
      'duration',
      text,
      'How long it may run, for example `90s` or `1h30m`, up to 7 days. Default: the setting of the project.',
    ),
    resources: key(
      'map',
      { $ref: '#/definitions/resources' },
      'What the step may take at most, below what its runner lets every step take.',
    ),
    shm_size: key(
      'size',
      { type: ['string', 'integer'] },
      'Size of `/dev/shm`, at least 1 MiB; default: 64 MiB. What lies there counts as memory of the step.',
    ),
    pull: key(
      '`always`, `if-not-exists`, `never`, `default`',
      { enum: ['always', 'if-not-exists', 'if-not-present', 'never', 'default'] },
      'When the image is fetched. `default`: by its tag.',
    ),
    user: key('text', text, 'User of the image that it runs as: a name or a number, with a group behind `:`.'),
    working_dir: key('text', text, 'Folder that it starts in; default: the workspace.'),
    detach: key('boolean', boolean, 'Runs beside the later steps, which wait only until it has started.'),
    ports: key(
      'list',
      { $ref: '#/definitions/ports' },
      'Of a service: ports that answer when it is up, `5432` or `53/udp`. The steps wait for them.',
    ),
    artifacts: key(
      'list',
      oneOrMore('artifact'),
      'Files that are kept under a name when the step has ended: for download, and for workflows that `use` them. Not of services and detached steps.',
    ),
    cache: key(
      'map',
      cache,
      'Folders that are kept from one pipeline to the next. Without a value, the step has none although the document has one.',
    ),
    reuse: key(
      'map',
      reuse,
      'When nothing that the step depends on has changed, its earlier result stands for running it again.',
    ),
    volumes: key('list', listOf('mount'), 'Volumes of the workflow, each under a path.'),
    privileged: key(
      'boolean',
      boolean,
      'All rights on the host of a container engine. Only in a project trusted with `security`, and for images that GANTRY_PRIVILEGED_IMAGES lists.',
    ),
    devices: key(
      'list',
      { $ref: '#/definitions/devices' },
      'Devices of the host: `/dev/kvm`, or `{name, path}` with the name of a `host` volume. Only in a project trusted with `security`.',
    ),
    network_mode: key(
      '`host`',
      { enum: ['host', 'bridge', 'default', ''] },
      '`host`: in the network of the host. Only in a project trusted with `network`.',
    ),
  },
  build: {
    image: key(
      'text',
      texts,
      'Repository that the image is pushed to, with its registry: `registry.example/shop/api`. Without it the image is built and not kept.',
    ),
    repo: key('text', texts, 'The same as `image`.'),
    registry: key('text', text, 'Registry of the login, and of an `image` that names none; default: Docker’s.'),
    username: key('text', value, 'Login of the registry; without it, the registry logins of project and organisation.'),
    password: key('text', value, 'Of the login: `{from_secret: name}`.'),
    tags: key('texts', texts, 'Tags that it is pushed under. Default: the file `.tags` of the workspace, or `latest`.'),
    auto_tag: key(
      'boolean',
      boolean,
      '`latest` for the default branch; `1`, `1.2` and `1.2.3` for the tag `v1.2.3`; other branches build nothing.',
    ),
    auto_tag_suffix: key('text', text, 'Of such tags: `1.2-alpine`.'),
    dockerfile: key('text', text, 'Path in the workspace; default `Dockerfile`.'),
    context: key(
      'text',
      text,
      'Folder that the Dockerfile copies from; default: the workspace. `.dockerignore` counts.',
    ),
    target: key('text', text, 'Stage of the Dockerfile that is built.'),
    args: key('map', variables, 'Values of `ARG`. No secrets: they stay readable in the image.'),
    labels: key('map of texts', { $ref: '#/definitions/plainEnvironment' }, 'Labels of the image.'),
    platforms: key('texts', texts, 'Only the builder’s own, for example `linux/amd64`.'),
    secrets: key(
      'map',
      variables,
      'For `RUN --mount=type=secret,id=NAME`: `{NAME: {from_secret: name}}`. In no layer and no history of the image.',
    ),
    cache_from: key('texts', texts, 'Images whose layers may stand for those of this build.'),
    mirror: key('text', text, 'Host that is asked for images of Docker’s registry.'),
    no_cache: key('boolean', boolean, 'Nothing that an earlier build made is used; empties the cache mounts too.'),
    dry_run: key('boolean', boolean, 'Builds, and pushes nothing.'),
  },
  includeDocument: {
    kind: key(
      '`include`',
      { anyOf: [{ const: 'include' }, { type: 'null' }] },
      'What the document is; may be left out.',
    ),
    include: key(
      'text, map or list',
      oneOrMore('include'),
      'Files whose documents stand in place of this one: a path in this repository at the same commit, or a file of another project at a tag or commit. Up to 50 files, 3 deep.',
    ),
  },
  include: {
    file: key('text', text, 'Path from the top of the repository; written out, without `${…}`.'),
    project: key('text', text, '`owner/name` of another project, which all who may read this one may read too.'),
    ref: key('text', text, 'Tag or whole commit of the other project; no branch, since it changes.'),
  },
  secretDocument: {
    kind: key('`secret`', { const: 'secret' }, 'What the document is.'),
    name: key(
      'text',
      text,
      'Name by which steps of this file ask for it (`from_secret`). A stored secret of that name that the step may have wins.',
    ),
    data: key(
      'text',
      text,
      'The encrypted value, as `gantry secret encrypt` gives it. It opens in this project alone, and not for pull requests of forks unless somebody approves the commit with secrets.',
    ),
  },
  conditions: {
    event: key('constraint', constraint, '`push`, `tag`, `manual`, `promote`, `rollback`, `cron` or `pull_request`.'),
    branch: key(
      'constraint',
      constraint,
      'Branch of the event; of a pull request its target, of a tag the name of the tag.',
    ),
    ref: key('constraint', constraint, 'Whole reference, for example `refs/heads/main`.'),
    paths: key(
      'constraint',
      constraint,
      'Files that the change touched: it runs when one of them matches. Events without a change match.',
    ),
    target: key('constraint', constraint, 'Target of a promotion or rollback.'),
    cron: key('constraint', constraint, 'Name of the schedule.'),
    status: key(
      'constraint',
      constraint,
      '`success` (the default), `failure`, or both: how things stand when its turn comes. Of a step also `cancelled`: it runs, for up to 60 s, once its workflow was cancelled and all that ran has ended.',
    ),
    repo: key('constraint', constraint, '`owner/name` of the project.'),
    instance: key('constraint', constraint, 'Host name of this Gantry.'),
    action: key('constraint', constraint, 'What happened to a pull request: `opened`, `synchronized` …'),
    matrix: key(
      'map',
      { type: ['object', 'null'] },
      'Axis values: `{NODE: "24"}`; each may be a pattern. Sets of them stand below `include` and `exclude`.',
    ),
  },
  parameter: {
    type: key(
      '`string`, `number`, `boolean`, `choice`',
      { enum: ['string', 'number', 'boolean', 'choice'] },
      'Default: `choice` where there are `options`, else `string`.',
    ),
    default: key('text', text, 'Its value where none is given; a boolean without one is `false`.'),
    required: key('boolean', boolean, 'A start by hand must give a value, unless there is a default.'),
    options: key('texts', texts, 'Of a choice: the values that it may have, up to 100.'),
    description: key('text', text, 'Shown beside the field.'),
    pattern: key('text', text, 'Of a string: a regular expression that the whole value must match.'),
  },
  matrix: {
    include: key(
      'list of maps',
      listOf('axes'),
      'Further sets. One that agrees with combinations in each axis that it names adds its other values to them; any other is a set of its own.',
    ),
    exclude: key('list of maps', listOf('axes'), 'Combinations that hold all values of one of these are left out.'),
  },
  constraint: {
    include: key('texts', texts, 'It matches when one of these patterns does. Empty: everything.'),
    exclude: key('texts', texts, 'It does not match when one of these patterns does; looked at first.'),
  },
  concurrency: {
    limit: key(
      'number',
      { type: ['integer', 'null'], minimum: 0 },
      'How many workflows of the group may run at once in all pipelines of the project; 0, the default, for any number.',
    ),
    group: key('text', text, 'Workflows with the same word count together; default: the name of the document.'),
  },
  workspace: {
    base: key('text', text, 'Folder of the workspace; default `/drone/src`.'),
    path: key('text', text, 'Folder of the checkout below `base`.'),
  },
  clone: {
    disable: key('boolean', boolean, 'No checkout: the workspace is empty.'),
    depth: key(
      'number',
      { type: ['integer', 'null'], minimum: 0 },
      'How many commits the checkout has from its tip; 0, the default, for all of them, which costs no more. Above 10,000 it is all of them.',
    ),
    tags: key('boolean', boolean, 'The tags of the repository are there too.'),
    recursive: key(
      'boolean',
      boolean,
      'Submodules are there, and those in them: projects of this Gantry by the rights of whoever caused the run, and repositories of other hosts over HTTP or HTTPS.',
    ),
    submodule_override: key(
      'map',
      { type: ['object', 'null'], additionalProperties: { type: 'string' } },
      'URLs of submodules by their name, in place of those in `.gitmodules`.',
    ),
    lfs: key('boolean', boolean, 'Fails where files are pointers of LFS, whose content Gantry does not have.'),
    branch: key('text', text, 'Name of the branch that HEAD is on; of another `remote` also what is checked out.'),
    ref: key(
      'text',
      text,
      'Branch, whole reference or whole commit that is checked out in place of the commit of the event.',
    ),
    path: key('text', text, 'Folder of the workspace that the checkout lies in.'),
    remote: key('text', text, 'URL of another repository that is checked out in place of the own one.'),
    skip_verify: key(
      'boolean',
      boolean,
      'Certificates of other hosts are not checked; only in a project that is trusted with `security`.',
    ),
    retries: key('number', {}, 'Has no effect: what is fetched is kept, and asked for again by the next run.'),
    trace: key('boolean', {}, 'Has no effect: the checkout uses no network.'),
  },
  volume: {
    name: key('text', text, 'By which steps name it.'),
    temp: key('map', { $ref: '#/definitions/temp' }, 'A folder of this workflow alone: `{}`, or in memory.'),
    host: key(
      'map',
      { $ref: '#/definitions/host' },
      'A folder or device of the host: `{path: /srv/data}`. Only in a project trusted with `volumes`.',
    ),
  },
  host: {
    path: key('text', text, 'Absolute path on the host; none that holds the socket or files of a container engine.'),
  },
  platform: {
    os: key('`linux`, `windows`', { enum: ['linux', 'windows', ''] }, 'Default: `linux`.'),
    arch: key(
      '`amd64`, `arm64`, `arm` …',
      { enum: ['amd64', 'arm64', 'arm', '386', 'ppc64le', 's390x', 'riscv64', ''] },
      'Default: `amd64`.',
    ),
    variant: key('text', text, 'Of `arm`, for example `v7`.'),
    version: key('text', text, 'Has no effect: of Windows alone.'),
  },
  temp: {
    medium: key(
      '`memory`',
      { anyOf: [{ const: 'memory' }, { const: '' }, { type: 'null' }] },
      'In memory instead of on disk.',
    ),
    size_limit: key('size', text, 'Of one in memory, for example `64MiB`.'),
  },
  artifact: {
    name: key(
      'text',
      text,
      'Name of the artifact: a-z, A-Z, 0-9, `.`, `_` and `-`. Each of a pipeline has its own; in a matrix put a value of it in, as `dist-${NODE}`.',
    ),
    paths: key(
      'texts',
      texts,
      'Files and folders below the workspace, as patterns: `dist`, `reports/**/*.xml`. A folder means all that is in it, `.git` is never kept. When nothing matches, a step that passed fails.',
    ),
    exclude: key('texts', texts, 'Patterns of what is left out.'),
    keep: key('duration', text, 'How long it is kept, from `1m` to `3650d`. Default: `30d`.'),
    when: key(
      '`success`, `failure`, `always`',
      { enum: ['success', 'failure', 'always'] },
      'How the step must have ended. Default: `success`.',
    ),
  },
  use: {
    name: key('text', text, 'Name of the artifact. An item that is a text is a name alone.'),
    path: key(
      'text',
      text,
      'Folder below the workspace that it is unpacked in. Default: the workspace, so that each file is where it was.',
    ),
  },
  cache: {
    key: key(
      'text',
      text,
      'Name of the entry: `npm-{{ checksum "package-lock.json" }}` has the checksum of files at the commit in it, `${…}` is replaced as everywhere. An entry is never changed: another content needs another key.',
    ),
    paths: key('texts', texts, 'Folders, below the workspace or absolute: up to 16.'),
    restore: key(
      'texts',
      texts,
      'Beginnings of keys: when there is no entry with the key, the newest that begins with the first of them is taken, and so on.',
    ),
  },
  reuse: {
    inputs: key(
      'texts',
      texts,
      'All that the step reads of the repository: paths and patterns (`src`, `test/**/*.ts`), up to 64. `.git` stands for the commit itself.',
    ),
    outputs: key(
      'texts',
      texts,
      'Files and folders below the workspace that later steps need of it, up to 16; they are put back when it is reused.',
    ),
    network: key(
      'boolean',
      boolean,
      'Whether it may use the network, services included. Default: it has none, and so cannot depend on it.',
    ),
  },
  retry: {
    infra: key(
      'number',
      { type: ['integer', 'null'], minimum: 1 },
      'How many runs there may be, the first included: 2, the default, up to 5.',
    ),
    event: key(
      'texts',
      texts,
      'Events at which it counts; default: all but `promote` and `rollback`, which reach a target.',
    ),
  },
  resources: {
    limits: key(
      'map',
      { $ref: '#/definitions/limits' },
      'A step that needs more memory is ended; more of the processor it does not get.',
    ),
    requests: key('map', { type: ['object', 'null'] }, 'Without effect.'),
  },
  limits: {
    cpu: key('number', { type: ['string', 'number'] }, 'Cores: `2`, `0.5`, or `500m` for half of one.'),
    memory: key('size', { type: ['string', 'integer'] }, 'At least 6 MiB: `512MiB`, `1g`, or bytes.'),
  },
  mount: {
    name: key('text', text, 'A volume of the workflow.'),
    path: key('text', text, 'Absolute path in the step.'),
  },
} as const satisfies Readonly<Record<string, Readonly<Record<string, GantryKey>>>>;

export type GantryPlace = keyof typeof gantryKeys;

/** What each place is, as a title of the reference page. */
export const gantryPlaces: Readonly<Record<GantryPlace, string>> = {
  pipeline: 'A document',
  step: 'A step or service',
  build: '`build` of a step',
  includeDocument: 'A document with `include`, in place of those of other files',
  include: 'An item of `include`, when it is no text',
  secretDocument: 'A document with an encrypted secret',
  conditions: 'Conditions: `when` and `trigger`',
  constraint: 'A constraint, when it is no text or list',
  parameter: 'A parameter, by its name below `parameters`',
  matrix: '`matrix`: beside these, each key is an axis, with a list of values',
  concurrency: '`concurrency`',
  workspace: '`workspace`',
  clone: '`clone`',
  volume: 'A volume of the document',
  host: '`host` of a volume',
  platform: '`platform`',
  temp: '`temp` of a volume',
  artifact: 'An artifact of a step',
  use: 'An item of `use`, when it is no text',
  cache: 'A cache',
  reuse: '`reuse` of a step',
  retry: '`retry`, when it is a map',
  resources: '`resources` of a step',
  limits: '`limits` of `resources`',
  mount: 'A volume of a step',
};

/** The keys that stand at a place. */
export function keysAt(place: GantryPlace): ReadonlySet<string> {
  return new Set(Object.keys(gantryKeys[place]));
}

/** Keys of `.gantry.yml` that Drone 1.x, whose form it shares, does not know. */
const beyondDrone = {
  pipeline: new Set(['cache', 'matrix', 'parameters', 'retry', 'use']),
  clone: new Set(['branch', 'lfs', 'path', 'recursive', 'ref', 'remote', 'submodule_override', 'tags']),
  step: new Set(['artifacts', 'build', 'cache', 'resources', 'retry', 'reuse', 'shm_size', 'timeout']),
} as const satisfies Partial<Record<GantryPlace, ReadonlySet<string>>>;

/** The keys that stand at a place of a file of Drone 1.x. */
export function droneKeysAt(place: keyof typeof beyondDrone): ReadonlySet<string> {
  return keysAt(place).difference(beyondDrone[place]);
}
