import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  busyboxImage,
  findSandboxHindrance,
  openSandboxWorld,
  type SandboxWorld,
} from '../../../../test/support/sandbox-world.ts';
import type { GatheredCheckout } from '../../../core/checkout.ts';
import { GantryError } from '../../../core/errors.ts';
import type { Outcome } from '../../../core/pipeline.ts';
import { generationName } from '../caches/generation.ts';
import type { ReleaseSpec, RepositorySpec, RuntimeJob } from '../runtime.ts';

const hindrance = findSandboxHindrance('bubblewrap');

describe.skipIf(hindrance)('the checkout of a sandbox job', () => {
  let world: SandboxWorld;
  let folder: string;
  let sequence = 0;
  const jobs: RuntimeJob[] = [];

  const git = (...args: string[]): string =>
    execFileSync('git', ['-c', 'user.name=Ada', '-c', 'user.email=ada@example.org', ...args], {
      encoding: 'utf8',
      env: { PATH: process.env['PATH'], GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_NOSYSTEM: '1', HOME: folder },
    }).trim();

  /** A bare repository with one commit per map of files. */
  const repositoryOf = (
    ...commits: readonly Readonly<Record<string, string>>[]
  ): { bare: string; commits: string[] } => {
    sequence += 1;
    const [work, bare] = [join(folder, `work${sequence}`), join(folder, `bare${sequence}.git`)];
    git('init', '-q', '-b', 'main', work);
    const made = commits.map((files, index) => {
      for (const [name, text] of Object.entries(files)) {
        mkdirSync(join(work, name, '..'), { recursive: true });
        writeFileSync(join(work, name), text);
      }
      git('-C', work, 'add', '-A');
      git('-C', work, 'commit', '-q', '-m', `Commit ${index + 1}`);
      return git('-C', work, 'rev-parse', 'HEAD');
    });
    git('clone', '-q', '--bare', work, bare);
    return { bare, commits: made };
  };

  const spec = (bare: string, commit: string, change: Partial<RepositorySpec> = {}): RepositorySpec => ({
    folder: bare,
    remoteUrl: 'http://localhost:3000/owner/project.git',
    commit,
    ref: 'refs/heads/main',
    branch: 'main',
    ...change,
  });

  const prepare = async (repository?: RepositorySpec): Promise<RuntimeJob> => {
    sequence += 1;
    const job = await world.runtime.prepare({ id: `checkout-test-${sequence}`, workspace: '/drone/src', repository });
    jobs.push(job);
    return job;
  };

  const clone = async (
    job: RuntimeJob,
    gather?: ReleaseSpec['gather'],
  ): Promise<{ outcome: Outcome; text: string }> => {
    let text = '';
    const staged = await job.stage({
      id: 'clone',
      name: 'clone',
      kind: 'clone',
      image: '',
      pull: 'never',
      limits: {},
      network: 'job',
    });
    const running = staged.release({
      environment: {},
      secrets: {},
      gather,
      timeoutMs: 30_000,
      graceMs: 100,
      onOutput: (_stream, bytes) => void (text += bytes.toString()),
    });
    return { outcome: await running.outcome, text };
  };

  const run = async (job: RuntimeJob, script: string): Promise<{ outcome: Outcome; text: string }> => {
    let text = '';
    sequence += 1;
    const staged = await job.stage({
      id: `s${sequence}`,
      name: 'step',
      kind: 'commands',
      image: busyboxImage,
      pull: 'never',
      limits: {},
      network: 'job',
    });
    const running = staged.release({
      script,
      environment: {},
      secrets: {},
      timeoutMs: 30_000,
      graceMs: 100,
      onOutput: (_stream, bytes) => void (text += bytes.toString()),
    });
    return { outcome: await running.outcome, text };
  };

  /** A copy of the workspace in which the host's git works: the image has none. */
  const takeOut = async (job: RuntimeJob): Promise<string> => {
    const tarred = await runBytes(job, 'tar -C /drone/src -cf - . | base64');
    const copy = join(folder, `copy${sequence}`);
    mkdirSync(copy);
    execFileSync('tar', ['-C', copy, '-xf', '-'], { input: Buffer.from(tarred, 'base64') });
    writeFileSync(join(copy, '.git/objects/info/alternates'), `${job.spec.repository!.folder}/objects\n`);
    return copy;
  };

  const hostGit = async (job: RuntimeJob, command: string): Promise<string> =>
    execFileSync('sh', ['-c', `git ${command}`], { cwd: await takeOut(job), encoding: 'utf8' });

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'gantry-checkout-'));
    world = await openSandboxWorld('bubblewrap');
  });
  afterEach(async () => {
    await Promise.all(jobs.splice(0).map((job) => job.destroy()));
  });
  afterAll(async () => {
    await world?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it('tells commit, branch and subject, and gives the files', async () => {
    const { bare, commits } = repositoryOf({ 'a.txt': 'one\n', 'deep/b.txt': 'two\n' });
    const job = await prepare(spec(bare, commits[0]!));
    const { outcome, text } = await clone(job);
    expect(outcome).toEqual({ kind: 'exited', exitCode: 0 });
    expect(text).toContain(commits[0]);
    expect(text).toContain('branch main');
    expect(text).toContain('Commit 1');
    expect((await run(job, 'cat a.txt deep/b.txt')).text).toBe('one\ntwo\n');
  });

  it('makes a seen commit from the kept checkout, which no job can change', async () => {
    const { bare, commits } = repositoryOf({ 'a.txt': 'one\n' });
    const first = await prepare(spec(bare, commits[0]!));
    await clone(first);
    await run(first, 'echo changed > a.txt; rm -rf .git; echo new > new.txt');
    const second = await prepare(spec(bare, commits[0]!));
    expect((await clone(second)).text).toContain('from a kept checkout');
    expect((await run(second, 'cat a.txt; ls -A')).text).toBe('one\n.git\na.txt\n');
  });

  it('makes the next commit over the checkout of the one before', async () => {
    const { bare, commits } = repositoryOf(
      { 'same.txt': 'same\n', 'a.txt': 'one\n' },
      { 'a.txt': 'two\n', 'b.txt': 'new\n' },
    );
    await clone(await prepare(spec(bare, commits[0]!)));
    const job = await prepare(spec(bare, commits[1]!));
    expect((await clone(job)).text).toContain('near commit');
    expect((await run(job, 'cat same.txt a.txt b.txt')).text).toBe('same\ntwo\nnew\n');
  });

  it('shows removed files as removed when it goes back to an older commit', async () => {
    const { bare, commits } = repositoryOf({ 'a.txt': 'one\n' }, { 'dir/b.txt': 'new\n' });
    await clone(await prepare(spec(bare, commits[1]!)));
    const job = await prepare(spec(bare, commits[0]!));
    await clone(job);
    expect((await run(job, 'ls -A')).text).toBe('.git\na.txt\n');
  });

  it('looks like an ordinary clone: clean status, branch, origin, history', async () => {
    const { bare, commits } = repositoryOf({ 'a.txt': 'one\n' }, { 'a.txt': 'two\n' });
    const job = await prepare(spec(bare, commits[1]!));
    await clone(job);
    // The image has no git: its files are looked at, and the host's git reads a copy of them.
    const { text } = await run(job, 'cat .git/HEAD .git/refs/heads/main .git/objects/info/alternates; cat .git/config');
    expect(text).toContain('ref: refs/heads/main');
    expect(text).toContain(commits[1]);
    expect(text).toContain('url = "http://localhost:3000/owner/project.git"');
    expect(text).toContain('checkStat = minimal');
    const copy = await takeOut(job);
    expect(git('-C', copy, 'status', '--porcelain')).toBe('');
    expect(git('-C', copy, 'log', '--format=%s')).toBe('Commit 2\nCommit 1');
    expect(git('-C', copy, 'rev-parse', '--abbrev-ref', 'main@{upstream}')).toBe('origin/main');
    expect(git('-C', copy, 'fsck')).toBe('');
  });

  it('leaves HEAD detached for a tag', async () => {
    const { bare, commits } = repositoryOf({ 'a.txt': 'one\n' });
    const job = await prepare(spec(bare, commits[0]!, { ref: 'refs/tags/v1', branch: undefined }));
    expect((await clone(job)).text).toContain('refs/tags/v1');
    expect((await run(job, 'cat .git/HEAD')).text).toBe(`${commits[0]}\n`);
  });

  it('fails with the words of git when the commit does not exist, and the job goes on with an empty workspace', async () => {
    const { bare } = repositoryOf({ 'a.txt': 'one\n' });
    const missing = 'f'.repeat(40);
    const job = await prepare(spec(bare, missing));
    const { outcome, text } = await clone(job);
    expect(outcome).toEqual({ kind: 'exited', exitCode: 128 });
    expect(text).toContain(missing);
    expect((await run(job, 'ls -A | wc -l')).text.trim()).toBe('0');
  });

  it('reports a repository that is gone as infrastructure', async () => {
    const job = await prepare(spec(join(folder, 'gone.git'), 'e'.repeat(40)));
    expect((await clone(job)).outcome.kind).toBe('infrastructure');
  });

  it('gives an empty workspace to a job without a repository', async () => {
    const job = await prepare();
    expect((await run(job, 'pwd; ls -A; touch x; ls')).text).toBe('/drone/src\nx\n');
    await expect(clone(job)).rejects.toThrow(TypeError);
  });

  it('shows the objects of its project read-only and nothing else of the repository', async () => {
    const { bare, commits } = repositoryOf({ 'a.txt': 'one\n' });
    writeFileSync(join(bare, 'secret-of-the-server'), 'x');
    const job = await prepare(spec(bare, commits[0]!));
    await clone(job);
    const { text } = await run(
      job,
      'o=$(cat .git/objects/info/alternates); ls $o; touch $o/x 2>&1; rm -rf $o/pack 2>&1; ls $o/..; grep -c / /proc/mounts >/dev/null',
    );
    expect(text).toContain('info');
    expect(text).toContain('Read-only file system');
    expect(text).not.toContain('secret-of-the-server');
    expect(git('-C', bare, 'fsck')).toBe('');
  });

  it('keeps a hostile tree inside its folder', async () => {
    const { bare } = repositoryOf({ 'a.txt': 'one\n' });
    const target = join(folder, 'outside');
    mkdirSync(target);
    const blob = execFileSync('git', ['-C', bare, 'hash-object', '-w', '--stdin'], { input: target }).toString().trim();
    const payload = execFileSync('git', ['-C', bare, 'hash-object', '-w', '--stdin'], { input: 'owned' })
      .toString()
      .trim();
    const inner = execFileSync('git', ['-C', bare, 'mktree'], { input: `100644 blob ${payload}\towned\n` })
      .toString()
      .trim();
    // One name as a link and as a folder: what git checks out second would be written through the link.
    const tree = execFileSync('git', ['-C', bare, 'mktree'], {
      input: `120000 blob ${blob}\tlink\n040000 tree ${inner}\tlink\n120000 blob ${blob}\tplain\n`,
    })
      .toString()
      .trim();
    const commit = git('-C', bare, 'commit-tree', '-m', 'Hostile', tree);
    const job = await prepare(spec(bare, commit));
    await clone(job);
    await run(job, 'echo through > plain/file; echo through > link/file; ls -la');
    expect(readdirSync(target)).toEqual([]);
  });

  it('shares one making between jobs that ask at once, and keeps no draft', async () => {
    const { bare, commits } = repositoryOf({ 'a.txt': 'one\n' });
    const both = await Promise.all([prepare(spec(bare, commits[0]!)), prepare(spec(bare, commits[0]!))]);
    const results = await Promise.all(both.map((job) => clone(job)));
    expect(results.map((result) => result.outcome)).toEqual([
      { kind: 'exited', exitCode: 0 },
      { kind: 'exited', exitCode: 0 },
    ]);
    await Promise.all(both.map((job) => job.destroy()));
    expect(await world.leftovers()).toEqual([]);
    const kept = readdirSync(join(world.options.folder, 'checkouts'));
    expect(kept.filter((name) => name.startsWith('.draft-'))).toEqual([]);
  });

  it('records a checkout for the next runner once it is on the disk', async () => {
    const { bare, commits } = repositoryOf({ 'a.txt': 'one\n' });
    await clone(await prepare(spec(bare, commits[0]!)));
    const checkouts = join(world.options.folder, 'checkouts');
    const recorded = (): boolean =>
      readdirSync(checkouts)
        .filter((name) => name.endsWith('.json'))
        .some((name) => readFileSync(join(checkouts, name), 'utf8').includes(commits[0]!));
    const giveUpAt = performance.now() + 20_000;
    while (!recorded() && performance.now() < giveUpAt) await new Promise((resolve) => setTimeout(resolve, 20));
    expect(recorded()).toBe(true);
    expect(existsSync(checkouts)).toBe(true);
  });

  it('is cancelled at once while the checkout is being made', async () => {
    const { bare, commits } = repositoryOf(
      Object.fromEntries(Array.from({ length: 400 }, (_, index) => [`f${index}`, 'x'.repeat(2_000)])),
    );
    const job = await prepare(spec(bare, commits[0]!));
    const staged = await job.stage({
      id: 'clone',
      name: 'clone',
      kind: 'clone',
      image: '',
      pull: 'never',
      limits: {},
      network: 'job',
    });
    const running = staged.release({
      environment: {},
      secrets: {},
      timeoutMs: 30_000,
      graceMs: 100,
      onOutput: () => {},
    });
    running.cancel('by a test');
    expect(await running.outcome).toEqual({ kind: 'cancelled', reason: 'by a test' });
  });

  it('is ended with its runtime while it is being made, and leaves nothing', async () => {
    const own = await openSandboxWorld('bubblewrap');
    const { bare, commits } = repositoryOf(
      Object.fromEntries(Array.from({ length: 400 }, (_, index) => [`f${index}`, 'x'.repeat(2_000)])),
    );
    const name = generationName(own.options.generation);
    await own.runtime.prepare({ id: 'closing', workspace: '/drone/src', repository: spec(bare, commits[0]!) });
    await own.runtime.close();
    expect(readdirSync(join(own.options.folder, 'checkouts'))).toEqual([]);
    expect(readdirSync('/sys/fs/cgroup').filter((each) => existsSync(`/sys/fs/cgroup/${each}/${name}`))).toEqual([]);
    await own.close();
  });

  async function runBytes(job: RuntimeJob, script: string): Promise<string> {
    return (await run(job, script)).text;
  }

  describe('with more than the commit of its event', () => {
    const gathering = (source: RepositorySpec, submodules: GatheredCheckout['submodules'] = []): GatheredCheckout => ({
      source,
      submodules,
    });

    it('has as many commits as are asked for, and says where its history ends', async () => {
      const { bare, commits } = repositoryOf({ a: '1' }, { a: '2' }, { a: '3' }, { a: '4' });
      const count = async (depth?: number): Promise<string> => {
        const job = await prepare(spec(bare, commits[3]!, { depth }));
        expect((await clone(job)).outcome).toEqual({ kind: 'exited', exitCode: 0 });
        return hostGit(job, 'rev-list --count HEAD && git status --porcelain && git rev-parse --is-shallow-repository');
      };
      expect(await count(2)).toBe('2\ntrue\n');
      expect(await count(1)).toBe('1\ntrue\n');
      expect(await count(4)).toBe('4\nfalse\n');
      expect(await count()).toBe('4\nfalse\n');
    });

    it('counts by the shortest way from the tip where branches were merged', async () => {
      const { bare, commits } = repositoryOf({ a: '1' }, { a: '2' }, { a: '3' });
      const [first, , third] = commits as [string, string, string];
      const tree = git('--git-dir', bare, 'rev-parse', `${third}^{tree}`);
      const merge = git('--git-dir', bare, 'commit-tree', tree, '-p', third, '-p', first, '-m', 'Merge');
      git('--git-dir', bare, 'update-ref', 'refs/heads/main', merge);
      const job = await prepare(spec(bare, merge, { depth: 2 }));
      await clone(job);
      const cloned = join(folder, `depth${sequence}`);
      git('clone', '-q', '--depth', '2', `file://${bare}`, cloned);
      expect(await hostGit(job, 'rev-list HEAD')).toBe(`${git('-C', cloned, 'rev-list', 'HEAD')}\n`);
    });

    it('has the tags of its repository where they are asked for', async () => {
      const { bare, commits } = repositoryOf({ a: '1' }, { a: '2' });
      git('--git-dir', bare, 'tag', 'v1', commits[0]!);
      git('--git-dir', bare, 'tag', '-a', '-m', 'Two', 'v2', commits[1]!);
      const with_ = await prepare(spec(bare, commits[1]!, { hasTags: true }));
      await clone(with_);
      expect(await hostGit(with_, 'describe --tags && git tag && git rev-parse v1')).toBe(
        `v2\nv1\nv2\n${commits[0]}\n`,
      );
      const without = await prepare(spec(bare, commits[1]!));
      await clone(without);
      expect(await hostGit(without, 'tag')).toBe('');
    });

    it('lies in a folder of the workspace where that is asked for', async () => {
      const { bare, commits } = repositoryOf({ 'a.txt': 'one\n' }, { 'a.txt': 'two\n' });
      for (const commit of commits) {
        const job = await prepare(spec(bare, commit, { path: 'deep/er' }));
        await clone(job);
        expect((await run(job, 'ls -A . deep; cat deep/er/a.txt')).text).toContain(
          `.:\ndeep\n\ndeep:\ner\n${commit === commits[0] ? 'one' : 'two'}\n`,
        );
      }
    });

    it('is what it was told at its start, and submodules are repositories in it', async () => {
      const inner = repositoryOf({ 'inner.txt': 'inner\n' });
      const lib = repositoryOf({ 'lib.txt': 'old\n' }, { 'lib.txt': 'new\n' });
      const top = repositoryOf({ 'top.txt': 'top\n' });
      const source = spec(top.bare, top.commits[0]!);
      const job = await prepare({ ...source, isGathered: true });
      const { outcome, text } = await clone(job, async (note) => {
        note('Fetching lib from elsewhere');
        return gathering(source, [
          {
            name: 'the lib',
            path: 'third party/lib',
            parent: '',
            folder: lib.bare,
            commit: lib.commits[1]!,
            remoteUrl: 'https://git.example/lib.git',
          },
          {
            name: 'inner',
            path: 'third party/lib/deps/inner',
            parent: 'third party/lib',
            folder: inner.bare,
            commit: inner.commits[0]!,
            remoteUrl: 'https://git.example/inner.git',
          },
        ]);
      });
      expect(outcome).toEqual({ kind: 'exited', exitCode: 0 });
      expect(text).toContain('Fetching lib from elsewhere\n');
      expect(text).toContain(`Submodule third party/lib: ${lib.commits[1]} from https://git.example/lib.git`);
      const seen = await run(job, 'cat top.txt "third party/lib/lib.txt" "third party/lib/deps/inner/inner.txt"');
      expect(seen.text).toBe('top\nnew\ninner\n');
      const inLib = '-C "third party/lib"';
      expect(await hostGit(job, `${inLib} rev-list HEAD`)).toBe(`${lib.commits[1]}\n${lib.commits[0]}\n`);
      expect(await hostGit(job, `${inLib} config remote.origin.url`)).toBe('https://git.example/lib.git\n');
      expect(await hostGit(job, `config --get-regexp 'submodule.*url'`)).toBe(
        'submodule.the lib.url https://git.example/lib.git\n',
      );
      // Of another commit of the same submodules only the tree above them is made anew.
      const again = await prepare({ ...source, isGathered: true });
      expect((await clone(again, async () => gathering(source))).text).not.toContain('Submodule');
      expect((await run(again, 'ls')).text).toBe('top.txt\n');
    });

    it('fails with the reason when what lies in it is refused, and is infrastructure when nobody could tell', async () => {
      const { bare, commits } = repositoryOf({ a: '1' });
      const source = spec(bare, commits[0]!);
      const refused = await clone(await prepare({ ...source, isGathered: true }), () =>
        Promise.reject(new GantryError('CHECKOUT_REFUSED', 'Cannot check out the submodule "x": there is none')),
      );
      expect(refused.outcome).toEqual({ kind: 'exited', exitCode: 1 });
      expect(refused.text).toContain('Cannot check out the submodule "x": there is none\n');
      const silent = await clone(await prepare({ ...source, isGathered: true }), () =>
        Promise.reject(new GantryError('CHECKOUT_UNAVAILABLE', 'Cannot fetch x: no answer')),
      );
      expect(silent.outcome).toEqual({ kind: 'infrastructure', message: 'Cannot fetch x: no answer' });
    });
  });
});
