import type { Command } from 'commander';
import { GantryError } from '../core/errors.ts';
import { type Scope, scopeLevels, scopeResources } from '../core/permission.ts';
import { parseDurationMs } from '../lib/duration.ts';
import type { Cli } from './cli.ts';

/** What `--json[=fields]` leaves: `*` for all fields, their names, or nothing where it was not given. */
export interface JsonOption {
  readonly json?: string;
}

export interface ProjectOption {
  readonly project?: string;
}

export function addJson(command: Command, cli: Cli): Command {
  // `main` turns a bare --json into --json=*, since an optional value would swallow the argument after it.
  return command.option('--json <fields>', cli.texts.options.json);
}

export function addProject(command: Command, cli: Cli): Command {
  return command.option('-p, --project <owner/name>', cli.texts.options.project);
}

/** Gathers an option that may be given several times. */
export function collect(value: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), value];
}

export function oneOf<T extends string>(cli: Cli, option: string, text: string, choices: readonly T[]): T {
  const found = choices.find((choice) => choice === text);
  if (found === undefined)
    throw new GantryError('USAGE_WRONG', cli.texts.errors.badChoice(option, text, choices.join(', ')));
  return found;
}

const scopes: readonly Scope[] = [
  '*',
  ...scopeResources.flatMap((resource) => scopeLevels.map((level) => `${resource}:${level}` as const)),
];

export function scopesOf(cli: Cli, given: readonly string[]): Scope[] {
  return given.map((scope) => oneOf(cli, '--scope', scope, scopes));
}

export function wholeNumber(cli: Cli, option: string, text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new GantryError('USAGE_WRONG', cli.texts.errors.badCount(option, text));
  return Number(text);
}

export function durationMs(cli: Cli, text: string): number {
  const ms = parseDurationMs(text);
  if (ms === undefined) throw new GantryError('USAGE_WRONG', cli.texts.errors.badDuration(text));
  return ms;
}
