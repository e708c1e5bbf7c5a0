import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import {
  addPerson,
  addProject,
  type CodeServer,
  gitClient,
  hashObject,
  mustGit,
  startCodeServer,
} from '../../../test/support/code-server.ts';
import type { Person } from '../../core/person.ts';
import { flushPkt, pktLine } from '../../lib/pkt-line.ts';

let server: CodeServer;
let mei: Person;

/** How often somebody was about to push. */
let begun = 0;

beforeAll(async () => {
  server = await startCodeServer({ deps: { onPushBegin: () => void (begun += 1) } });
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

  it('is told of before anything of it arrives, and nothing else is', async () => {
    const { project, tree } = await projectWithTree();
    const before = begun;
    await mustGit(['ls-remote', 'origin'], tree);
    expect(begun).toBe(before);
    await mustGit(['push', '--dry-run', '--quiet', 'origin', 'main'], tree);
    expect(begun).toBe(before + 1);
    expect(await server.store.read.events.listByProject(project.id, 10)).toEqual([]);
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

  it('of another branch than the default one into an empty project makes it the default branch', async () => {
    const { project, tree, url } = await projectWithTree({ protectedRefs: ['main'] });
    await mustGit(['push', '--quiet', 'origin', 'main:master'], tree);
    const after = await server.store.read.projects.find(project.id);
    expect(after).toMatchObject({ defaultBranch: 'master', protectedRefs: ['master'] });
    await mustGit(['clone', '--quiet', url, join(tree, 'clone')], tree);
    expect(await mustGit(['symbolic-ref', 'HEAD'], join(tree, 'clone'))).toBe('refs/heads/master');
    await mustGit(['push', '--quiet', 'origin', 'main:other'], tree);
    expect((await server.store.read.projects.find(project.id))?.defaultBranch).toBe('master');
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

describe('The rule about protected references', () => {
  /** A project with main protected, and wei who may write but not force. */
  async function guarded() {
    const made = await projectWithTree({ protectedRefs: ['main', 'release/*'] });
    const wei = (await server.store.read.people.findByName('wei')) ?? (await addPerson(server.store, 'wei'));
    await server.store.write((stores) => stores.projects.setRole(made.project.id, wei.id, 'write'));
    const asWei = made.url.replace('mei:mei', 'wei:wei');
    await made.commit('second');
    await mustGit(['push', '--quiet', 'origin', 'main', 'main:topic'], made.tree);
    return { ...made, asWei };
  }
  const valueOf = (projectId: number, ref: string) =>
    server.feature.repository.refs(projectId).then((refs) => refs.find(({ name }) => name === ref)?.object);

  it('lets a writer go forward', async () => {
    const { tree, asWei, commit, project } = await guarded();
    const third = await commit('third');
    await mustGit(['push', '--quiet', asWei, 'main'], tree);
    expect(await valueOf(project.id, 'refs/heads/main')).toBe(third);
  });

  it('refuses a writer who rewinds, and says which reference and which role', async () => {
    const { tree, asWei, project, first } = await guarded();
    const before = await valueOf(project.id, 'refs/heads/main');
    const run = await gitClient(['push', '--force', asWei, `${first}:refs/heads/main`], tree);
    expect(run.exitCode).not.toBe(0);
    expect(run.stderr).toMatch(/refs\/heads\/main: it is protected.*"maintain"/);
    expect(await valueOf(project.id, 'refs/heads/main')).toBe(before);
    expect(await server.store.read.events.listIntents()).toEqual([]);
  });

  it('lets a writer rewind what is not protected', async () => {
    const { tree, asWei, project, first } = await guarded();
    await mustGit(['push', '--quiet', '--force', asWei, `${first}:refs/heads/topic`], tree);
    expect(await valueOf(project.id, 'refs/heads/topic')).toBe(first);
  });

  it('refuses a whole push for one reference, and names the reason of each', async () => {
    const { tree, asWei, project, commit } = await guarded();
    await commit('third');
    const run = await gitClient(['push', asWei, 'HEAD:refs/heads/fine', ':refs/heads/main'], tree);
    expect(run.exitCode).not.toBe(0);
    expect(run.stderr).toMatch(/main \(it is protected: deleting it needs the role "maintain"\)/);
    expect(run.stderr).toMatch(/fine \(nothing of this push was taken/);
    expect(await valueOf(project.id, 'refs/heads/fine')).toBeUndefined();
    expect(await valueOf(project.id, 'refs/heads/main')).toBeDefined();
  });

  it('lets the owner rewind and delete', async () => {
    const { tree, url, project, first } = await guarded();
    await mustGit(['push', '--quiet', '--force', url, `${first}:refs/heads/main`], tree);
    await mustGit(['push', '--quiet', url, ':refs/heads/main'], tree);
    expect(await valueOf(project.id, 'refs/heads/main')).toBeUndefined();
  });
});

describe('Smart HTTP', () => {
  const post = (
    path: string,
    type: string,
    body: Uint8Array<ArrayBuffer> | string,
    headers: Record<string, string> = {},
  ) =>
    fetch(`${server.url}${path}`, {
      method: 'POST',
      body,
      headers: { authorization: `Basic ${btoa('mei:mei')}`, 'content-type': type, ...headers },
    });
  const get = (path: string) =>
    fetch(`${server.url}${path}`, { headers: { authorization: `Basic ${btoa('mei:mei')}` } });

  it('refuses when service, path and content type do not say the same', async () => {
    const { project } = await projectWithTree();
    const at = `/mei/${project.name}.git`;
    expect((await post(`${at}/git-upload-pack`, 'application/x-git-receive-pack-request', '0000')).status).toBe(400);
    expect((await post(`${at}/git-receive-pack`, 'application/x-git-upload-pack-request', '0000')).status).toBe(400);
    expect((await post(`${at}/git-receive-pack`, 'text/plain', '0000')).status).toBe(400);
    expect((await get(`${at}/info/refs?service=git-upload-archive`)).status).toBe(404);
    expect((await get(`${at}/info/refs?service=git-upload-pack&service=git-receive-pack`)).status).toBe(404);
  });

  it('serves none of the files that the dumb protocol reads', async () => {
    const { project, tree, first } = await projectWithTree();
    await mustGit(['push', '--quiet', 'origin', 'main'], tree);
    const object = `objects/${first.slice(0, 2)}/${first.slice(2)}`;
    for (const path of [
      'HEAD',
      'config',
      'info/refs',
      'objects/info/packs',
      object,
      'hooks/pre-receive',
      'description',
    ])
      expect((await get(`/mei/${project.name}.git/${path}`)).status, path).toBe(404);
  });

  it('asks who it is before it says anything', async () => {
    const { project } = await projectWithTree();
    for (const service of ['git-upload-pack', 'git-receive-pack']) {
      const response = await fetch(`${server.url}/mei/${project.name}.git/info/refs?service=${service}`);
      expect(response.status).toBe(401);
      expect(response.headers.get('www-authenticate')).toMatch(/^Basic /);
    }
  });

  it('answers the probe before a large push without an event', async () => {
    const { project } = await projectWithTree();
    const response = await post(
      `/mei/${project.name}.git/git-receive-pack`,
      'application/x-git-receive-pack-request',
      '0000',
    );
    expect(response.status).toBe(200);
    expect(await response.text()).toBe('');
    expect(await server.store.read.events.listByProject(project.id, 1)).toEqual([]);
  });

  it('takes a push above the size of one request buffer, with and without compression of the transport', async () => {
    const { project, tree, url } = await projectWithTree();
    await writeFile(join(tree, 'large.bin'), randomBytes(3_000_000));
    await mustGit(['add', '.'], tree);
    await mustGit(['commit', '--quiet', '-m', 'large'], tree);
    await mustGit(['push', '--quiet', 'origin', 'main'], tree);
    const clone = join(tree, 'clone');
    await mustGit(['clone', '--quiet', url, clone], tree);
    expect(await mustGit(['rev-parse', 'HEAD:large.bin'], clone)).toBe(
      await mustGit(['rev-parse', 'HEAD:large.bin'], tree),
    );
    expect(await server.store.read.events.listByProject(project.id, 9)).toHaveLength(1);
  });

  it('refuses a body that inflates beyond its limit', async () => {
    const { project } = await projectWithTree();
    const bomb = new Uint8Array(gzipSync(Buffer.alloc(40 * 2 ** 20)));
    const response = await post(
      `/mei/${project.name}.git/git-upload-pack`,
      'application/x-git-upload-pack-request',
      bomb,
      {
        'content-encoding': 'gzip',
      },
    );
    expect(await response.text()).not.toContain('packfile');
    expect(bomb.length).toBeLessThan(100_000);
  });

  it('keeps what a push asks for with its event, and says which option means nothing', async () => {
    const { project, tree, commit } = await projectWithTree();
    await mustGit(['push', '--quiet', 'origin', 'main'], tree);
    await commit('second');
    const pushed = await gitClient(['push', '-o', 'ci.skip', '-o', 'ci.variable=A=b', 'origin', 'main'], tree);
    expect(pushed.exitCode, pushed.stderr).toBe(0);
    expect(pushed.stderr).toContain(
      'remote: The push option ci.variable=A=b means nothing here: only ci.skip and gantry.no-reuse do',
    );
    expect(pushed.stderr).not.toContain('option ci.skip means');
    const [second, first] = await server.store.read.events.listByProject(project.id, 10);
    expect(second?.pushOptions).toEqual(['ci.skip', 'ci.variable=A=b']);
    expect(first?.pushOptions).toBeUndefined();

    const tooLong = await gitClient(['push', '-o', 'x'.repeat(2_000), 'origin', 'main:other'], tree);
    expect(tooLong.exitCode).not.toBe(0);
  });
});

describe('A hostile push', () => {
  const zero = '0'.repeat(40);
  async function raw(lines: (string | Buffer)[]): Promise<{ status: number; text: string; projectId: number }> {
    const { project, tree, first } = await projectWithTree();
    await mustGit(['push', '--quiet', 'origin', 'main'], tree);
    const pack = Buffer.concat([
      Buffer.from('5041434b0000000200000000', 'hex'),
      createHash('sha1').update(Buffer.from('5041434b0000000200000000', 'hex')).digest(),
    ]);
    const body = Buffer.concat([
      ...lines.map((line) => pktLine(typeof line === 'string' ? line.replaceAll('$FIRST', first) : line)),
      flushPkt,
      pack,
    ]);
    const response = await fetch(`${server.url}/mei/${project.name}.git/git-receive-pack`, {
      method: 'POST',
      body,
      headers: {
        authorization: `Basic ${btoa('mei:mei')}`,
        'content-type': 'application/x-git-receive-pack-request',
      },
    });
    const text = await response.text();
    expect((await server.feature.repository.refs(project.id)).map(({ name }) => name)).toEqual(['refs/heads/main']);
    expect(await server.store.read.events.listByProject(project.id, 9)).toHaveLength(1);
    expect(await server.store.read.events.listIntents()).toEqual([]);
    return { status: response.status, text, projectId: project.id };
  }

  it.each([
    'refs/heads/../../config',
    'refs/heads/..',
    'refs/heads/-h',
    'refs/heads/--upload-pack=touch /tmp/x',
    'refs/heads/x.lock',
    'refs/heads/.hidden',
    'refs/heads/a//b',
    'refs/heads/a\u0007b',
    'refs/heads/@{-1}',
    'refs/heads/a:b',
    'refs/gantry/secret',
    'refs/heads/HEAD',
    `refs/heads/${'a'.repeat(40)}`,
    `refs/heads/${'x'.repeat(300)}`,
    'HEAD',
    'config',
    '/etc/passwd',
    'refs/heads',
  ])('with the reference %j changes nothing and says why', async (ref) => {
    const { status, text } = await raw([`${zero} $FIRST ${ref}\0report-status side-band-64k`]);
    expect(status).toBe(200);
    expect(text).toMatch(/ng .*/);
    expect(text).toMatch(/Cannot push/);
    expect(text).not.toContain('\u0007b to');
  });

  it.each<[string, (string | Buffer)[]]>([
    ['a certificate', ['push-cert\0report-status', 'certificate version 0.1']],
    ['a line that is no command', ['hello there\0report-status']],
    ['the same reference twice', [`${zero} $FIRST refs/heads/a\0report-status`, `${zero} $FIRST refs/heads/a`]],
    ['a newline in a name', [`${zero} $FIRST refs/heads/a\nrefs/heads/b\0report-status`]],
    [
      'capabilities twice',
      [`${zero} $FIRST refs/heads/a\0report-status`, `${zero} $FIRST refs/heads/b\0report-status`],
    ],
    ['upper-case ids', [`${zero} ${'A'.repeat(40)} refs/heads/a\0report-status`]],
    ['no wish to hear of the outcome', [`${zero} $FIRST refs/heads/a\0side-band-64k`]],
    ['another kind of ids', [`${zero} $FIRST refs/heads/a\0report-status object-format=sha256`]],
    ['a deletion of nothing', [`${zero} ${zero} refs/heads/a\0report-status delete-refs`]],
  ])('with %s is not read', async (_, lines) => {
    const { status, text } = await raw(lines);
    expect(status).toBe(400);
    expect(text).toMatch(/^Cannot (read|take) the push/);
  });

  it('with more references than allowed is refused by the number', async () => {
    const lines = Array.from(
      { length: 1_001 },
      (_, i) => `${zero} $FIRST refs/heads/b${i}${i === 0 ? '\0report-status' : ''}`,
    );
    const { status, text } = await raw(lines);
    expect(status).toBe(413);
    expect(text).toMatch(/1000 references/);
  });

  it('with an object that is not there is refused by git', async () => {
    const { status, text } = await raw([`${zero} ${'1'.repeat(40)} refs/heads/a\0report-status`]);
    expect(status).toBe(200);
    expect(text).toMatch(/ng refs\/heads\/a/);
  });
});

describe('Hostile contents', () => {
  /** Commits one entry under a name or mode that a work tree would never make. */
  async function pushTree(entry: (blob: string) => Buffer): Promise<string> {
    const { project, tree } = await projectWithTree();
    const hash = (kind: string, bytes: Buffer) => hashObject(tree, kind, bytes);
    const blob = await hash('blob', Buffer.from('../../etc/passwd'));
    const top = await hash('tree', entry(blob));
    const commit = await mustGit(['commit-tree', '-m', 'evil', top], tree);
    const run = await gitClient(['push', 'origin', `${commit}:refs/heads/evil`], tree);
    expect(run.exitCode).not.toBe(0);
    expect(await server.store.read.events.listByProject(project.id, 9)).toEqual([]);
    expect(await server.feature.repository.refs(project.id)).toEqual([]);
    return run.stderr;
  }
  const entry = (mode: string, name: string) => (blob: string) =>
    Buffer.concat([Buffer.from(`${mode} ${name}\0`), Buffer.from(blob, 'hex')]);

  it.each([
    ['100644', '.git'],
    ['100644', '.GIT'],
    ['100644', 'git~1'],
    ['100644', '.g\u200cit'],
    ['100644', '..'],
    ['100644', '.'],
    ['100644', 'a/b'],
    ['120000', '.gitmodules'],
    ['120000', '.GITMODULES'],
  ])('of mode %s under the name %j are refused by the check of objects', async (mode, name) => {
    expect(await pushTree(entry(mode, name))).toMatch(/fsck|unpack|malformed|invalid/i);
  });
});

describe('git clone, seen by others', () => {
  it('does not find a private project, and finds a public one without a name', async () => {
    const { tree, project } = await projectWithTree();
    await addPerson(server.store, `stranger-${count}`);
    const open = await projectWithTree({ visibility: 'public' });
    await mustGit(['push', '--quiet', 'origin', 'main'], open.tree);
    const as = (name: string, of: string) => `${server.url.replace('://', `://${name}:x@`)}/mei/${of}.git`;
    const run = await gitClient(['clone', as(`stranger-${count - 1}`, project.name), join(tree, 'x')], tree);
    expect(run.stderr).toMatch(/not found/);
    await mustGit(['clone', '--quiet', `${server.url}/mei/${open.project.name}.git`, join(tree, 'y')], tree);
    const push = await gitClient(
      ['push', as(`stranger-${count - 1}`, open.project.name), 'HEAD:refs/heads/x'],
      open.tree,
    );
    expect(push.exitCode).not.toBe(0);
    expect(push.stderr).toMatch(/403|role/);
  });
});
