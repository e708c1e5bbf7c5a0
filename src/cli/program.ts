import { Command } from 'commander';
import type { Cli, GlobalOptions } from './cli.ts';
import type { Texts } from './texts.en.ts';

type AddCommand = (parent: Command, cli: Cli) => void;

/** A word after `gantry`: a command, or several below it. */
interface Entry {
  readonly text: keyof Texts['commands'];
  /** Loaded when it is called and not before: most of a command's start is reading what it does not need. */
  readonly load: () => Promise<readonly AddCommand[]>;
  readonly isGroup?: true;
  readonly isHidden?: true;
}

const entries: Readonly<Record<string, Entry>> = {
  serve: { text: 'serve', load: async () => [(await import('./commands/serve.ts')).addServe] },
  runner: { text: 'runner', load: async () => [(await import('./commands/runner.ts')).addRunner] },
  setup: { text: 'setup', load: async () => [(await import('./commands/setup.ts')).addSetup] },
  doctor: { text: 'doctor', load: async () => [(await import('./commands/doctor.ts')).addDoctor] },
  login: { text: 'login', load: async () => [(await import('./commands/login.ts')).addLogin] },
  logout: { text: 'logout', load: async () => [(await import('./commands/login.ts')).addLogout] },
  whoami: { text: 'whoami', load: async () => [(await import('./commands/whoami.ts')).addWhoami] },
  token: { text: 'token', isGroup: true, load: loadToken },
  project: { text: 'project', isGroup: true, load: loadProject },
  pipeline: { text: 'pipeline', isGroup: true, load: loadPipeline },
  logs: { text: 'logs', load: async () => [(await import('./commands/logs.ts')).addLogs] },
  'pull-request': { text: 'pullRequest', isGroup: true, load: loadPullRequest },
  sign: { text: 'sign', load: async () => [(await import('./commands/sign.ts')).addSign] },
  artifact: { text: 'artifact', isGroup: true, load: loadArtifact },
  cache: { text: 'cache', isGroup: true, load: loadCache },
  cron: { text: 'cron', isGroup: true, load: loadCron },
  webhook: { text: 'webhook', isGroup: true, load: loadWebhook },
  secret: { text: 'secret', isGroup: true, load: loadSecret },
  variable: { text: 'variable', isGroup: true, load: loadVariable },
  registry: { text: 'registry', isGroup: true, load: loadRegistry },
  'git-login': { text: 'gitLogin', isGroup: true, load: loadGitLogin },
  exec: { text: 'exec', load: async () => [(await import('./commands/exec.ts')).addExec] },
  import: { text: 'import', load: async () => [(await import('./commands/import.ts')).addImport] },
  schema: { text: 'schema', load: async () => [(await import('./commands/schema.ts')).addSchema] },
  lint: { text: 'lint', load: async () => [(await import('./commands/lint.ts')).addLint] },
  config: { text: 'config', load: async () => [(await import('./commands/config.ts')).addConfig] },
  completion: { text: 'completion', load: async () => [(await import('./commands/completion.ts')).addCompletion] },
  version: { text: 'version', load: async () => [(await import('./commands/version.ts')).addVersion] },
  help: { text: 'help', load: async () => [(await import('./commands/help.ts')).addHelp] },
  __complete: {
    text: 'completion',
    isHidden: true,
    load: async () => [(await import('./commands/completion.ts')).addComplete],
  },
  'git-credential': {
    text: 'login',
    isHidden: true,
    load: async () => [(await import('./commands/git-credential.ts')).addGitCredential],
  },
};

/** These speak of all the others. */
const needAll: ReadonlySet<string> = new Set(['help', '__complete']);

/**
 * The tree of commands: help, completion and the reference page are made from it. With the words of a call only what
 * they name is loaded, and the others are there by name; without, all of it is.
 */
export async function createProgram(cli: Cli, words?: readonly string[]): Promise<Command> {
  const { texts } = cli;
  const program = new Command('gantry');
  program
    .description(texts.program)
    .option('--url <address>', texts.options.url)
    .option('--no-input', texts.options.noInput)
    .option('--version', texts.commands.version)
    .helpCommand(false)
    .hook('preAction', () => {
      cli.options = program.opts<GlobalOptions & { input: boolean }>();
    });

  const isAll = words === undefined || words.some((word) => needAll.has(word));
  for (const [name, entry] of Object.entries(entries)) {
    if (entry.isHidden && !words?.includes(name)) continue;
    const parent = entry.isGroup ? program.command(name).description(texts.commands[entry.text]) : program;
    if (entry.isGroup) parent.helpCommand(false);
    if (isAll || words.includes(name)) for (const add of await entry.load()) add(parent, cli);
    else if (!entry.isGroup) program.command(name).description(texts.commands[entry.text]);
  }
  for (const command of everyCommand(program)) prepareCommand(command, cli);
  return program;
}

async function loadToken(): Promise<readonly AddCommand[]> {
  const [list, create, revoke] = await Promise.all([
    import('./commands/token-list.ts'),
    import('./commands/token-create.ts'),
    import('./commands/token-revoke.ts'),
  ]);
  return [list.addTokenList, create.addTokenCreate, revoke.addTokenRevoke];
}

async function loadProject(): Promise<readonly AddCommand[]> {
  const [list, create, view, archive, rename, settings] = await Promise.all([
    import('./commands/project-list.ts'),
    import('./commands/project-create.ts'),
    import('./commands/project-view.ts'),
    import('./commands/project-archive.ts'),
    import('./commands/project-rename.ts'),
    import('./commands/project-settings.ts'),
  ]);
  return [
    list.addProjectList,
    create.addProjectCreate,
    view.addProjectView,
    archive.addProjectArchive,
    rename.addProjectRename,
    settings.addProjectSettings,
  ];
}

async function loadPipeline(): Promise<readonly AddCommand[]> {
  const [list, start, view, watch, cancel, rerun, promote, why, yaml, diff, approval] = await Promise.all([
    import('./commands/pipeline-list.ts'),
    import('./commands/pipeline-start.ts'),
    import('./commands/pipeline-view.ts'),
    import('./commands/pipeline-watch.ts'),
    import('./commands/pipeline-cancel.ts'),
    import('./commands/pipeline-rerun.ts'),
    import('./commands/pipeline-promote.ts'),
    import('./commands/pipeline-why.ts'),
    import('./commands/pipeline-yaml.ts'),
    import('./commands/pipeline-diff.ts'),
    import('./commands/approval.ts'),
  ]);
  return [
    list.addPipelineList,
    start.addPipelineStart,
    view.addPipelineView,
    watch.addPipelineWatch,
    cancel.addPipelineCancel,
    rerun.addPipelineRerun,
    promote.addPipelinePromote,
    why.addPipelineWhy,
    yaml.addPipelineYaml,
    diff.addPipelineDiff,
    approval.addPipelineApprovals,
    approval.addPipelineDecisions,
  ];
}

async function loadPullRequest(): Promise<readonly AddCommand[]> {
  const { addPullRequestList, addPullRequestOpen, addPullRequestChanges } = await import('./commands/pull-request.ts');
  return [addPullRequestList, addPullRequestOpen, addPullRequestChanges];
}

async function loadArtifact(): Promise<readonly AddCommand[]> {
  const { addArtifactList, addArtifactDownload, addArtifactDelete } = await import('./commands/artifact.ts');
  return [addArtifactList, addArtifactDownload, addArtifactDelete];
}

async function loadCache(): Promise<readonly AddCommand[]> {
  const { addCacheList, addCacheDelete } = await import('./commands/cache.ts');
  return [addCacheList, addCacheDelete];
}

async function loadCron(): Promise<readonly AddCommand[]> {
  const [list, create, change] = await Promise.all([
    import('./commands/cron-list.ts'),
    import('./commands/cron-create.ts'),
    import('./commands/cron-change.ts'),
  ]);
  return [
    list.addCronList,
    create.addCronCreate,
    change.addCronUpdate,
    change.addCronSwitch,
    change.addCronRun,
    change.addCronDelete,
  ];
}

async function loadWebhook(): Promise<readonly AddCommand[]> {
  const [list, change, deliveries] = await Promise.all([
    import('./commands/webhook-list.ts'),
    import('./commands/webhook-change.ts'),
    import('./commands/webhook-deliveries.ts'),
  ]);
  return [
    list.addWebhookList,
    change.addWebhookCreate,
    change.addWebhookUpdate,
    change.addWebhookDelete,
    deliveries.addWebhookTest,
    deliveries.addWebhookDeliveries,
    deliveries.addWebhookRedeliver,
  ];
}

async function loadSecret(): Promise<readonly AddCommand[]> {
  const [list, set, unset, encrypt, key] = await Promise.all([
    import('./commands/secret-list.ts'),
    import('./commands/secret-set.ts'),
    import('./commands/secret-unset.ts'),
    import('./commands/secret-encrypt.ts'),
    import('./commands/secret-key.ts'),
  ]);
  return [
    list.addSecretList,
    set.addSecretSet,
    unset.addSecretUnset,
    encrypt.addSecretEncrypt,
    key.addSecretImportKey,
    key.addSecretForgetKey,
  ];
}

async function loadVariable(): Promise<readonly AddCommand[]> {
  const variable = await import('./commands/variable.ts');
  return [variable.addVariableList, variable.addVariableSet, variable.addVariableUnset];
}

async function loadGitLogin(): Promise<readonly AddCommand[]> {
  const login = await import('./commands/git-login.ts');
  return [login.addGitLoginList, login.addGitLoginSet, login.addGitLoginUnset];
}

async function loadRegistry(): Promise<readonly AddCommand[]> {
  const registry = await import('./commands/registry.ts');
  return [registry.addRegistryList, registry.addRegistrySet, registry.addRegistryUnset];
}

function everyCommand(command: Command): readonly Command[] {
  return [command, ...command.commands.flatMap(everyCommand)];
}

/** Errors come to us as values, and what commander says goes where everything goes. */
/** As it is typed: `gantry project settings`. */
function wordsOf(command: Command): string {
  return command.parent ? `${wordsOf(command.parent)} ${command.name()}` : command.name();
}

function prepareCommand(command: Command, { io, out, texts }: Cli): void {
  command
    .exitOverride()
    .helpOption('-h, --help', texts.options.help)
    .showHelpAfterError(texts.seeHelp(wordsOf(command)))
    .configureOutput({
      writeOut: (text) => void io.stdout.write(text),
      writeErr: (text) => void io.stderr.write(text),
      outputError: (text, write) => {
        const message = texts.usage(text.replace(/^error: /, ''));
        write(`${out.paintNote('red', texts.error)} ${message}`);
      },
      getOutHelpWidth: () => io.stdout.columns,
      getErrHelpWidth: () => io.stderr.columns,
    });
}
