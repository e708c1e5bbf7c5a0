import type { BuildPlugin } from '../core/plan.ts';

/** Images of checkouts that run natively: the checkout is ours whatever image names it (pipelines.md 8a). */
const clonePlugins: ReadonlySet<string> = new Set(['drone/git', 'plugins/git', 'woodpeckerci/plugin-git']);

/** Images that build images: the builder does it, by the settings of each (pipelines.md 8a). */
const buildPlugins: ReadonlyMap<string, BuildPlugin> = new Map([
  ['plugins/docker', 'docker'],
  ['plugins/ecr', 'ecr'],
  ['plugins/gcr', 'gcr'],
  ['plugins/gar', 'gar'],
  ['plugins/acr', 'acr'],
  ['plugins/kaniko', 'kaniko'],
  ['plugins/kaniko-ecr', 'ecr'],
  ['plugins/kaniko-gcr', 'gcr'],
  ['banzaicloud/drone-kaniko', 'kaniko-script'],
  ['drone-kaniko', 'kaniko-script'],
  ['woodpeckerci/plugin-kaniko', 'kaniko-script'],
  ['woodpeckerci/plugin-docker-buildx', 'buildx'],
]);

/** Builds for a platform of its own that no builder of ours pushes to. */
const foreignBuilders: ReadonlySet<string> = new Set(['plugins/heroku']);

export function isClonePlugin(image: string): boolean {
  return clonePlugins.has(repositoryOf(image));
}

/** Whose settings a step with this image has, when the image is one that builds images. */
export function buildPluginOf(image: string): BuildPlugin | undefined {
  const repository = repositoryOf(image);
  return buildPlugins.get(repository) ?? (repository.endsWith('/drone-kaniko') ? 'kaniko-script' : undefined);
}

/** An image that builds images, and that nothing here does natively: as a plain container it would fail after minutes. */
export function isForeignBuilder(image: string): boolean {
  return foreignBuilders.has(repositoryOf(image));
}

/** The image's name without tag, digest and the public registry's host. */
function repositoryOf(image: string): string {
  const digest = image.indexOf('@');
  const name = digest < 0 ? image : image.slice(0, digest);
  const colon = name.indexOf(':', name.lastIndexOf('/') + 1);
  const repository = colon < 0 ? name : name.slice(0, colon);
  return repository.replace(/^(index\.)?docker\.io\//, '');
}
