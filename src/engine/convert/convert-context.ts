import type { EnvironmentFacts } from '../environment-facts.ts';
import type { ConvertContext } from './convert-messages.ts';

/** What a program may ask about its event and project, under Drone's names (pipelines.md 5). */
export function convertContext({ event, project, pipeline }: EnvironmentFacts, path: string): ConvertContext {
  const [title = ''] = event.message.split('\n', 1);
  return {
    repo: {
      uid: `${project.owner}/${project.name}`,
      name: project.name,
      namespace: project.owner,
      slug: `${project.owner}/${project.name}`,
      git_http_url: project.cloneUrl,
      git_ssh_url: '',
      link: project.link,
      branch: project.defaultBranch,
      config: path,
      visibility: project.visibility,
      private: project.visibility !== 'public',
      active: true,
      trusted: false,
      protected: false,
      ignore_forks: false,
      ignore_pull_requests: false,
    },
    build: {
      event: event.kind === 'manual' ? 'custom' : event.kind,
      action: event.pullRequest?.action ?? '',
      cron: event.schedule ?? '',
      environment: event.target ?? '',
      link: pipeline.link,
      branch: event.pullRequest?.targetBranch ?? event.branch,
      source: event.pullRequest?.sourceBranch ?? event.branch,
      before: event.before,
      after: event.commit,
      target: event.pullRequest?.targetBranch ?? event.branch,
      ref: event.ref,
      commit: event.commit,
      title: event.pullRequest?.title ?? title,
      message: event.message,
      source_repo: `${project.owner}/${project.name}`,
      author_login: event.personName,
      author_name: event.authorName,
      author_email: event.authorEmail,
      author_avatar: '',
      sender: event.personName,
      debug: false,
      params: event.parameters,
    },
  };
}
