import type { Context } from 'hono';
import { GantryError } from '../../../core/errors.ts';
import type { Project } from '../../../core/project.ts';
import type { UnitOfWork } from '../../../core/unit-of-work.ts';
import type { RawRoute } from '../../feature.ts';
import { type BadgeStatus, badgeSvg } from './badge-svg.ts';

/** Among so many of the newest pipelines of a branch one that tells its state is looked for. */
const lookedThrough = 30;
const maxBranchLength = 200;

/**
 * The state of a branch as a picture. Whoever may read the pipelines of the project may see it: everybody for a public
 * one, otherwise a session or a token is needed.
 */
export function badgeRoutes({ store }: { readonly store: Pick<UnitOfWork, 'read'> }): readonly RawRoute[] {
  return [
    {
      method: 'GET',
      path: '/api/v1/projects/:owner/:project/badge.svg',
      summary: 'How the newest pipeline of a branch stands, as an SVG picture; "branch" and "lang" (en, zh) choose',
      policy: ({ params }) => ({
        action: 'pipeline:read',
        resource: { on: 'project', owner: params['owner'] ?? '', name: params['project'] ?? '' },
      }),
      challenge: 'problem',
      handle: (context) => serveBadge(store.read, context),
    },
  ];
}

async function serveBadge(read: UnitOfWork['read'], context: Context): Promise<Response> {
  const { owner = '', project: name = '' } = context.req.param() as Record<string, string>;
  const project = await read.projects.findBySlug(owner, name);
  if (!project) throw new GantryError('PROJECT_NOT_FOUND', `Cannot find project ${owner}/${name}`);
  const branch = context.req.query('branch') || project.defaultBranch;
  if (branch.length > maxBranchLength)
    throw new GantryError(
      'REQUEST_INVALID',
      `Cannot show a badge: its branch has more than ${maxBranchLength} characters`,
    );
  const language = context.req.query('lang') === 'zh' ? 'zh' : 'en';
  const status = await statusOf(read, project, branch);
  const headers = new Headers({
    'Content-Type': 'image/svg+xml; charset=utf-8',
    'Content-Security-Policy': "sandbox; default-src 'none'; frame-ancestors 'none'",
    // Asked for each time: a picture of yesterday is worse than none.
    'Cache-Control': 'no-cache, max-age=0, must-revalidate',
    ETag: `"${status}-${language}-${Buffer.from(branch).toString('base64url')}"`,
  });
  // A public project's badge may stand on pages of other sites.
  if (project.visibility === 'public') headers.set('Cross-Origin-Resource-Policy', 'cross-origin');
  const known = context.req.header('If-None-Match');
  if (known?.split(',').some((each) => each.trim().replace(/^W\//, '') === headers.get('ETag')))
    return new Response(null, { status: 304, headers });
  return new Response(badgeSvg(status, branch, language), { headers });
}

/** Of the newest pipeline that the branch itself caused: a tag of its name is another thing, and so is a promotion. */
async function statusOf({ pipelines }: UnitOfWork['read'], project: Project, branch: string): Promise<BadgeStatus> {
  const { items } = await pipelines.list(project.id, { branch, limit: lookedThrough });
  const ref = `refs/heads/${branch}`;
  const found = items.find((each) => each.ref === ref && each.event !== 'promote' && each.event !== 'rollback');
  return found?.status ?? 'none';
}
