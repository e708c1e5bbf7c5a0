import { Command } from 'commander';
import type { Cli, GlobalOptions } from './cli.ts';
import { addCompletion } from './commands/completion.ts';
import { addConfig } from './commands/config.ts';
import { addDoctor } from './commands/doctor.ts';
import { addGitCredential } from './commands/git-credential.ts';
import { addHelp } from './commands/help.ts';
import { addLint } from './commands/lint.ts';
import { addLogin, addLogout } from './commands/login.ts';
import { addLogs } from './commands/logs.ts';
import { addPipelineCancel } from './commands/pipeline-cancel.ts';
import { addPipelineList } from './commands/pipeline-list.ts';
import { addPipelineRerun } from './commands/pipeline-rerun.ts';
import { addPipelineStart } from './commands/pipeline-start.ts';
import { addPipelineView } from './commands/pipeline-view.ts';
import { addPipelineWatch } from './commands/pipeline-watch.ts';
import { addPipelineWhy } from './commands/pipeline-why.ts';
import { addProjectArchive } from './commands/project-archive.ts';
import { addProjectCreate } from './commands/project-create.ts';
import { addProjectList } from './commands/project-list.ts';
import { addProjectRename } from './commands/project-rename.ts';
import { addProjectView } from './commands/project-view.ts';
import { addSecretList } from './commands/secret-list.ts';
import { addSecretSet } from './commands/secret-set.ts';
import { addSecretUnset } from './commands/secret-unset.ts';
import { addServe } from './commands/serve.ts';
import { addSetup } from './commands/setup.ts';
import { addTokenCreate } from './commands/token-create.ts';
import { addTokenList } from './commands/token-list.ts';
import { addTokenRevoke } from './commands/token-revoke.ts';
import { addVersion, readVersion } from './commands/version.ts';
import { addWhoami } from './commands/whoami.ts';

type AddCommand = (parent: Command, cli: Cli) => void;

/** The tree of commands: help, completion and the reference page are made from it. */
export function createProgram(cli: Cli): Command {
  const { texts } = cli;
  const program = new Command('gantry');
  program
    .description(texts.program)
    .option('--url <address>', texts.options.url)
    .option('--no-input', texts.options.noInput)
    .version(readVersion(), '--version', texts.commands.version)
    .helpCommand(false)
    .showHelpAfterError(texts.seeHelp)
    .hook('preAction', () => {
      cli.options = program.opts<GlobalOptions & { input: boolean }>();
    });

  const group = (name: string, description: string, commands: readonly AddCommand[]): void => {
    const parent = program.command(name).description(description).helpCommand(false);
    for (const add of commands) add(parent, cli);
  };
  addServe(program, cli);
  addSetup(program, cli);
  addDoctor(program, cli);
  addLogin(program, cli);
  addLogout(program, cli);
  addWhoami(program, cli);
  group('token', texts.commands.token, [addTokenList, addTokenCreate, addTokenRevoke]);
  group('project', texts.commands.project, [
    addProjectList,
    addProjectCreate,
    addProjectView,
    addProjectArchive,
    addProjectRename,
  ]);
  group('pipeline', texts.commands.pipeline, [
    addPipelineList,
    addPipelineStart,
    addPipelineView,
    addPipelineWatch,
    addPipelineCancel,
    addPipelineRerun,
    addPipelineWhy,
  ]);
  addLogs(program, cli);
  group('secret', texts.commands.secret, [addSecretList, addSecretSet, addSecretUnset]);
  addLint(program, cli);
  addConfig(program, cli);
  addCompletion(program, cli);
  addVersion(program, cli);
  addHelp(program, cli);
  addGitCredential(program, cli);
  for (const command of everyCommand(program)) prepareCommand(command, cli);
  return program;
}

function everyCommand(command: Command): readonly Command[] {
  return [command, ...command.commands.flatMap(everyCommand)];
}

/** Errors come to us as values, and what commander says goes where everything goes. */
function prepareCommand(command: Command, { io, out, texts }: Cli): void {
  command
    .exitOverride()
    .helpOption('-h, --help', texts.options.help)
    .configureOutput({
      writeOut: (text) => void io.stdout.write(text),
      writeErr: (text) => void io.stderr.write(text),
      outputError: (text, write) => write(text.replace(/^error:/, out.paintNote('red', texts.error))),
      getOutHelpWidth: () => io.stdout.columns,
      getErrHelpWidth: () => io.stderr.columns,
    });
}
