import { access, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { ImageStore } from '../store/image-store.ts';
import { ComposedSource } from './composed-source.ts';

const canCompose = await Promise.all(
  ['/usr/bin/apt-get', '/usr/bin/dpkg-deb', '/usr/bin/bwrap'].map((file) => access(file)),
).then(
  () => true,
  () => false,
);

async function makeStore() {
  const folder = await mkdtemp(join(tmpdir(), 'composed-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const source = new ComposedSource({
    folder: join(folder, 'composed'),
    architecture: 'amd64',
    hostEnvironment: { HOME: folder },
  });
  return new ImageStore({ folder: join(folder, 'images'), sources: [source] });
}

describe('ComposedSource', () => {
  it('names the base images there are when asked for another, and the tags when asked for another tag', async () => {
    const store = await makeStore();
    await expect(store.provide('base/fortran', { pull: 'default' })).rejects.toThrow(
      /there is no such base image; there are base\/busybox,.* base\/golang,/,
    );
    await expect(store.provide('base/python:2', { pull: 'default' })).rejects.toThrow(
      'Cannot compose "base/python:2": there is no such base image; base/python has the tags 3.11, latest, 3',
    );
    await expect(store.provide('devops/docker', { pull: 'default' })).rejects.toThrow('nothing serves this name');
  });

  it.skipIf(!canCompose)(
    'composes the same bytes twice, with a record of the packages',
    { timeout: 120_000 },
    async () => {
      const lines: string[] = [];
      const [first, second] = [await makeStore(), await makeStore()];
      const image = await first.provide('base/busybox', { pull: 'default', progress: (line) => lines.push(line) });
      // Two at once share the folder of packages.
      const [again] = await Promise.all(
        ['base/busybox:1', 'base/gate'].map((name) => second.provide(name, { pull: 'default' })),
      );
      if (!again) throw new Error('nothing was composed');
      expect(again.digest).toBe(image.digest);
      expect(lines.at(-1)).toBe(`composed base/busybox:latest ${image.digest}`);
      expect(await readFile(join(image.layers[0]!, 'var/lib/gantry/base-busybox.packages'), 'utf8')).toMatch(
        /^busybox-static /,
      );
    },
  );
});
