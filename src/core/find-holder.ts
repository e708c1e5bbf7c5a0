import { GantryError } from './errors.ts';
import type { Holder } from './holder.ts';
import { projectSlug } from './project.ts';
import type { Stores } from './unit-of-work.ts';

/** A holder as the audit log and messages name it. */
export interface NamedHolder {
  readonly holder: Holder;
  /** `owner/name`, or `organisation:name`. */
  readonly subject: string;
  /** Absent for an organisation. */
  readonly projectId?: number;
}

/** How a request names a holder: a project, or with the owner alone an organisation. */
export interface HolderName {
  readonly owner: string;
  readonly project?: string | undefined;
}

/** Throws PROJECT_NOT_FOUND or ORGANISATION_NOT_FOUND: a person has projects, and nothing beside them. */
export async function findHolder(stores: Stores, { owner, project }: HolderName): Promise<NamedHolder> {
  if (project === undefined) {
    const organisation = await stores.organisations.findByName(owner);
    if (!organisation)
      throw new GantryError('ORGANISATION_NOT_FOUND', `Cannot find "${owner}": no organisation has this name`, {
        details: { name: owner },
      });
    return {
      holder: { kind: 'organisation', id: organisation.id },
      subject: `organisation:${organisation.name}`,
    };
  }
  const found = await stores.projects.findBySlug(owner, project);
  if (found) return { holder: { kind: 'project', id: found.id }, subject: projectSlug(found), projectId: found.id };
  const slug = `${owner}/${project}`;
  throw new GantryError('PROJECT_NOT_FOUND', `Cannot find the project "${slug}": there is none that you may see`, {
    details: { project: slug },
  });
}
