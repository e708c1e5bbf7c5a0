import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  busyboxImage,
  findSandboxHindrance,
  openSandboxWorld,
  type SandboxWorld,
} from '../../../../test/support/sandbox-world.ts';
import { type CacheAccess, protectedScope } from '../../../core/cache.ts';
import type { Outcome } from '../../../core/pipeline.ts';
import { createCacheShelf } from '../caches/cache-records.ts';
import { copyIn, copyOut } from '../caches/copy-paths.ts';
import type { RuntimeJob, StepResultEvent, StepResults, StepResultUse } from '../runtime.ts';

const hindrance = findSandboxHindrance('bubblewrap');
const title = 'results of steps in sandboxes';
const workspace = '/drone/src';

interface StepRun {
  readonly outcome: Outcome;
  readonly output: string;
  readonly events: readonly StepResultEvent[];
}

describe.skipIf(hindrance)(hindrance ? `${title} (not here: ${hindrance})` : title, () => {
  let world: SandboxWorld;
  let results: StepResults;
  let digest = '';
  let jobs = 0;
  beforeAll(async () => {
    world = await openSandboxWorld('bubblewrap', {
      caches: { entryBytes: 4 * 2 ** 20, projectBytes: 40 * 2 ** 20, totalBytes: 60 * 2 ** 20 },
    });
    results = world.runtime.results!;
    digest = await results.digestOf({ image: busyboxImage, pull: 'default' });
  });
  afterAll(() => world.close());

  const access = (projectId: number, scope = protectedScope): CacheAccess => ({ projectId, scope, pipeline: 7 });
  const prepare = (): Promise<RuntimeJob> => {
    jobs += 1;
    return world.runtime.prepare({ id: `w${jobs}-a1-t1`, workspace });
  };
  const keep = (of: CacheAccess, key: string, outputs: readonly string[], parts = {}): StepResultUse => ({
    kind: 'keep',
    access: of,
    key,
    label: 'reuse: build / step',
    parts,
    origin: { pipeline: 7, workflow: 'build', step: 'step', stepId: 70, workflowId: 9, attempt: 1 },
    outputs,
    imageDigest: digest,
  });
  const take = (of: CacheAccess, key: string): StepResultUse => ({ kind: 'take', access: of, key });

  async function step(job: RuntimeJob, id: string, script: string, result?: StepResultUse): Promise<StepRun> {
    const events: StepResultEvent[] = [];
    let output = '';
    const staged = await job.stage({
      id: `${job.spec.id}-${id}`,
      name: id,
      kind: 'commands',
      image: busyboxImage,
      pull: 'default',
      limits: {},
      network: 'none',
      result,
    });
    const running = staged.release({
      script,
      environment: {},
      secrets: {},
      timeoutMs: 60_000,
      graceMs: 1_000,
      onResult: (event) => void events.push(event),
      onOutput: (_, bytes) => void (output += bytes.toString()),
    });
    return { outcome: await running.outcome, output, events };
  }

  const refusal = ({ events }: StepRun): string => events.map((event) => ('why' in event ? event.why : '')).join();

  it('come back with their rights, links and times, instead of whatever is in their place', async () => {
    const of = access(1);
    const made = await prepare();
    const script =
      'mkdir -p out/deep; echo text > out/deep/file; chmod 640 out/deep/file; ln -s deep/file out/link; touch -d "2020-01-02 03:04:05" out/deep/file; echo one > alone';
    const kept = await step(made, 'make', script, keep(of, 'k1', ['out', 'alone']));
    expect(kept.events.map(({ kind }) => kind)).toEqual(['kept']);
    await made.destroy();

    const later = await prepare();
    await step(later, 'before', 'mkdir -p out/old; echo old > out/old/file; echo other > alone');
    const taken = await step(later, 'taken', 'echo never', take(of, 'k1'));
    expect(taken).toMatchObject({ outcome: { kind: 'exited', exitCode: 0 }, output: '' });
    expect(taken.events.map(({ kind }) => kind)).toEqual(['taken']);
    const look = 'cat out/link alone; stat -c "%a %Y" out/deep/file; ls out; echo more >> out/deep/file';
    const seen = await step(later, 'look', look);
    const time = Date.UTC(2020, 0, 2, 3, 4, 5) / 1_000;
    expect(seen.output).toBe(`text\none\n640 ${time}\ndeep\nlink\n`);
    // What a later step writes there is its own affair.
    await step(later, 'again', 'true', take(of, 'k1'));
    expect((await step(later, 'after', 'cat out/deep/file')).output).toBe('text\n');
    await later.destroy();
  });

  it('are not kept of a step that failed, left out an output, or left what is no file', async () => {
    const of = access(2);
    const job = await prepare();
    const failed = await step(job, 'fails', 'echo a > a; exit 1', keep(of, 'failed', ['a']));
    expect(failed.events).toEqual([]);
    expect(refusal(await step(job, 'absent', 'true', keep(of, 'absent', ['b'])))).toContain('it left no b');
    expect(refusal(await step(job, 'pipe', 'mkdir c; mkfifo c/p', keep(of, 'pipe', ['c'])))).toContain(
      'neither a file',
    );
    const large = await step(job, 'large', 'dd if=/dev/zero of=d bs=1M count=5 2>&-', keep(of, 'large', ['d']));
    expect(refusal(large)).toContain('an entry may have 4 MiB');
    const image = keep(of, 'image', []);
    const other = await step(job, 'image', 'true', { ...image, imageDigest: 'sha256:other' } as StepResultUse);
    expect(refusal(other)).toContain('another one meanwhile');
    for (const key of ['failed', 'absent', 'pipe', 'large', 'image']) expect(results.find(of, key)).toBeUndefined();
    await job.destroy();
  });

  it('never lead out of the workspace, whatever links a step leaves in the way', async () => {
    const of = access(3);
    const job = await prepare();
    const secret = join(world.folder, 'secret');
    mkdirSync(secret, { recursive: true });
    writeFileSync(join(secret, 'key'), 'not for steps');
    const stolen = await step(job, 'steal', `ln -s ${secret} way`, keep(of, 'stolen', ['way/key']));
    expect(refusal(stolen)).toContain('it left no way/key');
    await step(job, 'honest', 'mkdir -p good; echo mine > good/key', keep(of, 'honest', ['good/key']));
    await step(job, 'trap', `rm -r good; ln -s ${secret} good`);
    const taken = await step(job, 'taken', 'true', take(of, 'honest'));
    expect(taken.outcome.kind).toBe('infrastructure');
    expect(readFileSync(join(secret, 'key'), 'utf8')).toBe('not for steps');
    await job.destroy();
  });

  it('of a branch are that branch’s alone, are no caches, and are forgotten when asked', async () => {
    const branch = access(4, 'refs/heads/evil');
    const job = await prepare();
    await step(job, 'evil', 'echo evil > a', keep(branch, 'same', ['a'], { commands: '1' }));
    expect(results.find(access(4), 'same')).toBeUndefined();
    expect(results.find(access(5, 'refs/heads/evil'), 'same')).toBeUndefined();
    expect(results.find(branch, 'same')).toMatchObject({ origin: { pipeline: 7, stepId: 70 } });
    expect(results.latest(branch, 'reuse: build / step')).toMatchObject({ parts: { commands: '1' } });
    expect(results.latest(access(4), 'reuse: build / step')).toBeUndefined();
    await step(job, 'main', 'echo good > a', keep(access(4), 'same', ['a']));
    // Its own first, then what all may read.
    results.forget(branch, 'same');
    expect(results.find(branch, 'same')).toBeDefined();
    results.forget(access(4), 'same');
    expect(results.find(branch, 'same')).toBeUndefined();
    await job.destroy();
  });

  it('are listed with the caches, and leave when nobody has taken them for 30 days', async () => {
    const of = access(6);
    const job = await prepare();
    await step(job, 'one', 'true', keep(of, 'one', []));
    await step(job, 'two', 'true', keep(of, 'two', []));
    await job.destroy();
    const root = join(world.options.folder, 'caches');
    const shelf = createCacheShelf(root);
    await expect.poll(() => shelf.list(6), { timeout: 30_000 }).toHaveLength(2);
    const [entry] = await shelf.list(6);
    expect(entry).toMatchObject({ kind: 'step-result', key: 'reuse: build / step', savedBy: 7 });
    const file = join(root, 'p6', `${entry!.id}.json`);
    const longAgo = new Date(Date.now() - 31 * 24 * 3_600_000);
    utimesSync(file, longAgo, longAgo);
    await world.runtime.reap();
    expect((await shelf.list(6)).map(({ id }) => id)).not.toContain(entry!.id);
    expect(await shelf.list(6)).toHaveLength(1);
  });
});

describe('paths that steps write to', () => {
  const rules = { budget: { bytesLeft: 1_000, filesLeft: 100 }, keepsOwners: false };

  it('are copied within their budget, and a link at their end is copied as the link that it is', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'gantry-copy-'));
    try {
      const [root, kept] = [join(folder, 'root'), join(folder, 'kept')];
      mkdirSync(join(root, 'a'), { recursive: true });
      mkdirSync(kept);
      writeFileSync(join(root, 'a/file'), 'x'.repeat(100), { mode: 0o755 });
      symlinkSync('/etc/passwd', join(root, 'link'));
      const budget = { ...rules.budget };
      expect(await copyOut(root, 'a/file', { folder: kept, name: '0' }, { ...rules, budget })).toBe(true);
      expect(budget).toEqual({ bytesLeft: 900, filesLeft: 99 });
      expect(statSync(join(kept, '0')).mode & 0o777).toBe(0o755);
      expect(await copyOut(root, 'link', { folder: kept, name: '1' }, rules)).toBe(true);
      expect(readlinkSync(join(kept, '1'))).toBe('/etc/passwd');
      expect(await copyOut(root, 'link/x', { folder: kept, name: '2' }, rules)).toBe(false);
      expect(await copyOut(root, 'b/c', { folder: kept, name: '2' }, rules)).toBe(false);
      await copyIn({ folder: kept, name: '0' }, root, 'new/way/file', rules);
      expect(readFileSync(join(root, 'new/way/file'), 'utf8')).toHaveLength(100);
      writeFileSync(join(root, 'a/large'), 'x'.repeat(2_000));
      await expect(copyOut(root, 'a', { folder: kept, name: '3' }, rules)).rejects.toThrow('more files or bytes');
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
