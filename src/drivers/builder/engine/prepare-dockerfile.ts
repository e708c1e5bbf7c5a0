import { GantryError } from '../../../core/errors.ts';
import {
  cacheMounts,
  type Dockerfile,
  imageUses,
  readDockerfile,
  replaced,
  runInstructions,
} from '../../../lib/dockerfile.ts';
import type { EngineClient } from '../../container-engine/api/engine-client.ts';
import type { EngineImages } from '../../container-engine/api/engine-images.ts';
import type { BuildSpec } from '../builder.ts';

export interface PreparedDockerfile {
  readonly written: Dockerfile;
  /** What the builder gets: the same lines. */
  readonly text: string;
  /** Secrets that it asks for beside those of the build. */
  readonly secrets: Readonly<Record<string, string>>;
  /** Gives what the builder says back the names that the file has. */
  readonly rename: (text: string) => string;
}

export interface Preparation {
  readonly id: string;
  readonly platform: string;
  readonly client: EngineClient;
  readonly images: EngineImages;
  /** Told of each name that is made in the engine. */
  readonly onTag: (tag: string) => void;
}

/**
 * Brings the images that a Dockerfile builds on into the engine, and has the file name those: under the rules of the
 * installation, with the logins of the job, and composed ones too, which no registry serves. Cache mounts get ids of
 * their scope, since an engine has one cache for all. Throws GantryError IMAGE_… where an image cannot be had.
 */
export async function prepareDockerfile(spec: BuildSpec, preparation: Preparation): Promise<PreparedDockerfile> {
  const written = readDockerfile(spec.dockerfile);
  const changes: { offset: number; length: number; by: string }[] = [];
  const names = new Map<string, string>();
  const scopes = new Map<string, string>();
  for (const { reference, offset, length, line, platform } of imageUses(written, spec.args)) {
    const where = `${spec.dockerfilePath}:${line}`;
    if (reference.includes('$'))
      throw new GantryError(
        'REQUEST_INVALID',
        `Cannot build: ${where} names an image by a variable without a value, "${reference}"`,
      );
    if (platform !== undefined && !platform.includes('$') && platform !== preparation.platform)
      throw new GantryError(
        'REQUEST_INVALID',
        `Cannot build: ${where} asks for ${platform}, and the builder makes images for ${preparation.platform} only`,
      );
    let name = names.get(reference);
    if (name === undefined) {
      name = await bring(reference, names.size, spec, preparation);
      names.set(reference, name);
    }
    changes.push({ offset, length, by: name });
  }
  for (const { id, offset, length, isNew } of cacheMounts(written)) {
    const scoped = `${spec.cacheScope}/${id}`.replaceAll(',', '_');
    changes.push({ offset, length, by: isNew ? `,id=${scoped}` : scoped });
    if (isNew) scopes.set(`,id=${scoped}`, '');
    else scopes.set(`id=${scoped}`, `id=${id}`);
  }
  const { files = {}, isFor } = spec.baseFiles ?? {};
  const secrets = Object.fromEntries(Object.entries(files).map(([path, content]) => [`gantry-file${path}`, content]));
  const flags = Object.keys(files)
    .map((path) => ` --mount=type=secret,id=gantry-file${path},target=${path},mode=0444`)
    .join('');
  for (const { base, offset } of flags === '' ? [] : runInstructions(written, spec.args))
    if (isFor?.(spec.rewrite?.(base)?.reference ?? base)) changes.push({ offset, length: 0, by: flags });
  if (flags !== '') scopes.set(flags, '');
  if (written.syntaxLine !== undefined) {
    await spec.onLine(
      `${spec.dockerfilePath}:${written.syntaxLine}: "# syntax=" has no effect: the builder's own is used`,
    );
    const lines = written.text.split('\n');
    const offset = lines.slice(0, written.syntaxLine - 1).reduce((sum, each) => sum + each.length + 1, 0);
    changes.push({ offset, length: lines[written.syntaxLine - 1]!.replace(/\r$/, '').length, by: '#' });
  }
  return {
    written,
    secrets,
    text: replaced(written.text, changes),
    rename: (text) => {
      let renamed = text;
      for (const [scoped, own] of scopes) renamed = renamed.replaceAll(scoped, own);
      for (const [reference, name] of names)
        renamed = renamed.replaceAll(`docker.io/${name}`, name).replaceAll(name, reference);
      return renamed;
    },
  };
}

/** Answers the name under which the engine has the image: one that only this build uses. */
async function bring(
  reference: string,
  number: number,
  spec: BuildSpec,
  { client, id, images, onTag }: Preparation,
): Promise<string> {
  const rewritten = spec.rewrite?.(reference);
  const meant = rewritten?.reference ?? reference;
  if (meant !== reference) await spec.onLine(`image ${reference} → ${meant}`);
  // Names of what other builds and steps are made of: none of a file's.
  if (/^gantry\.local\//i.test(meant))
    throw new GantryError('IMAGE_NOT_FOUND', `Cannot build on ${reference}: there is no such registry`);
  const image = await images.provide(meant, {
    pull: spec.pull,
    credentials: rewritten ? [...rewritten.credentials, ...spec.credentials] : spec.credentials,
    progress: (line) => void spec.onLine(line),
  });
  spec.signal.throwIfAborted();
  const tag = `gantry.local/from/${id}:${number}`;
  onTag(tag);
  await client.call('POST', `/images/${image.id}/tag`, {
    query: { repo: `gantry.local/from/${id}`, tag: String(number) },
  });
  return tag;
}
