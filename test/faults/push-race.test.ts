import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { zeroObject } from '../../src/features/code/push-commands.ts';
import { addPerson, addProject, type CodeServer, gitClient, mustGit, startCodeServer } from '../support/code-server.ts';
import { makeTree } from '../support/killable-code-server.ts';
import { pushBody, rawPush } from '../support/raw-push.ts';

let server: CodeServer;
beforeAll(async () => {
  server = await startCodeServer();
  await addPerson(server.store, 'mei');
});
afterAll(() => server.stop());

let count = 0;
async function world() {
  count += 1;
  const mei = await server.store.read.people.findByName('mei');
  const project = await addProject(server.store, mei!, `race-${count}`);
  const tree = await mkdtemp(join(tmpdir(), 'gantry-race-'));
  onTestFinished(() => rm(tree, { recursive: true, force: true }));
  const url = `${server.url.replace('://', '://mei:x@')}/mei/${project.name}.git`;
  const { first, commit } = await makeTree(tree);
  await mustGit(['push', '--quiet', url, 'main'], tree);
  const folder = server.feature.repository.folder(project.id);
  return { project, tree, url, first, commit, folder };
}

describe('100 pushes to one reference at once', () => {
  it('have one winner for each value, and the winner alone has an event', async () => {
    const { project, tree, url, first, folder } = await world();
    const bodies = await Promise.all(
      Array.from({ length: 100 }, async (_, n) => {
        const after = await mustGit(['commit-tree', '-p', first, '-m', `try ${n}`, `${first}^{tree}`], tree);
        return { after, body: await pushBody(tree, { ref: 'refs/heads/main', before: first, after }) };
      }),
    );
    const answers = await Promise.all(
      bodies.map(async ({ after, body }) => {
        const push = rawPush(url);
        push.send(body);
        push.end();
        return { after, answer: await push.answer };
      }),
    );
    const winners = answers.filter(({ answer }) => answer?.text.includes('ok refs/heads/main'));
    expect(answers.every(({ answer }) => answer?.status === 200)).toBe(true);
    expect(winners).toHaveLength(1);
    const events = await server.store.read.events.listByProject(project.id, 1_000);
    expect(events.map(({ before, after }) => [before, after])).toEqual([
      [first, winners[0]?.after],
      [zeroObject, first],
    ]);
    expect(await server.store.read.events.listIntents()).toEqual([]);
    expect(await server.feature.reconcile()).toEqual([]);
    expect(await server.feature.lookThroughRefs()).toEqual([]);
    expect(await mustGit(['--git-dir', folder, 'fsck', '--full', '--strict', '--no-dangling'], tree)).toBe('');
  });

  it('that follow each other keep the order of their events', async () => {
    const { project, tree, url, first } = await world();
    let at = first;
    for (let n = 0; n < 20; n += 1) {
      const steps = [];
      const next = await mustGit(['commit-tree', '-p', at, '-m', `step ${n}`, `${first}^{tree}`], tree);
      // Two pushers with the same commit, one with the old value again.
      for (const step of [
        { before: at, after: next },
        { before: at, after: next },
        { before: zeroObject, after: next },
      ]) {
        const push = rawPush(url);
        push.send(await pushBody(tree, { ref: 'refs/heads/main', ...step }));
        push.end();
        steps.push(push.answer);
      }
      const won = (await Promise.all(steps)).filter((answer) => answer?.text.includes('ok refs/heads/main'));
      expect(won).toHaveLength(1);
      at = next;
    }
    const events = (await server.store.read.events.listByProject(project.id, 100)).toReversed();
    expect(events).toHaveLength(21);
    events.forEach((event, index) => expect(event.before).toBe(index === 0 ? zeroObject : events[index - 1]?.after));
  });
});

describe('A push whose client is killed', () => {
  it.each([0.1, 0.5, 0.99])(
    'after %d of its pack leaves no reference, no quarantine, no intent and no event',
    async (share) => {
      const { project, tree, url, first, folder, commit } = await world();
      await writeFile(join(tree, 'large.bin'), randomBytes(400_000));
      const after = await commit('large');
      const body = await pushBody(tree, { ref: 'refs/heads/main', before: first, after });
      const push = rawPush(url);
      push.send(body.subarray(0, Math.floor(body.length * share)));
      const hasBegun = async (): Promise<boolean> => (await server.store.read.events.listIntents()).length > 0;
      if (share > 0.2) while (!(await hasBegun())) await pause(2);
      push.cut();
      expect(await push.answer).toBeUndefined();
      while (await hasBegun()) await pause(2);
      expect((await server.feature.repository.refs(project.id)).map(({ object }) => object)).toEqual([first]);
      expect(await server.store.read.events.listByProject(project.id, 10)).toHaveLength(1);
      expect((await readdir(join(folder, 'objects'))).filter((name) => name.startsWith('tmp_'))).toEqual([]);
      const packs = await readdir(join(folder, 'objects/pack'));
      expect(packs.filter((name) => name.startsWith('tmp_'))).toEqual([]);
      expect(await server.feature.reconcile()).toEqual([]);
    },
  );
});

describe('A reference that somebody moved on the disk', () => {
  it('is recorded once as a push by "unknown", and leaves pushes through the server alone', async () => {
    const { project, tree, url, first, folder, commit } = await world();
    expect(await server.feature.lookThroughRefs()).toEqual([]);
    await mustGit(['--git-dir', folder, 'update-ref', 'refs/heads/side', first], tree);
    expect(await server.feature.lookThroughRefs()).toHaveLength(1);
    expect(await server.feature.lookThroughRefs()).toEqual([]);
    const [event] = await server.store.read.events.listByProject(project.id, 1);
    expect(event).toMatchObject({ ref: 'refs/heads/side', before: zeroObject, after: first, personName: 'unknown' });
    await commit('more');
    await mustGit(['push', '--quiet', url, 'main'], tree);
    expect(await server.feature.lookThroughRefs()).toEqual([]);
  });
});

describe('A hook that cannot ask', () => {
  it('refuses the push: whatever goes wrong, nothing passes', async () => {
    const { project, tree, url, first, commit } = await world();
    const wei = await addPerson(server.store, 'wei');
    await server.store.write(async (stores) => {
      await stores.projects.setRole(project.id, wei.id, 'write');
      await stores.projects.update({ ...project, protectedRefs: ['main'] });
    });
    await commit('forward');
    const hook = join(server.dataFolder, 'hooks/pre-receive');
    const program = await readFile(hook, 'utf8');
    onTestFinished(() => writeFile(hook, program));
    await writeFile(hook, program.replace('GANTRY_HOOK_SOCKET', 'GANTRY_NO_SOCKET'));
    const run = await gitClient(['push', url.replace('mei:x', 'wei:x'), 'main'], tree);
    expect(run.exitCode).not.toBe(0);
    expect(run.stderr).toMatch(/the server cannot be reached/);
    expect((await server.feature.repository.refs(project.id)).map(({ object }) => object)).toEqual([first]);
  });
});
