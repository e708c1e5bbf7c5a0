import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  addPerson,
  asPerson,
  type CodeServer,
  mustGit,
  requestFor,
  startCodeServer,
} from '../../../test/support/code-server.ts';
import type { OperationHandlers } from '../feature.ts';
import { changedPaths } from './changed-paths.ts';

describe('Repository.changedPaths', () => {
  let server: CodeServer;
  let tree: string;
  let projectId = 0;
  const commits: string[] = [];

  beforeAll(async () => {
    server = await startCodeServer();
    await addPerson(server.store, 'mei');
    const { createProject } = server.feature.operations as Required<OperationHandlers>;
    const body = { owner: 'mei', name: 'shop', description: '', visibility: 'private', defaultBranch: 'main' } as const;
    const request = await requestFor(server.store, await asPerson(server.store, 'mei'));
    await createProject({ params: undefined, query: undefined, body }, request);
    projectId = (await server.store.read.projects.findBySlug('mei', 'shop'))!.id;

    tree = await mkdtemp(join(tmpdir(), 'gantry-tree-'));
    await mustGit(['init', '--quiet'], tree);
    const commit = async (): Promise<void> => {
      await mustGit(['add', '-A'], tree);
      await mustGit(['commit', '--quiet', '-m', 'Go on'], tree);
      commits.push(await mustGit(['rev-parse', 'HEAD'], tree));
    };
    await mkdir(join(tree, 'src/deep'), { recursive: true });
    await writeFile(join(tree, 'README.md'), 'one');
    await writeFile(join(tree, 'src/deep/文件.ts'), 'one');
    await writeFile(join(tree, 'src/kept.ts'), 'one');
    await commit();
    await writeFile(join(tree, 'src/deep/文件.ts'), 'two');
    await rename(join(tree, 'README.md'), join(tree, 'docs.md'));
    await commit();
    await rm(join(tree, 'docs.md'));
    await mkdir(join(tree, 'docs.md'));
    await writeFile(join(tree, 'docs.md/index'), 'a folder now');
    await commit();
    const remote = `${server.url.replace('://', '://mei:x@')}/mei/shop.git`;
    await mustGit(['push', '--quiet', remote, 'main'], tree);
  });
  afterAll(async () => {
    await server.stop();
    await rm(tree, { recursive: true, force: true });
  });

  const between = (before: string, after: string) => server.feature.repository.changedPaths(projectId, before, after);

  it('names what was changed, made, deleted and renamed, as git does', async () => {
    const told = await mustGit(
      ['-c', 'core.quotePath=false', 'diff', '--name-only', '--no-renames', commits[0]!, commits[1]!],
      tree,
    );
    expect(await between(commits[0]!, commits[1]!)).toEqual(told.split('\n').toSorted());
    expect(await between(commits[0]!, commits[1]!)).toEqual(['README.md', 'docs.md', 'src/deep/文件.ts']);
  });

  it('tells a file that became a folder by both', async () => {
    expect(await between(commits[1]!, commits[2]!)).toEqual(['docs.md', 'docs.md/index']);
  });

  it('is empty for one commit, and cannot tell of one that is not there', async () => {
    expect(await between(commits[0]!, commits[0]!)).toEqual([]);
    expect(await between(commits[0]!, 'f'.repeat(40))).toBeUndefined();
  });

  it('gives up at its limit', async () => {
    const names = Array.from({ length: 11 }, (_, i) => `file-${i}`);
    const readTree = (id: string) =>
      Promise.resolve(
        id === 'empty'
          ? []
          : names.map((name) => ({
              name,
              nameBytes: Buffer.from(name),
              kind: 'file' as const,
              mode: '100644',
              object: name,
            })),
      );
    expect(await changedPaths(readTree, 'empty', 'full', 11)).toHaveLength(11);
    expect(await changedPaths(readTree, 'empty', 'full', 10)).toBeUndefined();
  });

  it('finds where two histories part', async () => {
    await mustGit(['checkout', '--quiet', '-b', 'aside', commits[1]!], tree);
    await writeFile(join(tree, 'aside'), 'aside');
    await mustGit(['add', '.'], tree);
    await mustGit(['commit', '--quiet', '-m', 'Aside'], tree);
    const aside = await mustGit(['rev-parse', 'HEAD'], tree);
    await mustGit(['push', '--quiet', `${server.url.replace('://', '://mei:x@')}/mei/shop.git`, 'aside'], tree);
    expect(await server.feature.repository.mergeBase(projectId, commits[2]!, aside)).toBe(commits[1]);
    expect(await server.feature.repository.mergeBase(projectId, commits[2]!, 'f'.repeat(40))).toBeUndefined();
  });
});
