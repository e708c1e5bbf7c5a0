import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { processesOf } from '../../src/features/code/git-process.ts';
import { addPerson, addProject, mustGit, startCodeServer } from '../support/code-server.ts';
import { makeTree } from '../support/killable-code-server.ts';

describe('A repository that is tidied during clones and pushes', () => {
  it('misses no object, gives each clone all of it, and ends as one pack', async () => {
    const { server, project, folder, tree, url, commit, repository } = await pushedTree();
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
    expect(await packsOf(repository)).toHaveLength(1);
    expect(await server.feature.lookThroughRefs()).toEqual([]);
    expect(await server.store.read.events.listByProject(project.id, 1_000)).toHaveLength(1 + 25 * 2);
  });

  it('keeps what no reference reaches any more', async () => {
    const { server, tree, url, commit, repository } = await pushedTree();
    const lost = await commit('nobody will reach this');
    await mustGit(['push', '--quiet', url, 'main:refs/heads/side'], tree);
    await server.feature.tidy({ looseObjects: -1, packs: 1_000 });
    await mustGit(['push', '--quiet', url, ':refs/heads/side'], tree);
    const loose = await commit('nor this, which is not packed yet');
    await mustGit(['push', '--quiet', url, 'main:refs/heads/side'], tree);
    await mustGit(['push', '--quiet', url, ':refs/heads/side'], tree);
    await server.feature.tidy({ looseObjects: -1, packs: 0 });
    expect(await packsOf(repository)).toHaveLength(1);
    for (const id of [lost, loose]) await mustGit(['--git-dir', repository, 'cat-file', '-e', `${id}^{tree}`], tree);
  });

  it('leaves its packs in place until a clone that reads them has ended', async () => {
    const { server, tree, url, commit, repository } = await pushedTree();
    await server.feature.tidy({ looseObjects: -1, packs: 1_000 });
    await commit('second');
    await mustGit(['push', '--quiet', url, 'main'], tree);
    await server.feature.tidy({ looseObjects: -1, packs: 1_000 });
    const before = await packsOf(repository);
    expect(before).toHaveLength(2);

    const clone = request(`${server.url}/mei/shop.git/git-upload-pack`, {
      method: 'POST',
      headers: {
        authorization: `Basic ${Buffer.from('mei:x').toString('base64')}`,
        'content-type': 'application/x-git-upload-pack-request',
        'git-protocol': 'version=2',
      },
    });
    clone.on('error', () => undefined);
    clone.write('0011command=fetch');
    const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 5));
    while ((await processesOf(dirname(repository))).length === 0) await turn();
    const tidied = server.feature.tidy({ looseObjects: 1_000_000, packs: 1 });
    while ((await packsOf(repository)).length === before.length) await turn();
    expect(await packsOf(repository)).toEqual(expect.arrayContaining([...before]));
    clone.destroy();
    await tidied;
    expect(await packsOf(repository)).toHaveLength(1);
  });
});

/** A server with a project that has one commit on main, and the work tree that it came from. */
async function pushedTree() {
  const server = await startCodeServer();
  onTestFinished(() => server.stop());
  const project = await addProject(server.store, await addPerson(server.store, 'mei'), 'shop');
  const folder = await mkdtemp(join(tmpdir(), 'gantry-tidy-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const tree = join(folder, 'tree');
  const url = `${server.url.replace('://', '://mei:x@')}/mei/shop.git`;
  const { commit } = await makeTree(tree);
  await mustGit(['push', '--quiet', url, 'main'], tree);
  return { server, project, folder, tree, url, commit, repository: server.feature.repository.folder(project.id) };
}

async function packsOf(repository: string): Promise<readonly string[]> {
  return (await readdir(join(repository, 'objects/pack'))).filter((name) => name.endsWith('.idx'));
}
