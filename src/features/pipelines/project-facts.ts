import type { PipelineFacts } from '../../core/pipeline.ts';
import { type Project, projectSlug } from '../../core/project.ts';
import type { RuntimePolicy } from '../../core/runtime-choice.ts';
import { architectureName } from '../../engine/architecture.ts';

/** What the installation says of every project. */
export interface InstallationRules {
  /** What steps run on; absent = whatever a runner has. */
  readonly runtime?: RuntimePolicy | undefined;
  /** Images that may run privileged in trusted projects. */
  readonly privilegedImages?: readonly string[] | undefined;
  /** There is nothing to build images with. */
  readonly hasNoBuilder?: boolean | undefined;
}

/** What a pipeline file is read with as the settings of its project now are. `instanceUrl` has no slash at its end. */
export function projectFacts(
  project: Project,
  instanceUrl: string,
  variables: Readonly<Record<string, string>>,
  { runtime, privilegedImages, hasNoBuilder }: InstallationRules = {},
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
      ...(runtime === undefined ? {} : { runtime }),
      ...(project.pipelines.trusts?.length
        ? { trusts: project.pipelines.trusts, privilegedImages: privilegedImages ?? [] }
        : {}),
      ...(project.pipelines.runsBuildersAsContainers ? { runsBuildersAsContainers: true } : {}),
      ...(hasNoBuilder ? { hasNoBuilder } : {}),
      ...(project.pipelines.forbidsSandbox ? { forbidsSandbox: true } : {}),
      ...(project.pipelines.ignoresCaches ? { ignoresCaches: 'project' as const } : {}),
    },
  };
}
