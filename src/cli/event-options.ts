import { type Command, Option } from 'commander';
import type { ExecEvent } from '../app/exec-event.ts';
import type { FileEvent } from '../engine/compile-input.ts';
import type { Cli } from './cli.ts';
import { collect, oneOf } from './options.ts';
import { parametersOf } from './parameters.ts';

/** An event that a person thinks of: what `exec` runs and `lint` judges. */
export interface EventOptions {
  readonly event?: string;
  readonly branch?: string;
  readonly ref?: string;
  readonly target?: string;
  readonly cron?: string;
  readonly parameter?: readonly string[];
  readonly param?: readonly string[];
  readonly input?: readonly string[];
  readonly changed?: readonly string[];
}

const events: readonly FileEvent[] = ['push', 'tag', 'manual', 'promote', 'rollback', 'cron', 'pull_request'];

/** `--param` and `--input` are what Drone and others call a parameter. */
export function addEventOptions(command: Command, { texts }: Cli): Command {
  return command
    .option('-e, --event <event>', texts.options.execEvent)
    .option('-b, --branch <name>', texts.options.execBranch)
    .option('--ref <reference>', texts.options.execRef)
    .option('--target <name>', texts.options.execTarget)
    .option('--cron <name>', texts.options.execCron)
    .option('-P, --parameter <KEY=VALUE>', texts.options.parameter, collect)
    .addOption(new Option('--param <KEY=VALUE>').argParser(collect).hideHelp())
    .addOption(new Option('--input <KEY=VALUE>').argParser(collect).hideHelp())
    .option('--changed <paths>', texts.options.execChanged, collect);
}

/** Whether an event is meant at all. */
export function namesEvent(options: EventOptions): boolean {
  return [options.event, options.branch, options.ref, options.target, options.cron, options.changed].some(
    (value) => value !== undefined,
  );
}

/** A push unless something says otherwise: a target means a promotion, the name of a schedule a cron. */
export function eventOf(cli: Cli, options: EventOptions): ExecEvent {
  const implied = options.target === undefined ? (options.cron === undefined ? 'push' : 'cron') : 'promote';
  return {
    kind: options.event === undefined ? implied : oneOf(cli, '--event', options.event.replace('-', '_'), events),
    branch: options.branch,
    ref: options.ref,
    target: options.target,
    schedule: options.cron,
    parameters: parametersOf(
      cli,
      [options.parameter, options.param, options.input].flatMap((given) => given ?? []),
    ),
    changedPaths: options.changed?.flatMap((paths) => paths.split(',').filter((path) => path !== '')),
  };
}
