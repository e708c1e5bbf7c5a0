/** Images of checkouts that run natively: the checkout is ours whatever image names it (pipelines.md 8a). */
const clonePlugins: ReadonlySet<string> = new Set(['drone/git', 'plugins/git', 'woodpeckerci/plugin-git']);

/** Images that build images: they need a builder, and a container of a job has none (pipelines.md 8a). */
const builderPlugins: ReadonlySet<string> = new Set([
  'banzaicloud/drone-kaniko',
  'plugins/acr',
  'plugins/docker',
  'plugins/ecr',
  'plugins/gar',
  'plugins/gcr',
  'plugins/heroku',
  'plugins/kaniko',
  'plugins/kaniko-ecr',
  'plugins/kaniko-gcr',
  'woodpeckerci/plugin-docker-buildx',
  'woodpeckerci/plugin-kaniko',
]);

export function isClonePlugin(image: string): boolean {
  return clonePlugins.has(repositoryOf(image));
}

export function isBuilderPlugin(image: string): boolean {
  return builderPlugins.has(repositoryOf(image));
}

/** The image's name without tag, digest and the public registry's host. */
function repositoryOf(image: string): string {
  return image
    .replace(/@.*$/, '')
    .replace(/:[^/]*$/, '')
    .replace(/^(index\.)?docker\.io\//, '');
}
