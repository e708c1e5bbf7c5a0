import type { Command } from 'commander';
import { GantryError } from '../core/errors.ts';
import type { Cli } from './cli.ts';
import { addProject, type ProjectOption } from './options.ts';

export interface HolderOptions extends ProjectOption {
  readonly org?: string;
}

/** Whose secrets, variables or logins a command is about. `params` name the project, or the organisation alone. */
export type HolderParams =
  | { readonly isOrganisation: true; readonly name: string; readonly params: { readonly owner: string } }
  | {
      readonly isOrganisation: false;
      readonly name: string;
      readonly params: { readonly owner: string; readonly project: string };
    };

/** `--project` and `--org`, of which one is meant. */
export function addHolder(command: Command, cli: Cli): Command {
  return addProject(command, cli).option('--org <name>', cli.texts.options.org);
}

export async function holderOf(cli: Cli, { org, project }: HolderOptions): Promise<HolderParams> {
  if (org === undefined) {
    const params = await cli.project(project);
    return { isOrganisation: false, name: `${params.owner}/${params.project}`, params };
  }
  if (project !== undefined || !/^[\w.-]+$/.test(org))
    throw new GantryError('USAGE_WRONG', cli.texts.errors.badOrganisation(org));
  return { isOrganisation: true, name: org, params: { owner: org } };
}
