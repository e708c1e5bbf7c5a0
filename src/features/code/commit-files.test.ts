import { chmod, mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  addPerson,
  addProject,
  asPerson,
  type CodeServer,
  mustGit,
  requestFor,
  startCodeServer,
} from '../../../test/support/code-server.ts';
import type { OperationInput } from '../../api/operations.ts';
import type { Project } from '../../core/project.ts';
import type { OperationHandlers } from '../feature.ts';

type Body = OperationInput<'commitFiles'>['body'];

let server: CodeServer;
let operations: Required<OperationHandlers>;
let tree: string;
let project: Project;
let first: string;

beforeAll(async () => {
  server = await startCodeServer();
  operations = server.feature.operations as Required<OperationHandlers>;
  const mei = await addPerson(server.store, 'mei');
  await addPerson(server.store, 'wei');
  project = await addProject(server.store, mei, 'shop');
  tree = await mkdtemp(join(tmpdir(), 'gantry-tree-'));
  await mustGit(['init', '-q', '-b', 'main'], tree);
  await writeFile(join(tree, 'README.md'), 'hello\n');
  await writeFile(join(tree, 'run.sh'), 'echo 1\n');
  await chmod(join(tree, 'run.sh'), 0o755);
  await symlink('README.md', join(tree, 'link'));
  await mustGit(['add', '.'], tree);
  await mustGit(['commit', '-q', '-m', 'first'], tree);
  await mustGit(['push', '-q', server.url.replace('://', '://mei:mei@') + '/mei/shop.git', 'main'], tree);
  first = (await mustGit(['rev-parse', 'HEAD'], tree)).trim();
});
afterAll(async () => {
  await server.stop();
  await rm(tree, { recursive: true, force: true });
});

const commit = async (body: Partial<Body>, name = 'shop') =>
  operations.commitFiles(
    {
      params: { owner: 'mei', project: name },
      query: undefined,
      body: {
        branch: 'main',
        isNewBranch: false,
        base: await head('main'),
        message: 'change it',
        files: [{ path: '.gantry.yml', text: `# ${Math.random()}\n` }],
        ...body,
      },
    },
    await requestFor(server.store, await asPerson(server.store, 'mei')),
  );
const folder = () => server.feature.repository.folder(project.id);
const inRepository = async (...args: string[]) => (await mustGit([`--git-dir=${folder()}`, ...args], tree)).trim();
const head = (branch: string) => inRepository('rev-parse', `refs/heads/${branch}`);
const events = () => server.store.read.events.listByProject(project.id, 50);

describe('commitFiles', () => {
  it('writes files as a commit of the person, and records what a push records', async () => {
    const before = await head('main');
    const made = await commit({
      message: 'ci: 测试 with cache\r\n\r\nBecause.\n',
      files: [
        { path: '.gantry.yml', text: 'kind: pipeline\n' },
        { path: 'docs/a/b.md', text: '你好\n' },
        { path: 'run.sh', text: 'echo 2\n' },
        { path: 'README.md', text: null },
      ],
    });
    expect(made).toMatchObject({ subject: 'ci: 测试 with cache', parents: [before], authorName: 'mei' });
    expect(await head('main')).toBe(made.id);
    expect(await inRepository('show', `${made.id}:docs/a/b.md`)).toBe('你好');
    const listed = await inRepository('ls-tree', '-r', '--format=%(objectmode) %(path)', made.id);
    expect(listed.split('\n')).toEqual([
      '100644 .gantry.yml',
      '100644 docs/a/b.md',
      '120000 link',
      // What could be run still can.
      '100755 run.sh',
    ]);
    expect(await inRepository('fsck', '--strict', '--no-dangling')).toBe('');
    expect((await events())[0]).toMatchObject({
      kind: 'push',
      ref: 'refs/heads/main',
      before,
      after: made.id,
      personName: 'mei',
    });
    expect(await server.store.read.events.listIntents()).toEqual([]);
  });

  it('starts a new branch where the files were read, and leaves the other as it is', async () => {
    const main = await head('main');
    const made = await commit({ branch: 'try/缓存', isNewBranch: true, base: first });
    expect(made.parents).toEqual([first]);
    expect(await head('try/缓存')).toBe(made.id);
    expect(await head('main')).toBe(main);
    await expect(commit({ branch: 'try/缓存', isNewBranch: true, base: first })).rejects.toMatchObject({
      code: 'BRANCH_EXISTS',
    });
  });

  it('refuses a branch that has moved on, and changes nothing', async () => {
    const base = await head('main');
    const theirs = await commit({});
    const count = (await events()).length;
    await expect(commit({ base })).rejects.toMatchObject({
      code: 'COMMIT_CONFLICT',
      details: { base, current: theirs.id },
    });
    await expect(commit({ base: null })).rejects.toMatchObject({ code: 'COMMIT_CONFLICT' });
    expect(await head('main')).toBe(theirs.id);
    expect((await events()).length).toBe(count);
  });

  it('lets one of many at once win', async () => {
    const base = await head('main');
    const outcomes = await Promise.allSettled(Array.from({ length: 5 }, () => commit({ base })));
    expect(outcomes.filter(({ status }) => status === 'fulfilled').length).toBe(1);
    for (const outcome of outcomes)
      if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ code: 'COMMIT_CONFLICT' });
    expect(await inRepository('rev-list', '--count', `${base}..main`)).toBe('1');
  });

  it.each([
    ['../etc/passwd', /part that is empty/],
    ['/etc/passwd', /part that is empty/],
    ['.git/config', /git keeps/],
    ['a/.GIT/hooks/x', /git keeps/],
    // What Windows would read as .git.
    ['git~1/config', /git takes no such path/],
    ['a\nb', /control characters/],
    ['README.md/x', /is a file and no folder/],
    ['link', /is a link and no file/],
    ['docs', /is a folder and no file/],
  ])('refuses the path %j', async (path, why) => {
    const files = [{ path, text: 'x' }];
    const branch = `b${Math.random()}`;
    const docs = [{ path: 'docs/x', text: '' }];
    const base = await commit({ branch, isNewBranch: true, files: docs, base: first });
    await expect(commit({ branch, base: base.id, files })).rejects.toMatchObject({
      code: 'COMMIT_INVALID',
      message: expect.stringMatching(why),
    });
  });

  it('is refused for what a push is refused for, in the words of git', async () => {
    const base = await head('main');
    // What a Macintosh would read as .git.
    const files = [{ path: '.g\u200cit/config', text: 'x' }];
    await expect(commit({ files })).rejects.toMatchObject({
      code: 'PUSH_REFUSED',
      message: expect.stringContaining('hasDotgit'),
    });
    expect(await head('main')).toBe(base);
    expect(await server.store.read.events.listIntents()).toEqual([]);
  });

  it('refuses a branch that cannot be, one that is not there, a file named twice, and a change that is none', async () => {
    const base = await head('main');
    await expect(commit({ branch: 'a..b' })).rejects.toMatchObject({ code: 'COMMIT_INVALID' });
    await expect(commit({ branch: 'nowhere' })).rejects.toMatchObject({ code: 'REF_NOT_FOUND' });
    await expect(commit({ branch: 'n', isNewBranch: true, base: 'a'.repeat(40) })).rejects.toMatchObject({
      code: 'REF_NOT_FOUND',
    });
    const twice = [1, 2].map((n) => ({ path: 'x', text: String(n) }));
    await expect(commit({ files: twice })).rejects.toMatchObject({ code: 'COMMIT_INVALID' });
    const both = ['x', 'x/y'].map((path) => ({ path, text: '' }));
    await expect(commit({ files: both })).rejects.toMatchObject({ code: 'COMMIT_INVALID' });
    await expect(commit({ files: [{ path: 'nothing', text: null }] })).rejects.toMatchObject({
      code: 'COMMIT_INVALID',
    });
    const same = [{ path: 'run.sh', text: await inRepository('show', `${base}:run.sh`).then((text) => `${text}\n`) }];
    await expect(commit({ files: same })).rejects.toMatchObject({ code: 'NOTHING_TO_COMMIT' });
    expect(await head('main')).toBe(base);
  });

  it('makes the first commit of an empty project', async () => {
    const mei = (await server.store.read.people.findByName('mei'))!;
    const empty = await addProject(server.store, mei, 'empty');
    const made = await commit({ base: null, message: 'begin' }, 'empty');
    expect(made.parents).toEqual([]);
    const repository = server.feature.repository.folder(empty.id);
    expect((await readFile(join(repository, 'HEAD'), 'utf8')).trim()).toBe('ref: refs/heads/main');
    await expect(commit({ base: null, branch: 'other', message: 'again' }, 'empty')).rejects.toMatchObject({
      code: 'COMMIT_CONFLICT',
    });
  });

  it('leaves no objects behind that were refused', async () => {
    const objects = () => inRepository('count-objects', '-v');
    const [before, base] = [await objects(), await head('main')];
    await expect(commit({ base: first })).rejects.toMatchObject({ code: 'COMMIT_CONFLICT' });
    await expect(commit({ base, files: [{ path: 'git~1/x', text: 'x' }] })).rejects.toMatchObject({
      code: 'COMMIT_INVALID',
    });
    expect(await objects()).toBe(before);
    expect((await stat(folder())).isDirectory()).toBe(true);
  });
});
