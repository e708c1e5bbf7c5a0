import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { mustGit } from '../support/code-server.ts';
import { KillableCodeServer, makeTree, straceProblem } from '../support/killable-code-server.ts';
import { PowerLossReplay, tracedCalls } from '../support/power-loss.ts';

/** Runs pushes under strace; after each the power goes, and what a disk may hold then is compared with what was said. */
describe('The power goes right after a push was acknowledged', () => {
  const steps: readonly [string, (tree: string) => Promise<readonly string[]>][] = [
    ['the first push', async () => ['main']],
    ['a branch in folders of its own', async () => ['main:refs/heads/deep/er/branch']],
    [
      'a push that git keeps as a pack',
      async (tree) => {
        for (let n = 0; n < 150; n += 1) await writeFile(join(tree, `file-${n}`), `${n}`);
        await mustGit(['add', '.'], tree);
        await mustGit(['commit', '--quiet', '-m', 'many'], tree);
        return ['main'];
      },
    ],
    [
      'a tag, a branch and a deletion at once',
      async (tree) => {
        await mustGit(['tag', '-a', '-m', 'one', 'v1'], tree);
        return ['v1', 'main:refs/heads/other', ':refs/heads/deep/er/branch'];
      },
    ],
    ['a deletion alone', async () => [':refs/heads/other']],
  ];

  it('and everything that was said is there: references, objects, deletions', async (context) => {
    const problem = straceProblem();
    if (problem !== undefined) context.skip(problem);
    const server = await KillableCodeServer.make();
    onTestFinished(() => server.remove());
    const tree = join(server.dataFolder, 'tree');
    await makeTree(tree);
    const trace = join(server.dataFolder, 'trace');
    await server.start({
      wrapper: ['strace', '-f', '-y', '-qq', '-s', '4096', '-e', `trace=${tracedCalls}`, '-o', trace],
    });
    const root = join(server.dataFolder, 'repositories');

    for (const [n, [what, prepare]] of steps.entries()) {
      const refspecs = await prepare(tree);
      await mustGit(['push', '--quiet', server.remote(), ...refspecs], tree);
      const expected = await server.refs();
      const lines = await readUntilReport(trace, n + 1);
      const replay = new PowerLossReplay(root);
      replay.take(lines);
      const survivors = join(server.dataFolder, `after-${n}`);
      await replay.writeSurvivors(survivors);
      const repository = join(survivors, `${server.projectId}.git`);
      for (const file of ['HEAD', 'config'])
        expect(await readFile(join(repository, file), 'utf8'), `${what}: ${file}`).toBe(
          await readFile(join(server.repository, file), 'utf8'),
        );
      const refs = await mustGit(['--git-dir', repository, 'for-each-ref', '--format=%(refname) %(objectname)'], '/');
      expect(refs.split('\n').filter(Boolean), what).toEqual([...expected].map(([ref, object]) => `${ref} ${object}`));
      expect(await mustGit(['--git-dir', repository, 'fsck', '--full', '--strict', '--no-dangling'], '/'), what).toBe(
        '',
      );
    }
  });
});

/** Lines up to the n-th report that the server gave; strace may write it a moment after the client has it. */
async function readUntilReport(trace: string, nth: number): Promise<readonly string[]> {
  for (;;) {
    const lines = (await readFile(trace, 'utf8')).split('\n');
    const reports = [...lines.keys()].filter(
      (at) => /\b(?:writev|sendto)\(\d+<socket/.test(lines[at]!) && lines[at]!.includes('ok refs/'),
    );
    const end = reports[nth - 1];
    if (end !== undefined) return lines.slice(0, end);
    await pause(10);
  }
}
