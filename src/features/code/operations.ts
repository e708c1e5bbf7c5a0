import { GantryError } from '../../core/errors.ts';
import type { OperationHandlers } from '../feature.ts';
import { commitAt, commitView, listCommits, refView, showFile, showFolder } from './browse.ts';
import { type ChangeProjectsDeps, createProject, removeMember, setMember, updateProject } from './change-projects.ts';
import { type CommitFilesDeps, commitFiles } from './commit-files.ts';
import { pusherOf } from './git-routes.ts';
import { getProject, projectView, type ShowProjectDeps, showProject } from './show-project.ts';

export type OperationsDeps = ChangeProjectsDeps &
  ShowProjectDeps &
  CommitFilesDeps & {
    /** Told before a commit is made: a push follows at once. */
    readonly onPushBegin: () => void;
  };

/** Projects, their members, and what is in their repositories: the operations of `api/projects.ts` but for secrets. */
export function codeOperations(deps: OperationsDeps): OperationHandlers {
  const { unitOfWork, repository } = deps;
  /** The project of the path, with its repository in place. */
  const open = async (path: { readonly owner: string; readonly project: string }) => {
    const project = await getProject(unitOfWork, path);
    await deps.folders.ensure(project);
    return project;
  };

  return {
    async listProjects({ query }, { actor, may }) {
      const viewer =
        actor.kind === 'person' ? { personId: actor.person.id, isSiteAdmin: actor.person.isSiteAdmin } : undefined;
      const page = await unitOfWork.read.projects.listVisible(viewer, query);
      // The one rule decides here too: a token may be for some projects, or not for reading projects at all.
      const visible = await Promise.all(
        page.items.map(({ ownerName, name }) => may('project:read', { on: 'project', owner: ownerName, name })),
      );
      const projects = page.items.filter((_, index) => visible[index]);
      const latest = await unitOfWork.read.pipelines.latest(projects.map(({ id }) => id));
      const items = projects.map((project) => projectView(deps, project, actor, latest.get(project.id)));
      return { items: await Promise.all(items), next: page.next };
    },
    async createProject({ body }, request) {
      return showProject(deps, await createProject(deps, body, request), request.actor);
    },
    async getProject({ params }, { actor }) {
      return showProject(deps, await getProject(unitOfWork, params), actor);
    },
    async updateProject({ params, body }, request) {
      const { id } = await getProject(unitOfWork, params);
      return showProject(deps, await updateProject(deps, id, body, request), request.actor);
    },

    async listMembers({ params }) {
      const { id } = await getProject(unitOfWork, params);
      const members = await unitOfWork.read.projects.members(id);
      return { items: members.map(({ personName, role, from }) => ({ name: personName, role, from })), next: null };
    },
    async setMember({ params, body }, request) {
      const member = await setMember(deps, await getProject(unitOfWork, params), params.name, body.role, request);
      return { name: member.personName, role: member.role, from: member.from };
    },
    async removeMember({ params }, request) {
      await removeMember(deps, await getProject(unitOfWork, params), params.name, request);
    },

    async listRefs({ params }) {
      const refs = await repository.refs((await open(params)).id);
      return { items: refs.map(refView), next: null };
    },
    async listCommits({ params, query }) {
      return listCommits(repository, await open(params), query);
    },
    async getCommit({ params }) {
      const project = await open(params);
      const commit = await repository.commit(project.id, await commitAt(repository, project, params.commit));
      if (!commit) throw new GantryError('REF_NOT_FOUND', `Cannot show "${params.commit}": it names no commit`);
      return commitView(commit);
    },
    async commitFiles({ params, body }, request) {
      const { actor } = request;
      // The policy has let only people write.
      if (actor.kind !== 'person') throw new GantryError('SIGN_IN_REQUIRED', 'Cannot commit: nobody is signed in');
      deps.onPushBegin();
      const project = await open(params);
      const pusher = pusherOf(deps, project, actor, request);
      return commitView(await commitFiles(deps, project, body, actor.person, pusher));
    },
    async getTree({ params, query }) {
      return showFolder(repository, await open(params), query);
    },
    async getFile({ params, query }) {
      return showFile(repository, await open(params), query);
    },
  };
}
