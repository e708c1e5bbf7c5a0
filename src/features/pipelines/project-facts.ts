import type { PipelineFacts } from '../../core/pipeline.ts';
import { type Project, projectSlug } from '../../core/project.ts';
import { architectureName } from '../../engine/architecture.ts';

/** What a pipeline file is read with as the settings of its project now are. `instanceUrl` has no slash at its end. */
export function projectFacts(
  project: Project,
  instanceUrl: string,
  variables: Readonly<Record<string, string>>,
): PipelineFacts {
  const link = `${instanceUrl}/${projectSlug(project)}`;
  return {
    project: {
      owner: project.ownerName,
      name: project.name,
      visibility: project.visibility,
      defaultBranch: project.defaultBranch,
      link,
      cloneUrl: `${link}.git`,
    },
    instanceUrl,
    // Runners are on this host.
    architecture: architectureName(process.arch),
    variables,
    rules: {
      path: project.pipelines.path,
      evaluatesDronePaths: project.pipelines.evaluatesDronePaths,
      toleratesFilteredSteps: project.pipelines.toleratesFilteredSteps,
      ...(project.pipelines.ignoresCaches ? { ignoresCaches: 'project' as const } : {}),
    },
  };
}
