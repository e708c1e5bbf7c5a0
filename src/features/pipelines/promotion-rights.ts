import { GantryError } from '../../core/errors.ts';
import { isAtLeast, type Role, roles } from '../../core/permission.ts';
import type { PipelineSettings } from '../../core/pipeline-settings.ts';
import type { Project } from '../../core/project.ts';
import type { UnitOfWork } from '../../core/unit-of-work.ts';
import { matchGlob } from '../../engine/glob.ts';

/** The least role for promotions to a target: the highest that a matching rule asks for; `undefined` without one. */
export function roleForTarget({ promotionRules }: PipelineSettings, target: string): Role | undefined {
  return promotionRules
    .filter((rule) => rule.target === target || matchGlob(rule.target, target, 'woodpecker'))
    .map(({ role }) => role)
    .toSorted((a, b) => roles.indexOf(b) - roles.indexOf(a))[0];
}

/**
 * Refuses with ACCESS_DENIED whoever may not promote or roll back to the target. Asked at every start towards it, a rerun
 * of an earlier one too: what was allowed then need not be now (R7).
 */
export async function requirePromotionRight(
  { read }: UnitOfWork,
  project: Project,
  personId: number,
  target: string,
  what: string,
): Promise<void> {
  const needed = roleForTarget(project.pipelines, target);
  if (needed === undefined) return;
  const [person, role] = await Promise.all([read.people.find(personId), read.projects.roleOf(project.id, personId)]);
  if (person?.isSiteAdmin || isAtLeast(role, needed)) return;
  throw new GantryError(
    'ACCESS_DENIED',
    `${what}: the target "${target}" needs the role "${needed}", and yours is "${role ?? 'none'}"`,
    { details: { target, role: needed } },
  );
}
