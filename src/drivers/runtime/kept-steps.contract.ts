import { expect, it, type TestContext } from 'vitest';
import { type CacheAccess, type CacheEvent, protectedScope } from '../../core/cache.ts';
import type { Outcome } from '../../core/pipeline.ts';
import type { CachePlan } from '../../core/plan.ts';
import type {
  JobSpec,
  ReleaseSpec,
  RepositorySpec,
  Runtime,
  RuntimeJob,
  StagedStep,
  StageSpec,
  StepResultEvent,
  StepResultUse,
} from './runtime.ts';

/** What the suite of all runtimes has for these cases. */
export interface KeptStepsWorld {
  runtime(): Runtime;
  /** A second image with a POSIX shell; absent = there is only one. */
  otherImage(): string | undefined;
  prepare(repository?: RepositorySpec, more?: Partial<JobSpec>): Promise<RuntimeJob>;
  stageSpec(change?: Partial<StageSpec>): StageSpec;
}

interface StepRun {
  readonly outcome: Outcome;
  readonly output: string;
  readonly caches: readonly CacheEvent[];
  readonly results: readonly StepResultEvent[];
}

const workspace = '/drone/src';
const passed: Outcome = { kind: 'exited', exitCode: 0 };
let projects = Date.now() % 1_000_000;

/** Cases of runtimes that keep caches and results of steps: the same verdicts, whatever the step runs in. */
export function keptStepsCases(world: KeptStepsWorld): void {
  const needsCaches = (context: TestContext): void =>
    context.skip(!world.runtime().keepsCaches, 'this runtime keeps no caches');

  const access = (projectId: number, more: Partial<CacheAccess> = {}): CacheAccess => ({
    projectId,
    scope: protectedScope,
    pipeline: 7,
    ...more,
  });
  const newProject = (): number => (projects += 1);
  const plan = (key: string, more: Partial<CachePlan> = {}): CachePlan => ({
    key,
    restore: [],
    paths: [`${workspace}/modules`, '/root/.store'],
    ...more,
  });

  function begin(staged: StagedStep, script: string, release: Partial<ReleaseSpec> = {}) {
    const caches: CacheEvent[] = [];
    const results: StepResultEvent[] = [];
    let output = '';
    const running = staged.release({
      script,
      environment: {},
      secrets: {},
      timeoutMs: 60_000,
      graceMs: 500,
      onCache: (event) => void caches.push(event),
      onResult: (event) => void results.push(event),
      onOutput: (_stream, bytes) => void (output += bytes.toString('utf8')),
      ...release,
    });
    return {
      cancel: running.cancel.bind(running),
      ended: running.outcome.then((outcome): StepRun => ({ outcome, output, caches, results })),
    };
  }
  const step = async (job: RuntimeJob, script: string, change: Partial<StageSpec> = {}): Promise<StepRun> =>
    begin(await job.stage(world.stageSpec(change)), script).ended;
  /** One step in a job of its own. */
  async function alone(
    caches: CacheAccess,
    script: string,
    cache: CachePlan,
    more: Partial<JobSpec> = {},
  ): Promise<StepRun> {
    const job = await world.prepare(undefined, { caches, ...more });
    try {
      return await step(job, script, { cache });
    } finally {
      await job.destroy();
    }
  }
  const kinds = ({ caches }: StepRun): readonly string[] => caches.map(({ kind }) => kind);

  it('gives a later job the cache that a step left, in the workspace and elsewhere, whatever others do to it', async (context) => {
    needsCaches(context);
    const project = access(newProject());
    const made = await alone(
      project,
      'echo one > modules/a; mkdir modules/d; echo y > modules/d/b; mkdir /root/.store/d; echo two > /root/.store/d/b',
      plan('k'),
    );
    expect(made.outcome, made.output).toEqual(passed);
    expect(made.caches).toMatchObject([
      { kind: 'missed', key: 'k' },
      { kind: 'saved', key: 'k' },
    ]);
    const wrecked = await alone(
      project,
      'cat modules/a /root/.store/d/b; echo bad > modules/a; rm -r modules/d; mkdir modules/d; echo bad > modules/d/c; mv modules/a modules/e; rm -r /root/.store/d',
      plan('k'),
    );
    expect(wrecked.output).toBe('one\ntwo\n');
    expect(wrecked.caches).toMatchObject([{ kind: 'restored', key: 'k', from: 'k', savedBy: 7 }]);
    const after = await alone(project, 'cat modules/a modules/d/b /root/.store/d/b; ls modules modules/d', plan('k'));
    expect(after.output).toMatch(/^one\ny\ntwo\n/);
    expect(after.output).not.toMatch(/bad|\bc\b|\be\b/);
  });

  it('begins with the nearest cache that restore names, and saves all of it under the new key, many times over', async (context) => {
    needsCaches(context);
    const job = await world.prepare(undefined, { caches: access(newProject()) });
    const store = (key: string, restore: readonly string[] = []): Partial<StageSpec> => ({
      cache: { key, restore, paths: ['/root/.store'] },
    });
    await step(job, 'cd /root/.store; echo 0 > f0; echo old > changed', store('npm-0'));
    for (let round = 1; round <= 4; round += 1) {
      const ran = await step(
        job,
        `cd /root/.store; test -f f${round - 1} && echo ${round} > f${round} && echo ${round} > changed && rm -f gone; touch gone`,
        store(`npm-${round}`, [`npm-${round - 1}`, 'npm-']),
      );
      expect(ran.outcome, ran.output).toEqual(passed);
      expect(ran.caches).toMatchObject([{ kind: 'restored', from: `npm-${round - 1}` }, { kind: 'saved' }]);
    }
    const last = await step(job, 'cd /root/.store; cat f* changed', store('npm-4'));
    expect(last.output).toBe('0\n1\n2\n3\n4\n4\n');
    const missed = await step(job, 'true', store('npm-9'));
    expect(missed.caches).toMatchObject([
      { kind: 'missed', nearest: expect.stringMatching(/^npm-/) },
      { kind: 'not-saved', why: 'its paths are empty' },
    ]);
  });

  it('saves no cache of a step that failed or was cancelled', async (context) => {
    needsCaches(context);
    const job = await world.prepare(undefined, { caches: access(newProject()) });
    const cache = plan('k', { paths: ['/root/.store'] });
    const failed = await step(job, 'touch /root/.store/a; exit 3', { cache });
    expect(failed).toMatchObject({ outcome: { exitCode: 3 }, caches: [{ kind: 'missed' }] });
    const staged = await job.stage(world.stageSpec({ cache }));
    const began = Promise.withResolvers<void>();
    const script = 'touch /root/.store/a; echo began; exec sleep 3600';
    const running = begin(staged, script, { onOutput: () => began.resolve() });
    await began.promise;
    running.cancel('somebody');
    const cancelled = await running.ended;
    expect(cancelled.outcome).toEqual({ kind: 'cancelled', reason: 'somebody' });
    expect(kinds(cancelled)).toEqual(['missed']);
    expect(kinds(await step(job, 'true', { cache }))).toEqual(['missed', 'not-saved']);
  });

  it('gives nobody the cache of a branch, nor of untrusted work, and untrusted work no cache but its own', async (context) => {
    needsCaches(context);
    const project = newProject();
    const fork = access(project, { scope: 'refs/pull/1/head', isAlone: true });
    const main = access(project);
    // Where untrusted work is held tighter, its caches are the same.
    const isStrict = (await world.runtime().probe()).capabilities.strict === true;
    const poison = await alone(fork, 'echo poison > modules/a', plan('k'), { isStrict });
    expect(kinds(poison), poison.output).toEqual(['missed', 'saved']);
    const first = await alone(main, 'ls modules; echo good > modules/a', plan('k', { restore: ['k', 'poison'] }));
    expect(kinds(first)).toEqual(['missed', 'saved']);
    expect(first.output).toBe('');
    expect((await alone(fork, 'cat modules/a', plan('k'), { isStrict })).output).toBe('poison\n');
    const branch = access(project, { scope: 'refs/heads/other' });
    expect((await alone(branch, 'cat modules/a', plan('k'))).output).toBe('good\n');
  });

  it('shows a cache in the workspace to the steps that come after, also to those that were staged before', async (context) => {
    needsCaches(context);
    const project = access(newProject());
    const job = await world.prepare(undefined, { caches: project });
    const [install, test, unwanted] = await Promise.all([
      job.stage(world.stageSpec({ name: 'install', cache: plan('k') })),
      job.stage(world.stageSpec({ name: 'test' })),
      job.stage(world.stageSpec({ name: 'unwanted' })),
    ]);
    await unwanted.discard();
    expect(() => begin(unwanted, 'true')).toThrow(TypeError);
    expect(kinds(await begin(install, 'echo one > modules/a').ended)).toEqual(['missed', 'saved']);
    expect(() => begin(install, 'true')).toThrow(TypeError);
    const second = await begin(test, 'cat modules/a; echo two > modules/a; echo three > modules/b').ended;
    expect(second.output).toBe('one\n');
    const third = await step(job, 'cat modules/a modules/b', { name: 'again', cache: plan('k') });
    expect(third.output).toBe('two\nthree\n');
    expect(third.caches).toMatchObject([{ kind: 'shared', step: 'install' }]);
    const other = await step(job, 'cat modules/a', { cache: plan('l', { paths: [`${workspace}/modules`] }) });
    expect(other.caches).toMatchObject([{ kind: 'unused', why: expect.stringContaining('"install"') }]);
    expect(other.output).toBe('two\n');
    await job.destroy();
    expect((await alone(project, 'ls modules; cat modules/a', plan('k'))).output).toBe('a\none\n');
  });

  it('mounts no cache over files of the workspace or the image, nor through a link, and says so', async (context) => {
    needsCaches(context);
    const job = await world.prepare(undefined, { caches: access(newProject()) });
    await step(job, 'mkdir modules; echo mine > modules/a; ln -s /etc link');
    const ran = await step(job, 'cat modules/a; ls /etc', {
      cache: plan('k', { paths: [`${workspace}/modules`, `${workspace}/link`, '/bin'] }),
    });
    expect(ran.outcome, ran.output).toEqual(passed);
    expect(ran.caches).toMatchObject([{ kind: 'unused' }]);
    expect(ran.output).toContain('mine');
    expect(ran.output).toContain('passwd');
  });

  it('gives no cache to a step of another image, and tells whose it is', async (context) => {
    needsCaches(context);
    const image = world.otherImage();
    context.skip(image === undefined, 'there is one image only');
    const job = await world.prepare(undefined, { caches: access(newProject()) });
    const cache = plan('k', { paths: ['/opt/store'], restore: ['k'] });
    await step(job, 'echo one > /opt/store/a', { cache });
    const other = await step(job, 'ls /opt/store; echo two > /opt/store/a', { cache, image: image! });
    expect(other).toMatchObject({ output: '', caches: [{ kind: 'missed', otherImage: 7 }, { kind: 'saved' }] });
    expect((await step(job, 'cat /opt/store/a', { cache })).output).toBe('one\n');
    expect((await step(job, 'cat /opt/store/a', { cache, image: image! })).output).toBe('two\n');
  });

  it('keeps what a step left when it has passed, and puts it back into the workspace of a later job', async (context) => {
    const { results } = world.runtime();
    context.skip(!results || (await results.findHindrance?.()) !== undefined, 'this runtime keeps no results');
    const of = access(newProject());
    const { image, pull } = world.stageSpec();
    const imageDigest = await results!.digestOf({ image, pull });
    const keep = (key: string, change: Partial<Extract<StepResultUse, { kind: 'keep' }>> = {}): StepResultUse => ({
      kind: 'keep',
      access: of,
      key,
      label: 'reuse: build / step',
      parts: {},
      origin: { pipeline: 7, workflow: 'build', step: 'step', stepId: 70, workflowId: 9, attempt: 1 },
      outputs: ['out', 'alone'],
      imageDigest,
      ...change,
    });
    const made = await world.prepare(undefined, { caches: of });
    const script =
      'mkdir -p out/deep; echo text > out/deep/file; chmod 640 out/deep/file; ln -s deep/file out/link; echo one > alone';
    const failed = await step(made, `${script}; exit 1`, { result: keep('failed') });
    const moved = await step(made, script, { result: keep('moved', { imageDigest: 'sha256:another' }) });
    const kept = await step(made, script, { result: keep('k') });
    await made.destroy();
    expect(failed.results).toEqual([]);
    expect(moved.results).toMatchObject([{ kind: 'not-kept', why: expect.stringContaining('image') }]);
    expect(kept.results, kept.output).toMatchObject([{ kind: 'kept' }]);
    expect(results!.find(of, 'failed')).toBeUndefined();
    expect(results!.find(access(of.projectId, { scope: 'refs/pull/1/head', isAlone: true }), 'k')).toBeUndefined();

    const later = await world.prepare(undefined, { caches: of });
    await step(later, 'mkdir -p out/old; echo old > out/old/file; echo other > alone');
    const taken = await step(later, 'echo never', { result: { kind: 'take', access: of, key: 'k' } });
    expect(taken).toMatchObject({ outcome: passed, output: '', results: [{ kind: 'taken' }] });
    const look = await step(later, 'cat out/link alone; stat -c %a out/deep/file; ls out; echo more >> out/deep/file');
    expect(look.output).toBe('text\none\n640\ndeep\nlink\n');
    await step(later, 'echo never', { result: { kind: 'take', access: of, key: 'k' } });
    expect((await step(later, 'cat out/deep/file')).output).toBe('text\n');
    results!.forget(of, 'k');
    expect(results!.find(of, 'k')).toBeUndefined();
  });
}
