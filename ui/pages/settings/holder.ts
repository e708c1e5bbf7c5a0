import type {
  GitLoginBody,
  GitLoginView,
  RegistryBody,
  RegistryView,
  SecretBody,
  SecretView,
} from '../../../src/api/secrets.ts';
import type { VariableView } from '../../../src/api/settings.ts';
import { call, refresh } from '../../api.ts';

/** Whose secrets, variables and logins a page is about: a project's, or with the owner alone an organisation's. */
export interface HolderName {
  readonly owner: string;
  readonly project?: string;
}

type List<Item> = Promise<{ readonly items: readonly Item[] }>;

/** How the command line names the holder. */
export function holderOption({ owner, project }: HolderName): string {
  return project === undefined ? `--org ${owner}` : `--project ${owner}/${project}`;
}

/** Key under which a list is kept, for a holder. */
export const listKey = (list: 'secrets' | 'variables' | 'registries' | 'gitLogins', { owner, project }: HolderName) =>
  [
    project === undefined
      ? (
          {
            secrets: 'listOrganisationSecrets',
            variables: 'listOrganisationVariables',
            registries: 'listOrganisationRegistries',
            gitLogins: 'listOrganisationGitLogins',
          } as const
        )[list]
      : (
          {
            secrets: 'listSecrets',
            variables: 'listVariables',
            registries: 'listRegistries',
            gitLogins: 'listGitLogins',
          } as const
        )[list],
    { owner, project },
  ] as const;

export function listSecrets({ owner, project }: HolderName, signal: AbortSignal): List<SecretView> {
  return project === undefined
    ? call('listOrganisationSecrets', { params: { owner }, signal })
    : call('listSecrets', { params: { owner, project }, signal });
}

export async function setSecret({ owner, project }: HolderName, name: string, body: SecretBody) {
  const stored =
    project === undefined
      ? await call('setOrganisationSecret', { params: { owner, name }, body })
      : await call('setSecret', { params: { owner, project, name }, body });
  await refresh('listSecrets', 'listOrganisationSecrets');
  return stored;
}

export async function removeSecret({ owner, project }: HolderName, name: string): Promise<void> {
  if (project === undefined) await call('removeOrganisationSecret', { params: { owner, name } });
  else await call('removeSecret', { params: { owner, project, name } });
  await refresh('listSecrets', 'listOrganisationSecrets');
}

export function listVariables({ owner, project }: HolderName, signal: AbortSignal): List<VariableView> {
  return project === undefined
    ? call('listOrganisationVariables', { params: { owner }, signal })
    : call('listVariables', { params: { owner, project }, signal });
}

export async function setVariable({ owner, project }: HolderName, name: string, value: string): Promise<void> {
  const body = { value };
  if (project === undefined) await call('setOrganisationVariable', { params: { owner, name }, body });
  else await call('setVariable', { params: { owner, project, name }, body });
  await refresh('listVariables', 'listOrganisationVariables');
}

export async function removeVariable({ owner, project }: HolderName, name: string): Promise<void> {
  if (project === undefined) await call('removeOrganisationVariable', { params: { owner, name } });
  else await call('removeVariable', { params: { owner, project, name } });
  await refresh('listVariables', 'listOrganisationVariables');
}

export function listRegistries({ owner, project }: HolderName, signal: AbortSignal): List<RegistryView> {
  return project === undefined
    ? call('listOrganisationRegistries', { params: { owner }, signal })
    : call('listRegistries', { params: { owner, project }, signal });
}

export async function setRegistry({ owner, project }: HolderName, registry: string, body: RegistryBody): Promise<void> {
  if (project === undefined) await call('setOrganisationRegistry', { params: { owner, registry }, body });
  else await call('setRegistry', { params: { owner, project, registry }, body });
  await refresh('listRegistries', 'listOrganisationRegistries');
}

export async function removeRegistry({ owner, project }: HolderName, registry: string): Promise<void> {
  if (project === undefined) await call('removeOrganisationRegistry', { params: { owner, registry } });
  else await call('removeRegistry', { params: { owner, project, registry } });
  await refresh('listRegistries', 'listOrganisationRegistries');
}

export function listGitLogins({ owner, project }: HolderName, signal: AbortSignal): List<GitLoginView> {
  return project === undefined
    ? call('listOrganisationGitLogins', { params: { owner }, signal })
    : call('listGitLogins', { params: { owner, project }, signal });
}

export async function setGitLogin({ owner, project }: HolderName, host: string, body: GitLoginBody): Promise<void> {
  if (project === undefined) await call('setOrganisationGitLogin', { params: { owner, host }, body });
  else await call('setGitLogin', { params: { owner, project, host }, body });
  await refresh('listGitLogins', 'listOrganisationGitLogins');
}

export async function removeGitLogin({ owner, project }: HolderName, host: string): Promise<void> {
  if (project === undefined) await call('removeOrganisationGitLogin', { params: { owner, host } });
  else await call('removeGitLogin', { params: { owner, project, host } });
  await refresh('listGitLogins', 'listOrganisationGitLogins');
}
