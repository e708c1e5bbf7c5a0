import { href } from './router.tsx';

/** Addresses of the pages, in one place. */
export interface ProjectName {
  readonly owner: string;
  readonly project: string;
}

export const projectAddress = (name: ProjectName): string => href('/:owner/:project', name);
export const pipelinesAddress = (name: ProjectName): string => href('/:owner/:project/pipelines', name);
export const pipelineAddress = (name: ProjectName, number: number): string =>
  href('/:owner/:project/pipelines/:number', { ...name, number: String(number) });
export function pipelineFileAddress(name: ProjectName, branch?: string): string {
  const query = branch === undefined ? '' : `?${new URLSearchParams({ branch })}`;
  return `${href('/:owner/:project/pipeline-file', name)}${query}`;
}
export const settingsAddress = (name: ProjectName, tab = 'general'): string =>
  href('/:owner/:project/settings/:tab', { ...name, tab });
/** `-` is no name that a project can have. */
export const organisationSettingsAddress = (owner: string, tab = 'secrets'): string =>
  href('/:owner/-/settings/:tab', { owner, tab });
export const refsAddress = (name: ProjectName): string => href('/:owner/:project/refs', name);

/** A branch or tag may hold slashes, so it stands in the query. */
export function filesAddress(name: ProjectName, at: string | undefined, path: string, line?: number): string {
  const query = new URLSearchParams({ ...(at !== undefined && { at }), ...(path !== '' && { path }) });
  const hash = line === undefined ? '' : `#L${line}`;
  return `${href('/:owner/:project/files', name)}${query.size > 0 ? `?${query}` : ''}${hash}`;
}

export function commitsAddress(name: ProjectName, at?: string, path?: string): string {
  const query = new URLSearchParams({ ...(at !== undefined && { at }), ...(path !== undefined && { path }) });
  return `${href('/:owner/:project/commits', name)}${query.size > 0 ? `?${query}` : ''}`;
}

export const commitAddress = (name: ProjectName, commit: string): string =>
  href('/:owner/:project/commits/:commit', { ...name, commit });
