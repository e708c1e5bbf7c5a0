import { readdir, readFile, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { gitClient, mustGit } from '../support/code-server.ts';
import { KillableCodeServer, makeTree, straceProblem } from '../support/killable-code-server.ts';

async function world() {
  const server = await KillableCodeServer.make();
  onTestFinished(() => server.remove());
  const tree = join(server.dataFolder, 'tree');
  return { server, tree, ...(await makeTree(tree)) };
}

interface Call {
  readonly name: string;
  readonly path: string;
  readonly line: string;
}

/** What was synced and what was said, in the order of the kernel, over all processes of the server. */
async function readTrace(path: string): Promise<readonly Call[]> {
  const lines = (await readFile(path, 'utf8')).split('\n');
  return lines.flatMap((line) => {
    const [, name = '', file = ''] = /\b(fsync|fdatasync|write|writev|sendto)\(\d+<([^>]*)>/.exec(line) ?? [];
    return name === '' ? [] : [{ name, path: file, line }];
  });
}

/** Does `pushes` under strace, and answers what was synced before the client heard that the last one took `ref`. */
async function syncedBefore(
  server: KillableCodeServer,
  ref: string,
  pushes: () => Promise<unknown>,
): Promise<readonly string[]> {
  const trace = join(server.dataFolder, 'trace');
  const syscalls = 'trace=fsync,fdatasync,write,writev,sendto';
  await server.start({ wrapper: ['strace', '-f', '-y', '-s', '4096', '-e', syscalls, '-o', trace] });
  await pushes();
  await server.stop();
  const calls = await readTrace(trace);
  const said =
    (what: string) =>
    (call: Call): boolean =>
      // git writes its own report with one plain write; the server answers in chunks, with a writev.
      /writev|sendto/.test(call.name) && call.path.startsWith('socket') && call.line.includes(what);
  const end = calls.findLastIndex(said(`ok ${ref}`));
  const begin = calls.slice(0, end).findLastIndex(said('ok refs/'));
  expect(end, 'the report was seen').toBeGreaterThan(0);
  return calls.slice(begin + 1, end).flatMap(({ name, path }) => (/sync/.test(name) ? [path] : []));
}

describe('A push', () => {
  it('has its objects, its reference, their folders and its event on disk before its client hears "ok"', async (context) => {
    const problem = straceProblem();
    if (problem !== undefined) context.skip(problem);
    const { server, tree, commit } = await world();
    let object = '';
    const synced = await syncedBefore(server, 'refs/heads/deep/down', async () => {
      await mustGit(['push', '--quiet', server.remote(), 'main'], tree);
      object = await commit('second');
      await mustGit(['push', '--quiet', server.remote(), 'main:refs/heads/deep/down'], tree);
    });
    const { repository } = server;
    expect(
      synced.some((path) => /tmp_objdir-incoming-.*\/tmp_obj/.test(path)),
      'contents of the objects',
    ).toBe(true);
    expect(synced, 'contents of the reference').toContain(join(repository, 'refs/heads/deep/down.lock'));
    for (const folder of ['refs/heads/deep', 'refs/heads', 'refs', 'objects', `objects/${object.slice(0, 2)}`, '.'])
      expect(synced, `names in ${folder}`).toContain(join(repository, folder));
    // The event comes last: it tells of what is safe already.
    expect(synced.at(-1)).toMatch(/gantry\.db-wal$/);
  });

  it('that only deletes has the folder of its reference synced before "ok"', async (context) => {
    const problem = straceProblem();
    if (problem !== undefined) context.skip(problem);
    const { server, tree } = await world();
    const synced = await syncedBefore(server, 'refs/heads/gone', async () => {
      await mustGit(['push', '--quiet', server.remote(), 'main', 'main:refs/heads/gone'], tree);
      await mustGit(['push', '--quiet', server.remote(), ':refs/heads/gone'], tree);
    });
    expect(synced).toContain(join(server.repository, 'refs/heads'));
    expect(synced).toContain(server.repository);
    expect(synced.at(-1)).toMatch(/gantry\.db-wal$/);
  });
});

describe('What a git that was killed left', () => {
  it('is removed and reported once it is old, and never while it is young', async () => {
    const { server, tree } = await world();
    await server.start();
    await mustGit(['push', '--quiet', server.remote(), 'main'], tree);
    const lock = join(server.repository, 'refs/heads/main.lock');
    await writeFile(lock, '');
    const young = await gitClient(['push', server.remote(), ':main'], tree);
    expect(young.stderr).toMatch(/lock/);
    await server.stop();
    await server.start();
    expect(await readdir(join(server.repository, 'refs/heads'))).toContain('main.lock');
    await server.stop();
    const longAgo = new Date(Date.now() - 3_600_000);
    await utimes(lock, longAgo, longAgo);
    await server.start();
    while ((await readdir(join(server.repository, 'refs/heads'))).includes('main.lock'));
    await mustGit(['push', '--quiet', server.remote(), ':main'], tree);
  });
});
