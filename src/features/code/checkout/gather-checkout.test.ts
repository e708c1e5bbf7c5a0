import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { addPerson, addProject, type CodeServer, startCodeServer } from '../../../../test/support/code-server.ts';
import type { CheckoutReader, CheckoutRequest, GatheredCheckout } from '../../../core/checkout.ts';
import type { GitCredentials } from '../../../core/git-login.ts';
import type { Person } from '../../../core/person.ts';
import type { Project } from '../../../core/project.ts';
import { AddressGuard } from '../../../lib/address-guard.ts';

const loopback = ['127.0.0.0/8'];

let here: CodeServer;
let there: CodeServer;
let [mei, bo]: [Person, Person] = [undefined!, undefined!];
let logins: GitCredentials[] = [];
let top: Project;

beforeAll(async () => {
  there = await startCodeServer();
  here = await startCodeServer({
    deps: { foreign: { guard: new AddressGuard(loopback), logins: async () => logins } },
  });
  [mei, bo] = [await addPerson(here.store, 'mei'), await addPerson(here.store, 'bo')];
  top = await projectOf(here, mei, 'top');
});
afterAll(async () => {
  await here.stop();
  await there.stop();
});

async function projectOf(
  server: CodeServer,
  owner: Person,
  name: string,
  visibility: 'private' | 'public' = 'private',
) {
  const project = await addProject(server.store, owner, name, { visibility });
  await server.feature.checkouts
    .gather(
      {
        projectId: project.id,
        readers: [{ personId: owner.id, personName: owner.name }],
        mayUseLogins: false,
        plan: { isDisabled: false, depth: 0, remote: `${server.url}/${owner.name}/${name}.git` },
        source: sourceOf(server, project, 'f'.repeat(40)),
      },
      () => {},
      new AbortController().signal,
    )
    .catch(() => undefined); // It makes the repository; there is nothing in it yet.
  return project;
}

const git = (folder: string, args: readonly string[], input = ''): string =>
  execFileSync('git', [`--git-dir=${folder}`, '-c', 'user.name=Ada', '-c', 'user.email=ada@example.org', ...args], {
    encoding: 'utf8',
    input,
    env: { PATH: process.env['PATH'], GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_NOSYSTEM: '1', HOME: '/nonexistent' },
    stdio: ['pipe', 'pipe', 'pipe'],
  }).trim();

type Entries = Readonly<Record<string, string | { readonly submodule: string } | { readonly link: string }>>;

/** A commit on a branch of a project, with files, links and submodules at whatever path. */
function commitTo(server: CodeServer, project: Project, entries: Entries, branch = 'main'): string {
  const folder = server.feature.repository.folder(project.id);
  const treeOf = (all: Entries): string => {
    const folders = new Map<string, Record<string, Entries[string]>>();
    const lines: string[] = [];
    for (const [path, entry] of Object.entries(all)) {
      const [first = '', ...rest] = path.split('/');
      if (rest.length > 0) folders.set(first, { ...folders.get(first), [rest.join('/')]: entry });
      else if (typeof entry === 'string')
        lines.push(`100644 blob ${git(folder, ['hash-object', '-w', '--stdin'], entry)}\t${path}`);
      else if ('link' in entry)
        lines.push(`120000 blob ${git(folder, ['hash-object', '-w', '--stdin'], entry.link)}\t${path}`);
      else lines.push(`160000 commit ${entry.submodule}\t${path}`);
    }
    for (const [name, inner] of folders) lines.push(`040000 tree ${treeOf(inner)}\t${name}`);
    return git(folder, ['mktree', '--missing'], `${lines.join('\n')}\n`);
  };
  const commit = git(folder, ['commit-tree', '-m', 'A commit', treeOf(entries)]);
  git(folder, ['update-ref', `refs/heads/${branch}`, commit]);
  return commit;
}

function sourceOf(server: CodeServer, project: Project, commit: string): CheckoutRequest['source'] {
  return {
    folder: server.feature.repository.folder(project.id),
    remoteUrl: `${server.url}/${project.ownerName}/${project.name}.git`,
    commit,
    ref: 'refs/heads/main',
    branch: 'main',
  };
}

const gitmodules = (modules: Readonly<Record<string, string>>, names: Readonly<Record<string, string>> = {}): string =>
  Object.entries(modules)
    .map(([path, url]) => `[submodule "${names[path] ?? path}"]\n\tpath = ${path}\n\turl = ${url}\n`)
    .join('');

async function gather(
  commit: string,
  more: Omit<Partial<CheckoutRequest>, 'plan' | 'readers'> & {
    readonly reader?: Partial<CheckoutReader>;
    /** Ran it again. */
    readonly other?: CheckoutReader;
    readonly plan?: Partial<CheckoutRequest['plan']>;
    readonly notes?: string[];
  } = {},
): Promise<GatheredCheckout> {
  return here.feature.checkouts.gather(
    {
      projectId: top.id,
      readers: [{ personId: mei.id, personName: 'mei', ...more.reader }, ...(more.other ? [more.other] : [])],
      mayUseLogins: true,
      source: sourceOf(here, top, commit),
      ...more,
      plan: { isDisabled: false, depth: 0, isRecursive: true, ...more.plan },
    },
    (line) => void more.notes?.push(line),
    new AbortController().signal,
  );
}

describe('submodules that are projects of this Gantry', () => {
  it('are found by relative and whole URLs, and those in them', async () => {
    const inner = await projectOf(here, mei, 'inner');
    const innerCommit = commitTo(here, inner, { 'inner.txt': 'inner' });
    const lib = await projectOf(here, mei, 'lib');
    const libCommit = commitTo(here, lib, {
      '.gitmodules': gitmodules({ inner: `${here.url}/mei/inner` }),
      inner: { submodule: innerCommit },
    });
    const commit = commitTo(here, top, {
      '.gitmodules': gitmodules({ 'deps/lib': '../lib.git' }),
      'deps/lib': { submodule: libCommit },
    });
    expect((await gather(commit)).submodules).toEqual([
      {
        name: 'deps/lib',
        path: 'deps/lib',
        parent: '',
        folder: here.feature.repository.folder(lib.id),
        commit: libCommit,
        remoteUrl: `${here.url}/mei/lib.git`,
      },
      {
        name: 'inner',
        path: 'deps/lib/inner',
        parent: 'deps/lib',
        folder: here.feature.repository.folder(inner.id),
        commit: innerCommit,
        remoteUrl: `${here.url}/mei/inner.git`,
      },
    ]);
    expect((await gather(commit, { plan: { isRecursive: undefined! } })).submodules).toEqual([]);
  });

  it('are there only for those who may read them, and nobody else learns that they exist', async () => {
    const secret = await projectOf(here, mei, 'secret');
    const open = await projectOf(here, mei, 'open', 'public');
    const [secretCommit, openCommit] = [commitTo(here, secret, { a: 'a' }), commitTo(here, open, { a: 'a' })];
    const commit = commitTo(here, top, {
      '.gitmodules': gitmodules({ s: '../secret.git' }),
      s: { submodule: secretCommit },
    });
    expect((await gather(commit)).submodules).toHaveLength(1);
    const asBo = { reader: { personId: bo.id, personName: 'bo' } };
    const words = (url: string, slug: string): object => ({
      code: 'CHECKOUT_REFUSED',
      message: `Cannot check out the submodule "s" (${url}): there is no project ${slug}, or bo may not read it. Give bo the role "read" there, or change the URL`,
    });
    await expect(gather(commit, asBo)).rejects.toMatchObject(words('../secret.git', 'mei/secret'));
    const none = commitTo(here, top, {
      '.gitmodules': gitmodules({ s: '../none.git' }),
      s: { submodule: secretCommit },
    });
    await expect(gather(none, asBo)).rejects.toMatchObject(words('../none.git', 'mei/none'));
    // Nobody in particular: what all who may read the one may read too.
    await expect(gather(commit, { reader: { personId: undefined } })).rejects.toThrow(
      'nobody in particular caused this run',
    );
    const visible = commitTo(here, top, {
      '.gitmodules': gitmodules({ s: '../open.git' }),
      s: { submodule: openCommit },
    });
    expect((await gather(visible, { reader: { personId: undefined } })).submodules).toHaveLength(1);
    expect((await gather(visible, asBo)).submodules).toHaveLength(1);
    // By a token that is limited to projects: those, and what all may read who read the project.
    await expect(gather(commit, { reader: { tokenProjectIds: [top.id] } })).rejects.toThrow(
      'there is no project mei/secret, or mei may not read it by a token that is limited to some projects',
    );
    expect((await gather(commit, { reader: { tokenProjectIds: [top.id, secret.id] } })).submodules).toHaveLength(1);
    expect((await gather(visible, { reader: { tokenProjectIds: [top.id] } })).submodules).toHaveLength(1);
    const both = { reader: { ...asBo.reader, tokenProjectIds: [top.id, secret.id] } };
    await expect(gather(commit, both)).rejects.toMatchObject({ code: 'CHECKOUT_REFUSED' });
  });

  it('are there only where whoever ran it again may read them too', async () => {
    const kept = await projectOf(here, mei, 'kept');
    const commit = commitTo(here, top, {
      '.gitmodules': gitmodules({ s: '../kept.git' }),
      s: { submodule: commitTo(here, kept, { a: 'a' }) },
    });
    const [first, limits] = [{ personId: mei.id, personName: 'mei' }, { tokenProjectIds: [top.id] }];
    expect((await gather(commit, { other: first })).submodules).toHaveLength(1);
    await expect(gather(commit, { other: { ...first, ...limits } })).rejects.toThrow(
      'there is no project mei/kept, or mei may not read it by a token that is limited to some projects',
    );
    // Who of them it is nobody is told, so that nobody learns whether the project is there.
    const other = { personId: bo.id, personName: 'bo' };
    const words = 'or mei or bo may not read it. Give mei or bo the role "read" there, or change the URL';
    await expect(gather(commit, { other })).rejects.toThrow(`there is no project mei/kept, ${words}`);
    const none = commitTo(here, top, {
      '.gitmodules': gitmodules({ s: '../nowhere.git' }),
      s: { submodule: commit },
    });
    await expect(gather(none, { other })).rejects.toThrow(`there is no project mei/nowhere, ${words}`);
  });

  it('do not hand out commits that no reference leads to any more', async () => {
    const project = await projectOf(here, mei, 'rewritten');
    const taken = commitTo(here, project, { password: 'hunter2' });
    commitTo(here, project, { password: 'none' });
    const commit = commitTo(here, top, {
      '.gitmodules': gitmodules({ r: '../rewritten.git' }),
      r: { submodule: taken },
    });
    await expect(gather(commit)).rejects.toThrow(`${here.url}/mei/rewritten.git has no commit ${taken}`);
  });

  it('may have another URL by their name', async () => {
    const lib = (await here.store.read.projects.findBySlug('mei', 'lib'))!;
    const libCommit = git(here.feature.repository.folder(lib.id), ['rev-parse', 'main']);
    const commit = commitTo(here, top, {
      '.gitmodules': gitmodules({ x: 'git@git.example:mei/lib.git' }, { x: 'lib by name' }),
      x: { submodule: libCommit },
    });
    const overrides = { 'lib by name': `${here.url}/mei/lib.git` };
    expect((await gather(commit, { plan: { overrides } })).submodules[0]).toMatchObject({
      path: 'x',
      name: 'lib by name',
    });
  });
});

describe('a submodule is refused', () => {
  const refuse = async (entries: Entries): Promise<string> => {
    const error: unknown = await gather(commitTo(here, top, entries)).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'CHECKOUT_REFUSED' });
    return (error as Error).message;
  };
  const commit = 'c'.repeat(40);

  it.each([
    ['file:///etc', 'uses "file:"'],
    ['/etc', 'is not fetched over HTTP'],
    ['ssh://git@git.example/x.git', 'is not fetched over HTTP'],
    ['git@git.example:x.git', 'is not fetched over HTTP'],
    ['git://git.example/x.git', 'uses "git:"'],
    ['ext::sh -c touch% /tmp/x', 'space or a control character'],
    ['ext::sh', 'uses "ext:"'],
    ['--upload-pack=x', 'begins with "-"'],
    ['https://name:password@git.example/x.git', 'has a password in it'],
    ['../../../../etc.git', 'leads out of'],
    ['./x/../../y.git', 'leads out of'],
  ])('with the URL %s', async (url, because) => {
    const message = await refuse({ '.gitmodules': gitmodules({ s: url }), s: { submodule: commit } });
    expect(message).toContain('Cannot check out the submodule "s"');
    expect(message).toContain(because);
    expect(message).not.toContain('password@');
  });

  it.each(['../evil', 'a/../../evil', '.git/modules', '.GIT/x', 'git~1/x', '-x', 'a\\\\b'])(
    'with the name %s',
    async (name) => {
      const text = `[submodule "${name}"]\n\tpath = s\n\turl = ../lib.git\n`;
      expect(await refuse({ '.gitmodules': text, s: { submodule: commit } })).toContain('cannot be the name');
    },
  );

  it.each(['../s', '/s', '.git/s', '.git./s', 'a//s', '-s', 'a/.GIT/s', '"s\r"'])('with the path %s', async (path) => {
    const text = `[submodule "s"]\n\tpath = ${path}\n\turl = ../lib.git\n`;
    expect(await refuse({ '.gitmodules': text, s: { submodule: commit } })).toContain('of the submodule "s"');
  });

  it('when two of them would lie in one another, or ".gitmodules" is a link', async () => {
    const nested = gitmodules({ a: '../lib.git', b: '../lib.git' }, { b: 'a/modules/x' });
    expect(await refuse({ '.gitmodules': nested, a: { submodule: commit }, b: { submodule: commit } })).toContain(
      'would lie in one another',
    );
    expect(await refuse({ '.gitmodules': { link: 'other' }, other: gitmodules({ a: '../lib.git' }) })).toContain(
      'not an ordinary file',
    );
  });

  it('when there are too many, or too deep ones', async () => {
    const lib = (await here.store.read.projects.findBySlug('mei', 'lib'))!;
    const plain = commitTo(here, lib, { a: 'a' });
    const paths = Array.from({ length: 101 }, (_, index) => `s${index}`);
    const many = Object.fromEntries(paths.map((path) => [path, { submodule: plain }]));
    const urls = Object.fromEntries(paths.map((path) => [path, '../lib.git']));
    expect(await refuse({ '.gitmodules': gitmodules(urls), ...many })).toContain('more than 100');
    let deep = plain;
    for (let level = 0; level < 9; level += 1)
      deep = commitTo(
        here,
        lib,
        { '.gitmodules': gitmodules({ s: '../lib.git' }), s: { submodule: deep } },
        `l${level}`,
      );
    expect(await refuse({ '.gitmodules': gitmodules({ s: '../lib.git' }), s: { submodule: deep } })).toContain(
      'more than 8 levels down',
    );
  });

  it('is not where a link of the tree leads: what the tree has not is left out', async () => {
    const text = gitmodules({ 'link/s': '../lib.git' });
    const linked = commitTo(here, top, { '.gitmodules': text, link: { link: '.git/hooks' } });
    expect((await gather(linked)).submodules).toEqual([]);
  });
});

describe('repositories of other hosts', () => {
  let wei: Person;
  let hidden: Project;
  let hiddenCommit: string;
  let openCommit: string;
  let otherCommit: string;

  beforeAll(async () => {
    wei = await addPerson(there.store, 'wei');
    hidden = await projectOf(there, wei, 'hidden');
    const open = await projectOf(there, wei, 'open', 'public');
    hiddenCommit = commitTo(there, hidden, { a: 'hidden' });
    openCommit = commitTo(there, open, { a: 'open' });
    otherCommit = commitTo(there, open, { a: 'other' }, 'other');
  });

  const topWith = (url: string, commit: string): string =>
    commitTo(here, top, { '.gitmodules': gitmodules({ s: url }), s: { submodule: commit } });
  const host = (): string => new URL(there.url).host;

  it('are fetched once, and are there from then on', async () => {
    const commit = topWith(`${there.url}/wei/open.git`, openCommit);
    const notes: string[] = [];
    const [first] = (await gather(commit, { notes })).submodules;
    const [again] = (await gather(commit, { notes })).submodules;
    expect(notes).toEqual([`Fetching ${there.url}/wei/open.git`]);
    expect(again).toEqual(first);
    expect(git(first!.folder, ['cat-file', '-p', `${openCommit}:a`])).toBe('open');
    expect(first!.remoteUrl).toBe(`${there.url}/wei/open.git`);
  });

  it('are fetched with the login for their host, which is written nowhere', async () => {
    const commit = topWith(`${there.url}/wei/hidden.git`, hiddenCommit);
    logins = [];
    await expect(gather(commit)).rejects.toMatchObject({
      code: 'CHECKOUT_REFUSED',
      message: `Cannot check out the submodule "s" (${there.url}/wei/hidden.git): ${host()} asks for a login. Keep one in the settings under "Git logins", or with: gantry git-login set ${host()} --username NAME`,
    });
    logins = [{ host: host(), username: 'nobody', password: 'canary-5f1c' }];
    await expect(gather(commit)).rejects.toThrow(`${host()} does not take the login "nobody"`);
    logins = [{ host: host(), username: 'wei', password: 'canary-5f1c' }];
    const notes: string[] = [];
    const gathered = await gather(commit, { notes });
    expect(notes).toEqual([`Fetching ${there.url}/wei/hidden.git as wei`]);
    expect(JSON.stringify([gathered, notes, here.lines])).not.toContain('canary-5f1c');
    const { folder } = gathered.submodules[0]!;
    for (const name of readdirSync(folder, { recursive: true, withFileTypes: true }))
      if (name.isFile()) expect(readFileSync(join(name.parentPath, name.name), 'latin1')).not.toContain('canary-5f1c');
    // Work that is not trusted gets neither the login nor what was fetched with it.
    await expect(gather(commit, { mayUseLogins: false })).rejects.toThrow('this run is given no login');
    logins = [];
    await expect(gather(commit)).rejects.toThrow('asks for a login');
  });

  it('are not reached at addresses that are nobody’s to choose', async () => {
    const closed = await startCodeServer();
    try {
      const owner = await addPerson(closed.store, 'mei');
      const project = await projectOf(closed, owner, 'top');
      const commit = commitTo(closed, project, {
        '.gitmodules': gitmodules({ s: `${there.url}/wei/open.git` }),
        s: { submodule: openCommit },
      });
      const gathering = closed.feature.checkouts.gather(
        {
          projectId: project.id,
          readers: [{ personId: owner.id, personName: 'mei' }],
          mayUseLogins: true,
          source: sourceOf(closed, project, commit),
          plan: { isDisabled: false, depth: 0, isRecursive: true },
        },
        () => {},
        new AbortController().signal,
      );
      await expect(gathering).rejects.toThrow('GANTRY_GIT_ALLOW');
    } finally {
      await closed.stop();
    }
  });

  it('say what is wrong: no such repository, no such commit, a host that is not there', async () => {
    await expect(gather(topWith(`${there.url}/wei/open.git`, 'd'.repeat(40)))).rejects.toThrow(
      `has no commit ${'d'.repeat(40)}`,
    );
    const gone = await startCodeServer();
    await gone.stop();
    await expect(gather(topWith(`${gone.url}/x/y.git`, openCommit))).rejects.toMatchObject({
      code: 'CHECKOUT_UNAVAILABLE',
    });
  });

  it('are checked out in place of the own one: by reference, by branch, and by what their HEAD is', async () => {
    const plan = { isRecursive: undefined!, remote: `${there.url}/wei/open.git` };
    const own = topWith('../lib.git', openCommit);
    expect((await gather(own, { plan: { ...plan, branch: 'other' } })).source).toMatchObject({
      commit: otherCommit,
      branch: 'other',
      remoteUrl: plan.remote,
    });
    expect((await gather(own, { plan: { ...plan, ref: openCommit } })).source.commit).toBe(openCommit);
    expect((await gather(own, { plan })).source.commit).toBe(openCommit);
    await expect(gather(own, { plan: { ...plan, ref: 'refs/tags/none' } })).rejects.toThrow(
      'has no reference "refs/tags/none"',
    );
    await expect(gather(own, { plan: { ...plan, ref: '--upload-pack=x' } })).rejects.toThrow(
      'Cannot check out "--upload-pack=x"',
    );
    expect(existsSync(join(here.dataFolder, 'foreign-repositories', String(top.id)))).toBe(true);
  });
});

describe('the content of LFS', () => {
  const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${'a'.repeat(64)}\nsize 12345\n`;

  it('is refused by the names of its pointers, and where there are none nothing is wrong', async () => {
    const plan = { isRecursive: undefined!, lfsLine: 4 };
    const attributes = '*.bin filter=lfs diff=lfs merge=lfs -text\n';
    const some = commitTo(here, top, { '.gitattributes': attributes, 'deep/b.bin': pointer, 'a.txt': 'text' });
    await expect(gather(some, { plan })).rejects.toThrow(
      '"lfs" in line 4 asks for: Gantry has no store for it, and these files are pointers: deep/b.bin.',
    );
    const none = commitTo(here, top, { '.gitattributes': attributes, 'a.txt': 'text' });
    expect((await gather(none, { plan })).source.commit).toBe(none);
    const looksLikeIt = commitTo(here, top, { 'a.txt': pointer });
    expect((await gather(looksLikeIt, { plan })).source.commit).toBe(looksLikeIt);
  });
});
