import { fullImageReference } from './image-rule.ts';

/** What is asked of a step that is to run privileged. */
export interface PrivilegedRequest {
  readonly stepName: string;
  /** As the step names it: with registry, tag or digest. */
  readonly image: string;
  readonly isProjectTrusted: boolean;
  readonly hasCommands: boolean;
  readonly hasOwnEntrypoint: boolean;
  readonly hasVolumes: boolean;
  readonly variables: readonly string[];
}

/** Variables by which a program of the image could be made to run another's code, or to speak to another engine. */
const forbiddenVariables = ['PATH', 'HOME', 'LD_PRELOAD', 'DOCKER_HOST', 'DOCKER_OPTS', 'XDG_RUNTIME_DIR'];

/**
 * Why a step may not run privileged; `undefined` when it may. `list` is the admin's: `registry/repository@sha256:…`, or
 * `registry/repository:tag` where the tag may end in `*`. A name without either admits nothing: whoever may push a tag
 * would own the host. Without a registry docker.io is meant, there and in the step.
 */
export function findPrivilegedFault(request: PrivilegedRequest, list: readonly string[]): string | undefined {
  const refuse = (because: string): string => `Cannot run step "${request.stepName}" privileged: ${because}`;
  if (list.length === 0) return refuse('no image is on the list of those that may');
  const image = fullImageReference(request.image);
  if (!list.some((entry) => admits(fullImageReference(entry), image)))
    return refuse(`the image "${request.image}" is not on the list of those that may`);
  if (!request.isProjectTrusted) return refuse('the project is not trusted');
  if (request.hasCommands) return refuse('it has commands, and only what the image itself does may be privileged');
  if (request.hasOwnEntrypoint) return refuse('it has an entrypoint or command of its own');
  if (request.hasVolumes) return refuse('it mounts volumes');
  const variable = request.variables.find((name) => forbiddenVariables.includes(name.toUpperCase()));
  return variable === undefined ? undefined : refuse(`it sets ${variable}`);
}

function admits(entry: string, image: string): boolean {
  if (entry.includes('@')) return entry === image;
  const [name, tag] = cut(entry);
  const [imageName, imageTag] = cut(image);
  if (tag === undefined || imageTag === undefined || name !== imageName || image.includes('@')) return false;
  return tag.endsWith('*') && tag.length > 1 ? imageTag.startsWith(tag.slice(0, -1)) : tag === imageTag;
}

function cut(name: string): [repository: string, tag: string | undefined] {
  const found = /^(.+):([^:/]+)$/.exec(name);
  return found ? [found[1]!, found[2]] : [name, undefined];
}
