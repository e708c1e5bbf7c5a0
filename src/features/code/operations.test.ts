import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
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
import type { Actor } from '../../core/permission.ts';
import type { OperationHandlers } from '../feature.ts';

let server: CodeServer;
let operations: Required<OperationHandlers>;
let tree: string;
let actors: Record<'mei' | 'wei' | 'root' | 'nobody', Actor>;

beforeAll(async () => {
  server = await startCodeServer();
  operations = server.feature.operations as Required<OperationHandlers>;
  for (const name of ['mei', 'wei']) await addPerson(server.store, name);
  await addPerson(server.store, 'root', true);
  actors = {
    mei: await asPerson(server.store, 'mei'),
    wei: await asPerson(server.store, 'wei'),
    root: await asPerson(server.store, 'root'),
    nobody: { kind: 'anonymous' },
  };
  tree = await mkdtemp(join(tmpdir(), 'gantry-tree-'));
});
afterAll(async () => {
  await server.stop();
  await rm(tree, { recursive: true, force: true });
});

const as = (who: keyof typeof actors) => requestFor(server.store, actors[who]);
const create = async (name: string, more: object = {}, who: keyof typeof actors = 'mei') =>
  operations.createProject(
    {
      params: undefined,
      query: undefined,
      body: { owner: 'mei', name, description: '', visibility: 'private', defaultBranch: 'main', ...more },
    },
    await as(who),
  );
const path = (project: string) => ({ owner: 'mei', project });
const update = async (project: string, body: object, who: keyof typeof actors = 'mei') =>
  operations.updateProject({ params: path(project), query: undefined, body }, await as(who));

describe('createProject', () => {
  it('makes a project that can be cloned at once, and says so in the audit log', async () => {
    const project = await create('first');
    expect(project).toMatchObject({
      slug: 'mei/first',
      isEmpty: true,
      role: 'owner',
      protectedRefs: ['main'],
      latestPipeline: null,
    });
    expect(project.cloneUrl).toBe(`${server.url}/mei/first.git`);
    const found = await server.store.read.projects.findBySlug('mei', 'first');
    const folder = server.feature.repository.folder(found!.id);
    expect(await readFile(join(folder, 'HEAD'), 'utf8')).toBe('ref: refs/heads/main\n');
    const [entry] = await server.store.read.audit.list({ limit: 1 });
    expect(entry).toMatchObject({ action: 'project:create', subject: 'mei/first', actor: 'mei' });
  });

  it.each(['..', '.git', 'a/b', '-x', 'a b', 'x.git', 'x.lock', 'é', 'a\u0000', ''])(
    'refuses the name %j',
    async (name) => {
      await expect(create(name)).rejects.toMatchObject({ code: 'NAME_INVALID' });
    },
  );

  it('refuses a name that is taken, whatever its case', async () => {
    await create('taken');
    await expect(create('TAKEN')).rejects.toMatchObject({ code: 'PROJECT_EXISTS' });
  });

  it('refuses a default branch that no branch may be called', async () => {
    await expect(create('branchy', { defaultBranch: '--upload-pack=x' })).rejects.toMatchObject({
      code: 'REQUEST_INVALID',
    });
  });

  it('refuses an owner who is not there', async () => {
    await expect(create('lost', { owner: 'nobody-here' })).rejects.toMatchObject({ code: 'ORGANISATION_NOT_FOUND' });
  });
});

describe('updateProject', () => {
  it('renames without moving the repository, and keeps old and new value in the audit log', async () => {
    await create('before');
    const { id } = (await server.store.read.projects.findBySlug('mei', 'before'))!;
    const project = await update('before', { name: 'after', visibility: 'public', isArchived: true });
    expect(project).toMatchObject({ slug: 'mei/after', visibility: 'public', isArchived: true });
    expect((await server.store.read.projects.findBySlug('mei', 'after'))?.id).toBe(id);
    const [entry] = await server.store.read.audit.list({ limit: 1 });
    expect(entry?.details).toMatchObject({
      name: { before: 'before', after: 'after' },
      visibility: { before: 'private', after: 'public' },
    });
    expect(await update('after', { isArchived: false })).toMatchObject({ isArchived: false });
  });

  it('that changes nothing leaves no trace', async () => {
    await create('quiet');
    const before = await server.store.read.happenings.lastSequence();
    await update('quiet', { description: '' });
    expect(await server.store.read.happenings.lastSequence()).toBe(before);
  });

  it('points HEAD at the new default branch', async () => {
    await create('headed');
    await update('headed', { defaultBranch: 'trunk' });
    const { id } = (await server.store.read.projects.findBySlug('mei', 'headed'))!;
    expect(await readFile(join(server.feature.repository.folder(id), 'HEAD'), 'utf8')).toBe('ref: refs/heads/trunk\n');
  });

  it('refuses patterns that protect nothing, and names that are taken', async () => {
    await create('one');
    await create('two');
    await expect(update('one', { protectedRefs: ['release/['] })).rejects.toMatchObject({ code: 'REQUEST_INVALID' });
    await expect(update('one', { name: 'two' })).rejects.toMatchObject({ code: 'PROJECT_EXISTS' });
    await expect(update('one', { name: '../two' })).rejects.toMatchObject({ code: 'NAME_INVALID' });
  });
});

describe('Members', () => {
  const set = async (
    project: string,
    name: string,
    role: 'read' | 'write' | 'admin' | 'owner',
    who: keyof typeof actors = 'mei',
  ) => operations.setMember({ params: { ...path(project), name }, query: undefined, body: { role } }, await as(who));
  const remove = async (project: string, name: string, who: keyof typeof actors = 'mei') =>
    operations.removeMember({ params: { ...path(project), name }, query: undefined, body: undefined }, await as(who));
  const list = async (project: string) =>
    (await operations.listMembers({ params: path(project), query: undefined, body: undefined }, await as('mei'))).items;

  it('come and go', async () => {
    await create('club');
    expect(await set('club', 'wei', 'write')).toEqual({ name: 'wei', role: 'write', from: 'project' });
    expect(await list('club')).toEqual([
      { name: 'mei', role: 'owner', from: 'owner' },
      { name: 'wei', role: 'write', from: 'project' },
    ]);
    await remove('club', 'wei');
    expect(await list('club')).toHaveLength(1);
    await expect(remove('club', 'wei')).rejects.toMatchObject({ code: 'MEMBER_NOT_FOUND' });
    await expect(set('club', 'ghost', 'read')).rejects.toMatchObject({ code: 'PERSON_NOT_FOUND' });
  });

  it('cannot give more than they have, nor change who is above them', async () => {
    await create('ranks');
    await set('ranks', 'wei', 'admin');
    await expect(set('ranks', 'wei', 'owner', 'wei')).rejects.toMatchObject({ code: 'ACCESS_DENIED' });
    await expect(set('ranks', 'mei', 'read', 'wei')).rejects.toMatchObject({ code: 'ACCESS_DENIED' });
    await expect(remove('ranks', 'mei', 'wei')).rejects.toMatchObject({ code: 'MEMBER_NOT_FOUND' });
    await set('ranks', 'wei', 'owner', 'root');
  });
});

describe('listProjects', () => {
  it('shows each what they may see', async () => {
    await create('open', { visibility: 'public' });
    await create('inside', { visibility: 'internal' });
    await create('closed');
    const names = async (who: keyof typeof actors): Promise<string[]> => {
      const query = { limit: 100, owner: 'mei' };
      return (await operations.listProjects({ params: undefined, query, body: undefined }, await as(who))).items.map(
        ({ name }) => name,
      );
    };
    expect(await names('mei')).toEqual(expect.arrayContaining(['open', 'inside', 'closed']));
    const wei = await names('wei');
    expect(wei).toEqual(expect.arrayContaining(['open', 'inside']));
    expect(wei).not.toContain('closed');
    const nobody = await names('nobody');
    expect(nobody).toContain('open');
    expect(nobody).not.toContain('inside');
  });
});

describe('Browsing', () => {
  let first = '';
  let last = '';
  const at = (project: string, query: object) => ({ params: path(project), query: query as never, body: undefined });

  beforeAll(async () => {
    await create('shop');
    await mustGit(['init', '--quiet'], tree);
    await mkdir(join(tree, 'src/deep'), { recursive: true });
    await writeFile(join(tree, 'README.md'), '# Shop\n');
    await writeFile(join(tree, 'src/deep/a b.txt'), 'deep\n');
    await writeFile(join(tree, 'bytes.bin'), Buffer.from([1, 0, 2]));
    await symlink('README.md', join(tree, 'link'));
    await mustGit(['add', '.'], tree);
    await mustGit(['commit', '--quiet', '-m', 'Begin\n\nWith a body.'], tree);
    first = await mustGit(['rev-parse', 'HEAD'], tree);
    await writeFile(join(tree, 'README.md'), '# Shop, with more\n');
    await mustGit(['commit', '--quiet', '-am', 'Say more'], tree);
    last = await mustGit(['rev-parse', 'HEAD'], tree);
    await mustGit(['tag', '-a', '-m', 'one', 'v1', first], tree);
    await mustGit(['push', '--quiet', `${server.url.replace('://', '://mei:x@')}/mei/shop.git`, 'main', 'v1'], tree);
  });

  it('lists folders before files, with their kinds and sizes', async () => {
    const { items, commit } = await operations.getTree(at('shop', { path: '' }), await as('mei'));
    expect(commit).toBe(last);
    expect(items).toEqual([
      { name: 'src', kind: 'folder', sizeBytes: null },
      { name: 'README.md', kind: 'file', sizeBytes: 18 },
      { name: 'bytes.bin', kind: 'file', sizeBytes: 3 },
      { name: 'link', kind: 'link', sizeBytes: 9 },
    ]);
  });

  it('shows a file at a branch, a tag, a commit and the beginning of one', async () => {
    const text = async (revision: string | undefined): Promise<string | null> =>
      (await operations.getFile(at('shop', { at: revision, path: 'README.md' }), await as('mei'))).text;
    expect(await text(undefined)).toBe('# Shop, with more\n');
    expect(await text('main')).toBe('# Shop, with more\n');
    expect(await text('v1')).toBe('# Shop\n');
    expect(await text('refs/tags/v1')).toBe('# Shop\n');
    expect(await text(first)).toBe('# Shop\n');
    expect(await text(first.slice(0, 8))).toBe('# Shop\n');
    const file = await operations.getFile(at('shop', { path: 'src/deep/a b.txt' }), await as('mei'));
    expect(file.text).toBe('deep\n');
  });

  it('shows no text where there is none', async () => {
    expect(await operations.getFile(at('shop', { path: 'bytes.bin' }), await as('mei'))).toMatchObject({
      text: null,
      sizeBytes: 3,
    });
  });

  it('pages through commits, also those of one path', async () => {
    const one = await operations.listCommits(at('shop', { limit: 1 }), await as('mei'));
    expect(one.items.map(({ subject }) => subject)).toEqual(['Say more']);
    const two = await operations.listCommits(at('shop', { limit: 1, after: one.next }), await as('mei'));
    expect(two.items).toMatchObject([
      { id: first, subject: 'Begin', message: 'Begin\n\nWith a body.\n', authorName: 'Mei' },
    ]);
    expect(two.next).toBeNull();
    const deep = await operations.listCommits(at('shop', { limit: 9, path: 'src/deep' }), await as('mei'));
    expect(deep.items.map(({ id }) => id)).toEqual([first]);
  });

  it('lists branches and tags, a tag with the commit behind it', async () => {
    const { items } = await operations.listRefs(at('shop', {}), await as('mei'));
    expect(items).toEqual([
      { name: 'main', kind: 'branch', ref: 'refs/heads/main', commit: last },
      { name: 'v1', kind: 'tag', ref: 'refs/tags/v1', commit: first },
    ]);
  });

  it.each([
    '--output=/tmp/x',
    '-c',
    '--exec=x',
    'main~1',
    'main^',
    '@{-1}',
    '@',
    ':/Begin',
    'main:README.md',
    'main\nmain',
    'main..v1',
    '^main',
    'refs/heads/../heads/main',
    '*',
    '\u0000',
    'HEAD~1',
    'FETCH_HEAD',
    'config',
    '/etc/passwd',
    'a'.repeat(300),
  ])('finds nothing under the revision %j', async (revision) => {
    await expect(operations.getTree(at('shop', { at: revision, path: '' }), await as('mei'))).rejects.toMatchObject({
      code: 'REF_NOT_FOUND',
    });
    await expect(operations.listCommits(at('shop', { at: revision, limit: 3 }), await as('mei'))).rejects.toMatchObject(
      { code: 'REF_NOT_FOUND' },
    );
  });

  it.each([
    '../config',
    '/README.md',
    'src/../README.md',
    'src//deep',
    './README.md',
    'README.md/',
    'link/x',
    'src',
    'nothing',
    '\u0000',
    'a\nb',
    ':(top)README.md',
    '.git/config',
  ])('finds no file under the path %j', async (hostile) => {
    await expect(operations.getFile(at('shop', { path: hostile }), await as('mei'))).rejects.toMatchObject({
      code: 'PATH_NOT_FOUND',
    });
  });

  it('treats a path with magic as the name that it is', async () => {
    const { items } = await operations.listCommits(
      at('shop', { limit: 9, path: ':(exclude)README.md' }),
      await as('mei'),
    );
    expect(items).toEqual([]);
  });

  it('of an empty project is no mistake', async () => {
    await create('hollow');
    expect(await operations.listCommits(at('hollow', { limit: 9 }), await as('mei'))).toEqual({
      items: [],
      next: null,
    });
    expect(await operations.listRefs(at('hollow', {}), await as('mei'))).toEqual({ items: [], next: null });
    await expect(operations.getTree(at('hollow', { path: '' }), await as('mei'))).rejects.toMatchObject({
      code: 'REF_NOT_FOUND',
    });
  });
});
