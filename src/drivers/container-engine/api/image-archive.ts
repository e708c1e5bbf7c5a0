import { createHash } from 'node:crypto';
import { type Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type Pack, pack } from 'tar-stream';
import type { ComposedImage } from '../../../core/image.ts';

/**
 * An image as `POST /images/load` takes it in every version of Docker and Podman: a tar of `manifest.json`, the
 * configuration and each layer's plain tar. Layers are read twice, since a tar says the size of a file before its bytes.
 */
export async function writeImageArchive(image: ComposedImage, tag: string): Promise<Readable> {
  const sizes: number[] = [];
  for (const layer of image.layers) sizes.push(await countBytes(await layer.open()));
  const tar = pack();
  void fill(tar, image, sizes, tag).catch((error: unknown) =>
    tar.destroy(error instanceof Error ? error : new Error(String(error))),
  );
  return tar;
}

async function fill(tar: Pack, image: ComposedImage, sizes: readonly number[], tag: string): Promise<void> {
  const configuration = imageConfiguration(image);
  const name = `${createHash('sha256').update(configuration).digest('hex')}.json`;
  const layers = image.layers.map(({ diffId }) => `${diffId.replace('sha256:', '')}/layer.tar`);
  tar.entry({ name }, configuration);
  for (const [i, layer] of image.layers.entries())
    await pipeline(await layer.open(), tar.entry({ name: layers[i]!, size: sizes[i]! }));
  tar.entry({ name: 'manifest.json' }, JSON.stringify([{ Config: name, RepoTags: [tag], Layers: layers }]));
  tar.finalize();
}

/** OCI image-spec 1.1, config.md; the time is fixed, so that the same image has the same id in every engine. */
function imageConfiguration({ architecture, config, layers }: ComposedImage): string {
  return JSON.stringify({
    architecture,
    os: 'linux',
    created: '1970-01-01T00:00:00Z',
    config: {
      Env: config.environment,
      Entrypoint: config.entrypoint.length > 0 ? config.entrypoint : null,
      Cmd: config.command,
      User: config.user,
      WorkingDir: config.workingDirectory,
      Volumes: config.volumes.length > 0 ? Object.fromEntries(config.volumes.map((path) => [path, {}])) : null,
    },
    rootfs: { type: 'layers', diff_ids: layers.map(({ diffId }) => diffId) },
    history: layers.map(() => ({ created: '1970-01-01T00:00:00Z', created_by: 'gantry' })),
  });
}

async function countBytes(stream: NodeJS.ReadableStream): Promise<number> {
  let count = 0;
  const counter = new Writable({
    write(chunk: Buffer, _encoding, done) {
      count += chunk.length;
      done();
    },
  });
  await pipeline(stream, counter);
  return count;
}
