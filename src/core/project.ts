import type { Page, PageRequest } from './paging.ts';
import type { Role } from './permission.ts';
import type { PipelineSettings } from './pipeline-settings.ts';
import type { Visibility } from './visibility.ts';

/** `owner/name`: a git repository and everything that grows from it, under one permission model. */
export interface Project {
  readonly id: number;
  readonly ownerId: number;
  readonly ownerName: string;
  readonly name: string;
  readonly description: string;
  readonly visibility: Visibility;
  readonly defaultBranch: string;
  /** References (globs as in pipeline files) that only `code:force` may rewind or delete. */
  readonly protectedRefs: readonly string[];
  /** How long a step may run where the pipeline file does not say, in milliseconds. */
  readonly stepTimeoutMs: number;
  readonly pipelines: PipelineSettings;
  readonly createdAt: Date;
  readonly archivedAt?: Date | undefined;
}

/** A new project runs its pipelines by the default settings. */
export type NewProject = Omit<Project, 'id' | 'ownerName' | 'archivedAt' | 'pipelines'>;

export function projectSlug(project: { readonly ownerName: string; readonly name: string }): string {
  return `${project.ownerName}/${project.name}`;
}

export interface ProjectMember {
  readonly personId: number;
  readonly personName: string;
  readonly role: Role;
  /** Where the role comes from: given here, or by the organisation, or because the project is one's own. */
  readonly from: 'project' | 'organisation' | 'owner';
}

/** Names are found whatever their case. `create` and `update` refuse a taken name with PROJECT_EXISTS. */
export interface ProjectStore {
  find(id: number): Promise<Project | undefined>;
  findBySlug(ownerName: string, name: string): Promise<Project | undefined>;
  /** Those that the person (undefined = nobody) may see, newest activity first. A site admin sees all. */
  listVisible(
    viewer: { readonly personId: number; readonly isSiteAdmin: boolean } | undefined,
    page: PageRequest & { readonly query?: string | undefined; readonly owner?: string | undefined },
  ): Promise<Page<Project>>;
  listAll(): Promise<readonly Project[]>;
  create(project: NewProject): Promise<Project>;
  update(project: Project): Promise<void>;
  /** The highest role of all grants: owner of the name, member of the organisation, member of the project. */
  roleOf(projectId: number, personId: number): Promise<Role | undefined>;
  /** The role that a person has for an owner's name: `owner` for one's own, the organisation's role otherwise. */
  roleForOwner(ownerId: number, personId: number): Promise<Role | undefined>;
  members(projectId: number): Promise<readonly ProjectMember[]>;
  /** `undefined` takes the grant of the project away; grants by ownership and organisation stay. */
  setRole(projectId: number, personId: number, role: Role | undefined): Promise<void>;
}
