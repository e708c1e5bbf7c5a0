import { execFileSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { addPerson, addProject, type CodeServer, mustGit, startCodeServer } from '../../../test/support/code-server.ts';
import { makeTree } from '../../../test/support/killable-code-server.ts';
import { delimiterPkt, flushPkt, pktLine } from '../../lib/pkt-line.ts';

let server: CodeServer;
let tree: string;
let folder: string;
let url: string;

beforeAll(async () => {
  server = await startCodeServer();
  const project = await addProject(server.store, await addPerson(server.store, 'mei'), 'shop');
  folder = server.feature.repository.folder(project.id);
  tree = await mkdtemp(join(tmpdir(), 'gantry-refs-'));
  url = `${server.url.replace('://', '://mei:x@')}/mei/shop.git`;
  await makeTree(tree);
  await mustGit(['ls-remote', url], tree);
});
afterAll(async () => {
  await server.stop();
  await rm(tree, { recursive: true, force: true });
});

const request = (...wanted: string[]): Buffer =>
  Buffer.concat([
    pktLine('command=ls-refs\n'),
    pktLine('agent=git/2.39.5'),
    pktLine('object-format=sha1'),
    delimiterPkt,
    ...wanted.map((line) => pktLine(`${line}\n`)),
    flushPkt,
  ]);

const byGit = (body: Buffer): string =>
  execFileSync('git', ['upload-pack', '--stateless-rpc', folder], {
    input: body,
    env: { ...process.env, GIT_PROTOCOL: 'version=2', GIT_CONFIG_GLOBAL: '/dev/null' },
  }).toString();

async function byServer(body: Buffer): Promise<string> {
  const response = await fetch(`${server.url}/mei/shop.git/git-upload-pack`, {
    method: 'POST',
    body: new Uint8Array(body),
    headers: {
      authorization: `Basic ${btoa('mei:x')}`,
      'content-type': 'application/x-git-upload-pack-request',
      'git-protocol': 'version=2',
    },
  });
  return response.text();
}

const requests: readonly (readonly string[])[] = [
  [],
  ['peel', 'symrefs', 'unborn'],
  ['peel', 'ref-prefix refs/heads/', 'ref-prefix refs/tags/'],
  ['symrefs', 'ref-prefix HEAD', 'ref-prefix refs/tags/n'],
  ['ref-prefix refs/none/'],
];

describe('The list of references', () => {
  it.each(requests)('of an empty repository is what git would answer to %j %j %j', async (...wanted) => {
    expect(await byServer(request(...wanted))).toBe(byGit(request(...wanted)));
  });

  it('is what git would answer for branches, tags, tags of tags, notes, and what is hidden', async () => {
    await mustGit(['tag', 'light'], tree);
    await mustGit(['tag', '-a', '-m', 'one', 'noted'], tree);
    await mustGit(['tag', '-a', '-m', 'two', 'nested', 'noted'], tree);
    await mustGit(['tag', '-a', '-m', 'a tree', 'of-tree', 'HEAD^{tree}'], tree);
    await mustGit(['notes', 'add', '-m', 'a note'], tree);
    await mustGit(['push', '--quiet', url, 'main', 'main:topic/a', '--tags', 'refs/notes/commits'], tree);
    await mustGit(['--git-dir', folder, 'update-ref', 'refs/gantry/kept', 'refs/heads/main'], tree);
    for (const wanted of requests) {
      const answer = await byServer(request(...wanted));
      expect(answer).toBe(byGit(request(...wanted)));
      expect(answer).not.toContain('refs/gantry');
    }
  });

  it('follows each push at once', async () => {
    for (let n = 0; n < 5; n += 1) {
      await mustGit(['push', '--quiet', url, `main:refs/heads/b${n}`], tree);
      expect(await mustGit(['ls-remote', url, `refs/heads/b${n}`], tree)).toContain(`refs/heads/b${n}`);
      await mustGit(['push', '--quiet', url, `:refs/heads/b${n}`], tree);
      expect(await mustGit(['ls-remote', url, `refs/heads/b${n}`], tree)).toBe('');
    }
  });

  it('leaves to git what it does not know', async () => {
    expect(await byServer(request('something-new'))).toMatch(/^$|ERR/);
    expect(await byServer(Buffer.from('0014command=ls-refs\n'))).not.toContain('refs/');
    expect(await byServer(Buffer.from('hello'))).not.toContain('refs/');
  });
});
