import type { NewAuditEntry } from '../../core/audit.ts';
import { type Project, projectSlug } from '../../core/project.ts';
import type { Stores } from '../../core/unit-of-work.ts';
import type { PushCommand } from './push-commands.ts';
import { zeroObject } from './push-commands.ts';

/**
 * The branch that an empty project's first push should make the default one: whoever pushes `master` alone means it.
 * `undefined` when the push brings the default branch, or no branch.
 */
export function firstBranchOf(project: Project, accepted: readonly PushCommand[]): string | undefined {
  const branches = accepted.flatMap(({ ref, after }) =>
    after !== zeroObject && ref.startsWith('refs/heads/') ? [ref.slice('refs/heads/'.length)] : [],
  );
  if (branches.includes(project.defaultBranch)) return undefined;
  return ['main', 'master', 'trunk'].find((usual) => branches.includes(usual)) ?? branches[0];
}

/** Makes a branch the default one, and protects it in place of the one that never was. Within the transaction of `stores`. */
export async function adoptBranch(
  stores: Stores,
  projectId: number,
  branch: string,
  by: Pick<NewAuditEntry, 'actor' | 'remoteAddress' | 'requestId' | 'at'>,
): Promise<void> {
  const project = await stores.projects.find(projectId);
  if (!project) return;
  const { defaultBranch } = project;
  const protectedRefs = project.protectedRefs.map((pattern) => (pattern === defaultBranch ? branch : pattern));
  await stores.projects.update({ ...project, defaultBranch: branch, protectedRefs });
  const slug = projectSlug(project);
  const details = { defaultBranch: { before: defaultBranch, after: branch }, because: 'the first push brought it' };
  await stores.audit.append({ ...by, action: 'project:configure', subject: slug, details, projectId });
  await stores.happenings.append([{ type: 'project-changed', projectId, slug }], by.at);
}
