import type { NewAuditEntry } from '../../core/audit.ts';
import { GantryError } from '../../core/errors.ts';
import { isValidName } from '../../core/owner.ts';
import { isAtLeast, type Role } from '../../core/permission.ts';
import { type Project, type ProjectMember, projectSlug } from '../../core/project.ts';
import type { UnitOfWork } from '../../core/unit-of-work.ts';
import type { Visibility } from '../../core/visibility.ts';
import { protectedRefProblem } from '../../engine/protected-refs.ts';
import type { Clock } from '../../lib/clock.ts';
import type { RequestContext } from '../feature.ts';
import type { RefCache } from './ref-cache.ts';
import { isValidBranchName } from './ref-name.ts';
import type { RepositoryFolders } from './repository-folders.ts';
import { roleOf } from './show-project.ts';

export interface ChangeProjectsDeps {
  readonly unitOfWork: UnitOfWork;
  readonly clock: Clock;
  readonly folders: RepositoryFolders;
  readonly refs: RefCache;
}

/** How long a step may run where neither pipeline file nor project say. */
const defaultStepTimeoutMs = 60 * 60_000;

/** Creates a project with its repository. The default branch is protected from the start. */
export async function createProject(
  deps: ChangeProjectsDeps,
  wanted: {
    readonly owner: string;
    readonly name: string;
    readonly description: string;
    readonly visibility: Visibility;
    readonly defaultBranch: string;
  },
  request: RequestContext,
): Promise<Project> {
  const slug = `${wanted.owner}/${wanted.name}`;
  requireName(slug, wanted.name);
  requireBranchName(slug, wanted.defaultBranch);
  const { read } = deps.unitOfWork;
  const owner = (await read.organisations.findByName(wanted.owner)) ?? (await read.people.findByName(wanted.owner));
  if (!owner)
    throw new GantryError(
      'ORGANISATION_NOT_FOUND',
      `Cannot create the project "${slug}": there is neither an organisation nor a person "${wanted.owner}"`,
    );

  const createdAt = deps.clock.now();
  const project = await deps.unitOfWork.write(async (stores) => {
    const created = await stores.projects.create({
      ownerId: owner.id,
      name: wanted.name,
      description: wanted.description,
      visibility: wanted.visibility,
      defaultBranch: wanted.defaultBranch,
      protectedRefs: [wanted.defaultBranch],
      stepTimeoutMs: defaultStepTimeoutMs,
      createdAt,
    });
    const createdSlug = projectSlug(created);
    const details = { visibility: created.visibility, defaultBranch: created.defaultBranch };
    await stores.audit.append(entry(request, 'project:create', created, details, createdAt));
    await stores.happenings.append([{ type: 'project-created', projectId: created.id, slug: createdSlug }], createdAt);
    return created;
  });
  // Should we die here, the repository is made when somebody first asks for it.
  await deps.folders.ensure(project);
  return project;
}

export interface ProjectChange {
  readonly name?: string | undefined;
  readonly description?: string | undefined;
  readonly visibility?: Visibility | undefined;
  readonly defaultBranch?: string | undefined;
  readonly protectedRefs?: readonly string[] | undefined;
  readonly stepTimeoutMs?: number | undefined;
  readonly isArchived?: boolean | undefined;
}

/** Renames, describes, archives a project, or changes who may see it. What is not named stays. */
export async function updateProject(
  deps: ChangeProjectsDeps,
  projectId: number,
  change: ProjectChange,
  request: RequestContext,
): Promise<Project> {
  const present = await deps.unitOfWork.read.projects.find(projectId);
  if (!present) throw new GantryError('PROJECT_NOT_FOUND', 'Cannot change the project: there is none any more');
  const slug = projectSlug(present);
  if (change.name !== undefined) requireName(slug, change.name);
  if (change.defaultBranch !== undefined && change.defaultBranch !== present.defaultBranch)
    await requireBranch(deps, present, change.defaultBranch);
  for (const pattern of change.protectedRefs ?? []) {
    const problem = protectedRefProblem(pattern);
    if (problem !== undefined)
      throw new GantryError('REQUEST_INVALID', `Cannot protect "${pattern}" in "${slug}": ${problem}`);
  }

  const at = deps.clock.now();
  const project = await deps.unitOfWork.write(async (stores) => {
    const before = await stores.projects.find(projectId);
    if (!before) throw new GantryError('PROJECT_NOT_FOUND', 'Cannot change the project: there is none any more');
    const after = changed(before, change, at);
    const details = differences(before, after);
    if (Object.keys(details).length === 0) return before;
    await stores.projects.update(after);
    await stores.audit.append(entry(request, 'project:configure', before, details, at));
    await stores.happenings.append([{ type: 'project-changed', projectId, slug: projectSlug(after) }], at);
    return after;
  });
  if (project.defaultBranch !== present.defaultBranch) {
    await deps.folders.ensure(project);
    // Should we die before this, the next start finds HEAD pointing elsewhere than the project says.
    await deps.folders.setDefaultBranch(projectId, project.defaultBranch);
  }
  return project;
}

/** Gives a person a role in this project. Nobody gives more than they have, or changes somebody above themselves. */
export async function setMember(
  deps: ChangeProjectsDeps,
  project: Project,
  name: string,
  role: Role,
  request: RequestContext,
): Promise<ProjectMember> {
  const what = `Cannot make ${name} "${role}" of "${projectSlug(project)}"`;
  const person = await deps.unitOfWork.read.people.findByName(name);
  if (!person) throw new GantryError('PERSON_NOT_FOUND', `${what}: there is nobody of this name`);
  const own = await roleOf(deps.unitOfWork, project.id, request.actor);
  const before = await deps.unitOfWork.read.projects.roleOf(project.id, person.id);
  if (!isAtLeast(own, role) || (before && !isAtLeast(own, before)))
    throw new GantryError('ACCESS_DENIED', `${what}: it needs that role itself`);

  const at = deps.clock.now();
  return deps.unitOfWork.write(async (stores) => {
    await stores.projects.setRole(project.id, person.id, role);
    const details = { person: person.name, role, before: before ?? null };
    await stores.audit.append(entry(request, 'member:manage', project, details, at));
    await stores.happenings.append(membersChanged(project.id, person.id), at);
    const member = (await stores.projects.members(project.id)).find(({ personId }) => personId === person.id);
    return member ?? { personId: person.id, personName: person.name, role, from: 'project' };
  });
}

/** Takes away a role that was given here. One by ownership or organisation is taken away there. */
export async function removeMember(
  deps: ChangeProjectsDeps,
  project: Project,
  name: string,
  request: RequestContext,
): Promise<void> {
  const what = `Cannot take the role of ${name} in "${projectSlug(project)}" away`;
  const members = await deps.unitOfWork.read.projects.members(project.id);
  const member = members.find(({ personName }) => personName.toLowerCase() === name.toLowerCase());
  if (!member) throw new GantryError('MEMBER_NOT_FOUND', `${what}: they have none`);
  if (member.from !== 'project')
    throw new GantryError('MEMBER_NOT_FOUND', `${what}: it was not given here but comes from the ${member.from}`);
  const own = await roleOf(deps.unitOfWork, project.id, request.actor);
  if (!isAtLeast(own, member.role)) throw new GantryError('ACCESS_DENIED', `${what}: it is above your own`);

  const at = deps.clock.now();
  await deps.unitOfWork.write(async (stores) => {
    await stores.projects.setRole(project.id, member.personId, undefined);
    const details = { person: member.personName, role: null, before: member.role };
    await stores.audit.append(entry(request, 'member:manage', project, details, at));
    await stores.happenings.append(membersChanged(project.id, member.personId), at);
  });
}

function membersChanged(projectId: number, personId: number) {
  return [
    { type: 'members-changed', projectId },
    { type: 'access-changed', personId },
  ] as const;
}

function changed(before: Project, change: ProjectChange, at: Date): Project {
  return {
    ...before,
    name: change.name ?? before.name,
    description: change.description ?? before.description,
    visibility: change.visibility ?? before.visibility,
    defaultBranch: change.defaultBranch ?? before.defaultBranch,
    protectedRefs: change.protectedRefs ?? before.protectedRefs,
    stepTimeoutMs: change.stepTimeoutMs ?? before.stepTimeoutMs,
    archivedAt:
      change.isArchived === undefined ? before.archivedAt : change.isArchived ? (before.archivedAt ?? at) : undefined,
  };
}

/** Old and new value of each field that differs: what the audit log keeps. */
function differences(before: Project, after: Project): Record<string, unknown> {
  const fields = Object.keys(after) as (keyof Project)[];
  return Object.fromEntries(
    fields
      .filter((field) => JSON.stringify(before[field]) !== JSON.stringify(after[field]))
      .map((field) => [field, { before: before[field] ?? null, after: after[field] ?? null }]),
  );
}

function entry(
  request: RequestContext,
  action: string,
  project: Project,
  details: Record<string, unknown>,
  at: Date,
): NewAuditEntry {
  return {
    at,
    actor: request.actor.kind === 'person' ? request.actor.person.name : 'anonymous',
    action,
    subject: projectSlug(project),
    remoteAddress: request.remoteAddress,
    requestId: request.requestId,
    details,
    projectId: project.id,
  };
}

function requireName(slug: string, name: string): void {
  if (!isValidName(name))
    throw new GantryError('NAME_INVALID', `Cannot call a project "${name}" (${slug}): a name has another form`);
}

function requireBranchName(slug: string, branch: string): void {
  if (!isValidBranchName(branch))
    throw new GantryError(
      'REQUEST_INVALID',
      `Cannot make "${branch}" the default branch of "${slug}": no branch may be called so`,
    );
}

/** A project with branches takes one of them; an empty one any name that a branch may have. */
async function requireBranch(deps: ChangeProjectsDeps, project: Project, branch: string): Promise<void> {
  const slug = projectSlug(project);
  requireBranchName(slug, branch);
  await deps.folders.ensure(project);
  const branches = (await deps.refs.list(project.id)).filter(({ name }) => name.startsWith('refs/heads/'));
  if (branches.length > 0 && !branches.some(({ name }) => name === `refs/heads/${branch}`))
    throw new GantryError(
      'REF_NOT_FOUND',
      `Cannot make "${branch}" the default branch of "${slug}": there is no such branch`,
    );
}
