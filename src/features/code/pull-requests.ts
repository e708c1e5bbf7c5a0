import { GantryError } from '../../core/errors.ts';
import { isAtLeast } from '../../core/permission.ts';
import { type Project, projectSlug } from '../../core/project.ts';
import { type PullRequest, type PullRequestAction, pullRequestRef } from '../../core/pull-request.ts';
import type { Repository } from '../../core/repository.ts';
import type { Stores, UnitOfWork } from '../../core/unit-of-work.ts';
import type { Clock } from '../../lib/clock.ts';
import { failpoint } from '../../lib/failpoint.ts';
import { keepHead, type PullRequestHeadsDeps } from './pull-request-heads.ts';

export interface PullRequestsDeps extends PullRequestHeadsDeps {
  readonly unitOfWork: UnitOfWork;
  readonly clock: Clock;
  readonly repository: Pick<Repository, 'resolve' | 'mergeBase'>;
}

/** Who does something to a pull request. */
export interface PullRequestPerson {
  readonly id: number | undefined;
  readonly name: string;
  /** Projects that their token is limited to; absent = all that they may see. */
  readonly tokenProjectIds?: readonly number[] | undefined;
}

export interface PullRequestProposal {
  readonly project: Project;
  /** Where the commits come from; whoever proposes may read it. */
  readonly source: Project;
  readonly sourceBranch: string;
  readonly targetBranch: string;
  /** Absent = the first line of the newest commit's message, which `subject` reads. */
  readonly title: string;
  readonly person: PullRequestPerson;
}

export interface PullRequestEdit {
  readonly title?: string | undefined;
  readonly targetBranch?: string | undefined;
  readonly state?: PullRequest['state'] | undefined;
}

/** So many of a project may be open at once: each of them is looked after. */
const openLimit = 1_000;
const lookedThroughAtOnce = 200;

/** Opens pull requests, follows their branches, and closes them. Each of it is an event, in the same write. */
export class PullRequests {
  readonly #deps: PullRequestsDeps;

  constructor(deps: PullRequestsDeps) {
    this.#deps = deps;
  }

  /** Throws REF_NOT_FOUND, PULL_REQUEST_INVALID, PULL_REQUEST_EXISTS, PULL_REQUEST_LIMIT. */
  async open({ project, source, person, ...proposal }: PullRequestProposal): Promise<PullRequest> {
    const { unitOfWork, locks, clock } = this.#deps;
    const what = `Cannot open a pull request in ${projectSlug(project)}`;
    refuseArchived(project, what);
    const [head, target] = await Promise.all([
      this.#branchTip(source, proposal.sourceBranch, what),
      this.#branchTip(project, proposal.targetBranch, what),
    ]);
    if (source.id === project.id && proposal.sourceBranch === proposal.targetBranch)
      throw new GantryError('PULL_REQUEST_INVALID', `${what}: its source and its target are the same branch`);
    if (head === target)
      throw new GantryError(
        'PULL_REQUEST_INVALID',
        `${what}: "${proposal.sourceBranch}" and "${proposal.targetBranch}" are at the same commit`,
      );
    // One after the other: the number is part of the reference that is written first.
    const release = await locks.acquire([`${project.id}:pull-requests`]);
    try {
      const open = await unitOfWork.read.pullRequests.list(project.id, 'open', openLimit);
      if (open.length >= openLimit)
        throw new GantryError('PULL_REQUEST_LIMIT', `${what}: ${openLimit} are open, which is the most there may be`);
      const twin = open.find(
        (other) =>
          other.sourceProjectId === source.id &&
          other.sourceBranch === proposal.sourceBranch &&
          other.targetBranch === proposal.targetBranch,
      );
      if (twin) throw new GantryError('PULL_REQUEST_EXISTS', `${what}: #${twin.number} is open for the same branches`);
      const number = await unitOfWork.read.pullRequests.nextNumber(project.id);
      await keepHead(this.#deps, { projectId: project.id, number }, { projectId: source.id, commit: head });
      await failpoint('pullRequest.afterHead');
      const at = clock.now();
      return await unitOfWork.write(async (stores) => {
        const made = await stores.pullRequests.create({
          projectId: project.id,
          number,
          title: proposal.title,
          sourceProjectId: source.id,
          sourceBranch: proposal.sourceBranch,
          targetBranch: proposal.targetBranch,
          head,
          authorName: person.name,
          authorId: person.id,
          createdAt: at,
        });
        await this.#storeEvent(stores, made, 'opened', person, { before: target, at });
        return made;
      });
    } finally {
      release();
    }
  }

  /** Throws PULL_REQUEST_CLOSED, PULL_REQUEST_INVALID, REF_NOT_FOUND. */
  async edit(project: Project, pullRequest: PullRequest, edit: PullRequestEdit, person: PullRequestPerson) {
    const { clock, unitOfWork } = this.#deps;
    const what = `Cannot change pull request #${pullRequest.number} of ${projectSlug(project)}`;
    refuseArchived(project, what);
    const changed = {
      ...pullRequest,
      title: edit.title ?? pullRequest.title,
      targetBranch: edit.targetBranch ?? pullRequest.targetBranch,
      state: edit.state ?? pullRequest.state,
    };
    const isReopened = changed.state === 'open' && pullRequest.state === 'closed';
    if (changed.state === 'closed' && pullRequest.state === 'closed' && edit.targetBranch !== undefined)
      throw new GantryError('PULL_REQUEST_CLOSED', `${what}: it is closed`);
    if (changed.sourceProjectId === project.id && changed.sourceBranch === changed.targetBranch)
      throw new GantryError('PULL_REQUEST_INVALID', `${what}: its source and its target would be the same branch`);
    const target = await this.#branchTip(project, changed.targetBranch, what);
    const source = await unitOfWork.read.projects.find(pullRequest.sourceProjectId);
    if (isReopened && source) {
      changed.head = await this.#branchTip(source, changed.sourceBranch, what);
      await keepHead(
        this.#deps,
        { projectId: project.id, number: changed.number },
        { projectId: source.id, commit: changed.head },
      );
    }
    const action = actionOf(pullRequest, changed);
    const at = clock.now();
    return unitOfWork.write(async (stores) => {
      const updated = await stores.pullRequests.update({ ...changed, updatedAt: at });
      if (!updated)
        throw new GantryError('PRECONDITION_FAILED', `${what}: it changed in the meantime; look at it and try again`);
      if (action) await this.#storeEvent(stores, updated, action, person, { before: target, at });
      return updated;
    });
  }

  /** Follows a branch that has moved: each open pull request that takes its commits from there gets them. */
  async follow(sourceProjectId: number, branch: string): Promise<void> {
    for (const pullRequest of await this.#deps.unitOfWork.read.pullRequests.listOpenFrom(sourceProjectId, branch))
      await this.#synchronize(pullRequest);
  }

  /** The same for whatever a crash left behind. Answers what it found, as sentences. */
  async lookThrough(): Promise<readonly string[]> {
    const findings: string[] = [];
    for (let last = 0; ; ) {
      const open = await this.#deps.unitOfWork.read.pullRequests.listOpenAfter(last, lookedThroughAtOnce);
      for (const pullRequest of open)
        if (await this.#synchronize(pullRequest))
          findings.push(`pull request #${pullRequest.number} of project ${pullRequest.projectId} followed its branch`);
      const end = open.at(-1);
      if (!end) return findings;
      last = end.id;
    }
  }

  async #synchronize(pullRequest: PullRequest): Promise<boolean> {
    const { unitOfWork, repository, clock } = this.#deps;
    const { projectId, sourceProjectId, sourceBranch, targetBranch, number } = pullRequest;
    const [tip, target, project] = await Promise.all([
      repository.resolve(sourceProjectId, `refs/heads/${sourceBranch}`),
      repository.resolve(projectId, `refs/heads/${targetBranch}`),
      unitOfWork.read.projects.find(projectId),
    ]);
    // A branch that was deleted leaves its pull request as it is.
    if (!tip || !project || project.archivedAt || tip.commit === pullRequest.head) return false;
    await keepHead(this.#deps, { projectId, number }, { projectId: sourceProjectId, commit: tip.commit });
    await failpoint('pullRequest.afterHead');
    const person = await this.#pusherOf(pullRequest, tip.commit);
    const at = clock.now();
    return unitOfWork.write(async (stores) => {
      const now = await stores.pullRequests.find(projectId, number);
      if (!now || now.state !== 'open' || now.head === tip.commit) return false;
      const updated = await stores.pullRequests.update({ ...now, head: tip.commit, updatedAt: at });
      if (!updated) return false;
      await this.#storeEvent(stores, updated, 'synchronized', person, { before: target?.commit ?? tip.commit, at });
      return true;
    });
  }

  /** Whoever pushed the commit; whoever opened the pull request when nobody knows. */
  async #pusherOf(pullRequest: PullRequest, commit: string): Promise<PullRequestPerson> {
    const ref = `refs/heads/${pullRequest.sourceBranch}`;
    const events = await this.#deps.unitOfWork.read.events.listByProject(pullRequest.sourceProjectId, 200);
    const push = events.find((event) => event.kind === 'push' && event.ref === ref && event.after === commit);
    return push
      ? { id: push.personId, name: push.personName, tokenProjectIds: push.tokenProjectIds }
      : { id: pullRequest.authorId, name: pullRequest.authorName };
  }

  async #branchTip(project: Project, branch: string, what: string): Promise<string> {
    await this.#deps.folders.ensure(project);
    const found = await this.#deps.repository.resolve(project.id, `refs/heads/${branch}`);
    if (found) return found.commit;
    throw new GantryError('REF_NOT_FOUND', `${what}: ${projectSlug(project)} has no branch "${branch}"`);
  }

  /** What happened, with who answers for it as rights now stand: both, who proposed it and who brought its newest commit. */
  async #storeEvent(
    stores: Stores,
    pullRequest: PullRequest,
    action: PullRequestAction,
    person: PullRequestPerson,
    { before, at }: { readonly before: string; readonly at: Date },
  ): Promise<void> {
    const { projectId, number, head, revision } = pullRequest;
    const source = await stores.projects.find(pullRequest.sourceProjectId);
    const isFork = pullRequest.sourceProjectId !== projectId;
    const mayWrite =
      (await mayWriteTo(stores, projectId, pullRequest.authorId)) && (await mayWriteTo(stores, projectId, person.id));
    const { event, isNew } = await stores.events.create({
      projectId,
      kind: 'pull_request',
      key: `pull-request:${projectId}:${number}:${revision}`,
      ref: pullRequestRef(number),
      before,
      after: head,
      personName: person.name,
      personId: person.id,
      tokenProjectIds: person.tokenProjectIds,
      parameters: {},
      pullRequest: {
        number,
        title: pullRequest.title,
        source: source ? projectSlug(source) : `project ${pullRequest.sourceProjectId}`,
        sourceBranch: pullRequest.sourceBranch,
        targetBranch: pullRequest.targetBranch,
        isFork,
        isOutsider: !mayWrite,
        authorName: pullRequest.authorName,
        action,
      },
      ...(isFork || !mayWrite ? { trust: 'untrusted' } : {}),
      createdAt: at,
    });
    if (isNew)
      await stores.happenings.append([{ type: 'pull-request-changed', projectId, number, eventId: event.id }], at);
  }
}

async function mayWriteTo(stores: Stores, projectId: number, personId: number | undefined): Promise<boolean> {
  const person = personId === undefined ? undefined : await stores.people.find(personId);
  if (!person || person.disabledAt) return false;
  return person.isSiteAdmin || isAtLeast(await stores.projects.roleOf(projectId, person.id), 'write');
}

/** A title says nothing to pipelines. */
function actionOf(before: PullRequest, after: PullRequest): PullRequestAction | undefined {
  if (before.state !== after.state) return after.state === 'closed' ? 'closed' : 'reopened';
  return before.targetBranch === after.targetBranch ? undefined : 'edited';
}

function refuseArchived(project: Project, what: string): void {
  if (!project.archivedAt) return;
  const details = { project: projectSlug(project) };
  throw new GantryError('PROJECT_ARCHIVED', `${what}: the project is archived`, { details });
}
