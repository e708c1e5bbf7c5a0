import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import {
  addPerson,
  addProject,
  type CodeServer,
  gitClient,
  mustGit,
  startCodeServer,
} from '../../../test/support/code-server.ts';
import type { Person } from '../../core/person.ts';

let server: CodeServer;
let mei: Person;

beforeAll(async () => {
  server = await startCodeServer();
  mei = await addPerson(server.store, 'mei');
});
afterAll(() => server.stop());

let count = 0;
/** A new project and a work tree with one commit on main that pushes to it. */
async function projectWithTree(more: Parameters<typeof addProject>[3] = {}) {
  count += 1;
  const project = await addProject(server.store, mei, `project-${count}`, more);
  const tree = await mkdtemp(join(tmpdir(), 'gantry-tree-'));
  onTestFinished(() => rm(tree, { recursive: true, force: true }));
  const url = server.url.replace('://', '://mei:mei@') + `/mei/${project.name}.git`;
  await mustGit(['init', '--quiet'], tree);
  await mustGit(['remote', 'add', 'origin', url], tree);
  const commit = async (text: string): Promise<string> => {
    await writeFile(join(tree, 'file.txt'), text);
    await mustGit(['add', '.'], tree);
    await mustGit(['commit', '--quiet', '-m', text], tree);
    return mustGit(['rev-parse', 'HEAD'], tree);
  };
  const first = await commit('first');
  return { project, tree, url, commit, first };
}

describe('git push', () => {
  it('makes one event that is there before the client is done', async () => {
    const { project, tree, first } = await projectWithTree();
    await mustGit(['push', '--quiet', 'origin', 'main'], tree);
    const events = await server.store.read.events.listByProject(project.id, 10);
    expect(events).toHaveLength(1);
    expect(events[0]).toMatchObject({
      kind: 'push',
      ref: 'refs/heads/main',
      before: '0'.repeat(40),
      after: first,
      personName: 'mei',
    });
    expect(await server.store.read.events.listIntents()).toEqual([]);
    expect(await server.store.read.events.lastSeenRefs(project.id)).toEqual(new Map([['refs/heads/main', first]]));
  });

  it('of several commits, a tag and a deletion makes an event each', async () => {
    const { project, tree, first, commit } = await projectWithTree();
    await mustGit(['push', '--quiet', 'origin', 'main', 'main:topic'], tree);
    const second = await commit('second');
    await mustGit(['tag', '-a', '-m', 'one', 'v1'], tree);
    const tag = await mustGit(['rev-parse', 'v1'], tree);
    await mustGit(['push', '--quiet', 'origin', 'main', 'v1', ':topic'], tree);
    const events = (await server.store.read.events.listByProject(project.id, 10)).slice(0, 3);
    expect(new Set(events.map(({ kind, ref, before, after }) => `${kind} ${ref} ${before} ${after}`))).toEqual(
      new Set([
        `push refs/heads/main ${first} ${second}`,
        `tag refs/tags/v1 ${'0'.repeat(40)} ${tag}`,
        `push refs/heads/topic ${first} ${'0'.repeat(40)}`,
      ]),
    );
  });

  it('is refused, and creates nothing, for a project that is not there', async () => {
    const { tree } = await projectWithTree();
    const url = server.url.replace('://', '://mei:mei@') + '/mei/nothing.git';
    const run = await gitClient(['push', url, 'main'], tree);
    expect(run.exitCode).not.toBe(0);
    expect(run.stderr).toMatch(/not found/i);
    expect(await server.store.read.projects.findBySlug('mei', 'nothing')).toBeUndefined();
  });
});

describe('git clone', () => {
  it('brings what was pushed, whole, shallow and partial', async () => {
    const { tree, url, commit } = await projectWithTree();
    const last = await commit('second');
    await mustGit(['push', '--quiet', 'origin', 'main'], tree);
    for (const how of [[], ['--depth=1'], ['--filter=blob:none', '--no-checkout']]) {
      const folder = join(tree, `clone${how.join('')}`);
      await mustGit(['clone', '--quiet', ...how, url, folder], tree);
      expect(await mustGit(['rev-parse', 'HEAD'], folder)).toBe(last);
      expect(await mustGit(['rev-list', '--count', 'HEAD'], folder)).toBe(how[0] === '--depth=1' ? '1' : '2');
    }
  });
});
