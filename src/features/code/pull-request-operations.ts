import type { PullRequestView } from '../../api/pull-requests.ts';
import { GantryError } from '../../core/errors.ts';
import { type Project, projectSlug } from '../../core/project.ts';
import type { PullRequest } from '../../core/pull-request.ts';
import type { Repository } from '../../core/repository.ts';
import type { UnitOfWork } from '../../core/unit-of-work.ts';
import type { OperationHandlers, RequestContext } from '../feature.ts';
import type { PullRequestPerson, PullRequests } from './pull-requests.ts';
import { getProject } from './show-project.ts';

export interface PullRequestOperationsDeps {
  readonly unitOfWork: UnitOfWork;
  readonly repository: Pick<Repository, 'resolve' | 'commit'>;
  readonly pullRequests: PullRequests;
}

const listedAtOnce = 100;
const titleLength = 250;

/** The operations of `api/pull-requests.ts`. */
export function pullRequestOperations({ unitOfWork, repository, pullRequests }: PullRequestOperationsDeps) {
  const { read } = unitOfWork;

  async function view(pullRequest: PullRequest): Promise<PullRequestView> {
    const source = await read.projects.find(pullRequest.sourceProjectId);
    const { number, title, sourceBranch, targetBranch, head, state, authorName, createdAt, updatedAt } = pullRequest;
    return {
      number,
      title,
      source: source ? projectSlug(source) : '',
      sourceBranch,
      targetBranch,
      isFork: pullRequest.sourceProjectId !== pullRequest.projectId,
      head,
      state,
      authorName,
      createdAt: createdAt.toISOString(),
      updatedAt: updatedAt.toISOString(),
    };
  }

  async function find(params: { readonly owner: string; readonly project: string; readonly number: number }) {
    const project = await getProject(unitOfWork, params);
    const pullRequest = await read.pullRequests.find(project.id, params.number);
    if (pullRequest) return { project, pullRequest };
    const message = `Cannot find pull request #${params.number}: ${projectSlug(project)} has none with this number`;
    throw new GantryError('PULL_REQUEST_NOT_FOUND', message);
  }

  /** The fork, if whoever asks may read its code: nobody learns more of it than that it is not there. */
  async function sourceOf(project: Project, slug: string | undefined, request: RequestContext): Promise<Project> {
    if (slug === undefined || slug === projectSlug(project)) return project;
    const [owner = '', name = ''] = slug.split('/');
    await request.authorize('code:read', { on: 'project', owner, name });
    return getProject(unitOfWork, { owner, project: name });
  }

  return {
    async listPullRequests({ params, query }) {
      const project = await getProject(unitOfWork, params);
      const found = await read.pullRequests.list(project.id, query.state, listedAtOnce);
      return { items: await Promise.all(found.map(view)), next: null };
    },

    async openPullRequest({ params, body }, request) {
      const project = await getProject(unitOfWork, params);
      const source = await sourceOf(project, body.source, request);
      const tip = await repository.resolve(source.id, `refs/heads/${body.sourceBranch}`);
      const subject = tip && (await repository.commit(source.id, tip.commit))?.message.split('\n', 1)[0]?.trim();
      const title = body.title ?? (subject || body.sourceBranch).slice(0, titleLength);
      const targetBranch = body.targetBranch ?? project.defaultBranch;
      const { sourceBranch } = body;
      const person = personOf(request);
      return view(await pullRequests.open({ project, source, sourceBranch, targetBranch, title, person }));
    },

    async getPullRequest({ params }) {
      return view((await find(params)).pullRequest);
    },

    async updatePullRequest({ params, body }, request) {
      const { project, pullRequest } = await find(params);
      const person = personOf(request);
      // Whoever proposed it may take it back; everybody else needs the right to write.
      if (person.id === undefined || person.id !== pullRequest.authorId)
        await request.authorize('code:write', { on: 'project', owner: project.ownerName, name: project.name });
      return view(await pullRequests.edit(project, pullRequest, body, person));
    },
  } satisfies OperationHandlers;
}

function personOf({ actor }: RequestContext): PullRequestPerson {
  if (actor.kind === 'person') {
    const { person, projectIds } = actor;
    return { id: person.id, name: person.name, tokenProjectIds: projectIds };
  }
  throw new GantryError('SIGN_IN_REQUIRED', 'Cannot change pull requests: nobody is signed in');
}
