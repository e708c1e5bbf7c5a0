import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { addPerson, addProject, mustGit, startCodeServer } from '../support/code-server.ts';
import { makeTree } from '../support/killable-code-server.ts';

describe('A repository that is tidied during clones and pushes', () => {
  it('misses no object, gives each clone all of it, and ends as one pack', async () => {
    const server = await startCodeServer();
    onTestFinished(() => server.stop());
    const project = await addProject(server.store, await addPerson(server.store, 'mei'), 'shop');
    const folder = await mkdtemp(join(tmpdir(), 'gantry-tidy-'));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    const tree = join(folder, 'tree');
    const url = `${server.url.replace('://', '://mei:x@')}/mei/shop.git`;
    const { commit } = await makeTree(tree);
    await mustGit(['push', '--quiet', url, 'main'], tree);
    const repository = server.feature.repository.folder(project.id);

    let isOver = false;
    const tidying = (async () => {
      while (!isOver) await server.feature.tidy({ looseObjects: -1, packs: 1 });
    })();
    const cloning = (async () => {
      for (let n = 0; !isOver; n += 1) {
        const clone = join(folder, `clone-${n}`);
        await mustGit(['clone', '--quiet', url, clone], folder);
        expect(await mustGit(['fsck', '--full', '--no-dangling', '--no-progress'], clone)).toBe('');
        await rm(clone, { recursive: true, force: true });
      }
    })();
    const reading = (async () => {
      while (!isOver) {
        const [head] = await server.feature.repository.commits(project.id, 'refs/heads/main', { limit: 1 });
        const file = await server.feature.repository.readFile(project.id, head!.id, 'file.txt');
        expect(file?.bytes.toString()).toBe(head!.message.trim());
      }
    })();
    const pushing = (async () => {
      for (let n = 0; n < 25; n += 1) {
        await commit(`commit ${n}`);
        await mustGit(['push', '--quiet', '--force', url, 'main', `main:refs/heads/b${n % 3}`], tree);
      }
    })().finally(() => {
      isOver = true;
    });
    await Promise.all([pushing, tidying, cloning, reading]);
    await server.feature.tidy({ looseObjects: -1, packs: 0 });
    expect(
      await mustGit(['--git-dir', repository, 'fsck', '--full', '--strict', '--no-dangling', '--no-progress'], tree),
    ).toBe('');
    const packs = (await readdir(join(repository, 'objects/pack'))).filter((name) => name.endsWith('.pack'));
    expect(packs).toHaveLength(1);
    expect(await server.feature.lookThroughRefs()).toEqual([]);
    expect(await server.store.read.events.listByProject(project.id, 1_000)).toHaveLength(1 + 25 * 2);
  });
});
