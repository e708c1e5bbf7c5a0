import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, describe, expect, it, onTestFinished } from 'vitest';
import { gitClient, mustGit } from '../support/code-server.ts';
import { type TestDatabase, testDatabases } from '../support/databases.ts';
import { KillableCodeServer, makeTree, straceProblem } from '../support/killable-code-server.ts';
import { pushBody, rawPush } from '../support/raw-push.ts';

const databases = await testDatabases();
afterAll(async () => {
  for (const database of databases) await database.stop();
});

async function world(database?: TestDatabase): Promise<{
  server: KillableCodeServer;
  tree: string;
  commit: (text: string) => Promise<string>;
  first: string;
}> {
  const server = await KillableCodeServer.make(await database?.create());
  onTestFinished(() => server.remove());
  const tree = join(server.dataFolder, 'tree');
  return { server, tree, ...(await makeTree(tree)) };
}

/** What must hold whenever a server has just started, whatever happened before (I1, I2 of reliability-security 7). */
async function expectSound(server: KillableCodeServer): Promise<void> {
  const { events, intents, lastSeen } = await server.record();
  const refs = await server.refs();
  expect(intents).toEqual([]);
  expect(new Map(lastSeen)).toEqual(refs);
  expect(new Set(events.map(({ key }) => key)).size).toBe(events.length);
  for (const ref of new Set([...refs.keys(), ...events.map((event) => event.ref)])) {
    let value = '0'.repeat(40);
    for (const event of events.filter((one) => one.ref === ref)) {
      expect(event.before, `events of ${ref} follow each other`).toBe(value);
      value = event.after;
    }
    expect(value, `the last event of ${ref} is where it is`).toBe(refs.get(ref) ?? '0'.repeat(40));
  }
  expect(await server.fsck()).toBe('');
  const left = (await readdir(server.repository, { recursive: true })).filter((name) =>
    /\.lock$|tmp_objdir|tmp_/.test(name),
  );
  expect(left).toEqual([]);
}

async function until(is: () => Promise<boolean>): Promise<void> {
  while (!(await is())) await pause(5);
}

describe.each(databases)('A server killed during a push, with its record in $name', (database) => {
  const test = it.skipIf(database.isMissing);

  test.each([
    { at: 'event.afterIntent', moves: false },
    { at: 'ref.afterUpdate', moves: true },
    { at: 'event.beforeCommit', moves: true },
    { at: 'event.afterCommit', moves: true },
  ])('at $at has exactly the events of what happened, once it is back', async ({ at, moves }) => {
    const { server, tree, commit, first } = await world(database);
    await server.start();
    await mustGit(['push', '--quiet', server.remote(), 'main'], tree);
    await server.stop();

    await server.start({ failpoints: `${at}=kill` });
    const second = await commit('second');
    const run = await gitClient(['push', server.remote(), 'main', 'main:topic'], tree);
    expect(run.exitCode, 'the client must not believe that it was taken').not.toBe(0);
    await server.ended();

    await server.start();
    await expectSound(server);
    expect((await server.refs()).get('refs/heads/main')).toBe(moves ? second : first);
    await mustGit(['push', '--quiet', server.remote(), 'main', 'main:topic'], tree);
    await expectSound(server);
    const { events } = await server.record();
    expect(events.filter(({ ref, after }) => ref === 'refs/heads/main' && after === second)).toHaveLength(1);
    expect(events.filter(({ ref }) => ref === 'refs/heads/topic')).toHaveLength(1);
  });

  test.each(['commit.before', 'commit.after'])('at the writer’s %s loses and doubles nothing', async (at) => {
    const { server, tree, first } = await world(database);
    await server.start();
    await server.stop();
    // The 1st commit of a push is its intents, the 2nd the process, the 3rd the events.
    for (const nth of [1, 2, 3]) {
      await server.start({ failpoints: `${at}=kill@${nth}` });
      const run = await gitClient(['push', server.remote(), `${first}:refs/heads/b${nth}`], tree);
      if (run.exitCode === 0) await server.kill();
      await server.ended();
      await server.start();
      await expectSound(server);
      if (run.exitCode === 0) expect((await server.refs()).get(`refs/heads/b${nth}`)).toBe(first);
      await server.stop();
    }
  });

  test('ends a receive-pack that outlived it before anything else, so that references stand still', async () => {
    const { server, tree, first } = await world(database);
    await server.start();
    const pushing = await startStoppedPush(server, tree, first);
    await server.kill();
    expect(await server.gits()).not.toEqual([]);
    await server.start();
    expect(await server.gits()).toEqual([]);
    expect(await pushing.answer).toBeUndefined();
    await expectSound(server);
    expect(await server.refs()).toEqual(new Map());
  });

  test('records the push of a receive-pack that went on without it to its end', async () => {
    const { server, tree, first } = await world(database);
    await server.start();
    const pushing = await startStoppedPush(server, tree, first);
    await server.kill();
    for (const pid of await server.gits()) process.kill(pid, 'SIGCONT');
    await until(async () => (await server.gits()).length === 0);
    expect(await pushing.answer).toBeUndefined();
    const refs = await server.refs();
    await server.start();
    await expectSound(server);
    const { events } = await server.record();
    expect(refs.get('refs/heads/main')).toBe(first);
    expect(events.map(({ after, personName }) => [after, personName])).toEqual([[first, 'mei']]);
  });

  test('again and again under a storm of pushes keeps every acknowledged one, with one event each', async () => {
    const { server, tree, first } = await world(database);
    await server.start();
    await mustGit(['push', '--quiet', server.remote(), 'main'], tree);
    const acknowledged = new Map<string, string>();
    let at = first;
    for (let round = 0; round < 6; round += 1) {
      const pushers = [0, 1, 2].map(async (one) => {
        for (let n = 0; n < 4; n += 1) {
          const to = await mustGit(['commit-tree', '-p', first, '-m', `${round} ${one} ${n}`, `${first}^{tree}`], tree);
          const ref = one === 2 ? 'refs/heads/shared' : `refs/heads/b${one}`;
          const run = await gitClient(['push', '--force', server.remote(), `${to}:${ref}`], tree);
          if (run.exitCode === 0) acknowledged.set(to, ref);
          else return;
          at = to;
        }
      });
      await pause(40 + round * 37);
      await server.kill();
      await Promise.all(pushers);
      await server.start();
      await expectSound(server);
      const { events } = await server.record();
      for (const [after, ref] of acknowledged)
        expect(events.filter((event) => event.after === after && event.ref === ref)).toHaveLength(1);
    }
    expect(at).not.toBe('');
  });

  test('and the reconciler finds nothing while nobody disturbs it', async () => {
    const { server, tree } = await world(database);
    await server.start();
    for (let n = 0; n < 5; n += 1)
      await mustGit(['push', '--quiet', '--force', server.remote(), `main:refs/heads/b${n}`], tree);
    await expectSound(server);
    await server.stop();
    const { events } = await server.record();
    expect(events.filter(({ personName }) => personName === 'unknown')).toEqual([]);
  });
});

describe('Whoever syncs for the n-th time during pushes and is killed there', () => {
  it('server or git, leaves a repository and a record that agree', async (context) => {
    const problem = straceProblem();
    if (problem !== undefined) context.skip(problem);
    const { server, tree, commit } = await world();
    await server.start();
    await mustGit(['push', '--quiet', server.remote(), 'main'], tree);
    await server.stop();
    let kills = 0;
    for (let nth = 1; nth <= 14; nth += 1) {
      const inject = `inject=fsync,fdatasync:signal=SIGKILL:when=${nth}`;
      const wrapper = ['strace', '-f', '-qq', '-e', 'trace=fsync,fdatasync', '-e', inject, '-o', '/dev/null'];
      // The server itself may be killed before it serves.
      const hasStarted = await server.start({ wrapper }).then(
        () => true,
        () => false,
      );
      const acknowledged: string[] = [];
      if (hasStarted) {
        for (const ref of ['refs/heads/main', `refs/heads/deep/${nth}`, `refs/tags/t${nth}`]) {
          const after = await commit(`${nth} ${ref}`);
          const run = await gitClient(['push', '--force', server.remote(), `HEAD:${ref}`], tree);
          if (run.exitCode === 0) acknowledged.push(after);
          else kills += 1;
        }
      } else kills += 1;
      await server.kill();
      await server.start();
      await expectSound(server);
      const { events } = await server.record();
      for (const after of acknowledged) expect(events.filter((event) => event.after === after)).toHaveLength(1);
      await server.stop();
    }
    expect(kills, 'the fault fired').toBeGreaterThan(5);
  });
});

describe('The report of a push', () => {
  it('is held back while its event is not stored', async () => {
    const { server, tree, first } = await world();
    await server.start({ failpoints: 'event.beforeCommit=hang' });
    let hasEnded = false;
    const push = gitClient(['push', server.remote(), 'main'], tree).finally(() => {
      hasEnded = true;
    });
    const isMoved = async (): Promise<boolean> =>
      (await server.refs().catch(() => new Map())).get('refs/heads/main') === first;
    await until(isMoved);
    await pause(300);
    expect(hasEnded).toBe(false);
    await server.kill();
    expect((await push).exitCode).not.toBe(0);
    await server.start();
    await expectSound(server);
  });

  it('of the second of two pushes that follow each other waits for the first, whose event comes first', async () => {
    const { server, tree, commit, first } = await world();
    await server.start({ failpoints: 'ref.afterUpdate=delay:400' });
    const push = gitClient(['push', server.remote(), 'main'], tree);
    await until(async () => (await server.refs().catch(() => new Map())).get('refs/heads/main') === first);
    const second = await commit('second');
    await mustGit(['push', '--quiet', server.remote(), 'main'], tree);
    expect((await push).exitCode).toBe(0);
    await expectSound(server);
    expect((await server.record()).events.map(({ after }) => after)).toEqual([first, second]);
  });
});

/** A push whose receive-pack is stopped before it has the end of its pack, and is given it then. */
async function startStoppedPush(server: KillableCodeServer, tree: string, after: string) {
  const body = await pushBody(tree, { ref: 'refs/heads/main', before: '0'.repeat(40), after });
  const pushing = rawPush(server.remote());
  pushing.send(body.subarray(0, body.length - 8));
  await until(async () => (await server.gits()).length > 0);
  for (const pid of await server.gits()) process.kill(pid, 'SIGSTOP');
  pushing.send(body.subarray(body.length - 8));
  pushing.end();
  // Nothing tells when the last bytes lie in the pipe; should they not, nothing has moved and that is right as well.
  await pause(200);
  return pushing;
}
