import { execFile } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { chmod, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, it, type TestContext } from 'vitest';
import { GantryError } from '../../core/errors.ts';
import type { Outcome } from '../../core/pipeline.ts';
import type { PortPlan } from '../../core/plan.ts';
import { keptStepsCases } from './kept-steps.contract.ts';
import type {
  JobSpec,
  PortAnswers,
  PortWait,
  ReleaseSpec,
  RepositorySpec,
  RunningStep,
  Runtime,
  RuntimeJob,
  RuntimeProbe,
  StagedStep,
  StageSpec,
} from './runtime.ts';

/** What a step of the suite does, in words that a shell and a script can both play. */
export type ContractAct =
  | { readonly print: string; readonly to?: 'stdout' | 'stderr' }
  /** `line 1` to `line n`. */
  | { readonly lines: number }
  /** So many `x`, without a newline. */
  | { readonly bytes: number }
  | { readonly printVariable: string }
  | { readonly sleepMs: number }
  | { readonly ignoreSigterm: true }
  /** Answers HTTP on this port with the files of its folder, and goes on until it is ended. */
  | { readonly serve: number }
  | { readonly hang: true }
  | { readonly exit: number }
  | { readonly killedBy: 'SIGKILL' | 'SIGSEGV' };

export interface RuntimeUnderTest {
  readonly runtime: Runtime;
  /** An image with a POSIX shell and the tools of busybox. */
  readonly image: string;
  /** A name that no registry of this runtime serves. */
  readonly missingImage: string;
  /** Another image with a POSIX shell, where there is one. */
  readonly otherImage?: string;
  /** How a step is made to perform the acts; absent = as a shell script. */
  readonly perform?: (acts: readonly ContractAct[]) => Pick<ReleaseSpec, 'script' | 'environment'>;
  /** Names of what the driver has on the host at this moment (cgroups, mounts, folders, interfaces), pools left out. */
  readonly leftovers?: () => Promise<readonly string[]>;
  /** How many jobs are run in a row to see whether anything is left behind; 200 where a job takes milliseconds. */
  readonly jobsInARow?: number;
  close(): Promise<void>;
}

type Capability = keyof RuntimeProbe['capabilities'];

/** Lines and acts as a script for `/bin/sh`. */
export function shellScript(acts: readonly ContractAct[]): string {
  return acts.map(shellLine).join('\n');
}

function shellLine(act: ContractAct): string {
  if ('print' in act) return `printf '%s' ${shellQuoted(act.print)}${act.to === 'stderr' ? ' >&2' : ''}`;
  if ('lines' in act) return `seq 1 ${act.lines} | sed 's/^/line /'`;
  if ('bytes' in act) return `head -c ${act.bytes} /dev/zero | tr '\\0' x`;
  if ('printVariable' in act) return `printf '%s\\n' "$${act.printVariable}"`;
  if ('sleepMs' in act) return `sleep ${act.sleepMs / 1_000}`;
  if ('ignoreSigterm' in act) return `trap '' TERM`;
  if ('serve' in act) return `exec httpd -f -p ${act.serve}`;
  if ('hang' in act) return 'while :; do sleep 3600; done';
  if ('exit' in act) return `exit ${act.exit}`;
  return `kill -${act.killedBy.slice(3)} $$`;
}

function shellQuoted(text: string): string {
  return `'${text.replaceAll(`'`, `'\\''`)}'`;
}

/**
 * What every runtime must do (executors 7). A case is skipped only where `probe` reports the capability it needs as
 * absent. `open` makes a runtime of its own for this suite, which `close` takes away again.
 */
export function runtimeContract(name: string, open: () => Promise<RuntimeUnderTest>): void {
  describe(`${name} as a runtime`, () => {
    let under: RuntimeUnderTest;
    let probe: RuntimeProbe;
    const jobs: RuntimeJob[] = [];
    const folders: string[] = [];
    let nextId = randomInt(1_000_000, 100_000_000);

    beforeAll(async () => {
      under = await open();
      probe = await under.runtime.probe();
      expect(probe.isUsable, probe.findings.join('\n')).toBe(true);
    });
    afterEach(async () => {
      await Promise.allSettled(jobs.splice(0).map((job) => job.destroy()));
      await Promise.all(folders.splice(0).map((folder) => rm(folder, { recursive: true, force: true })));
    });
    afterAll(async () => {
      await under?.close();
    });

    const needs = (context: TestContext, ...capabilities: Capability[]): void => {
      const absent = capabilities.filter((capability) => !probe.capabilities[capability]);
      context.skip(absent.length > 0, `${name} reports as absent: ${absent.join(', ')}`);
    };

    const jobSpec = (repository?: RepositorySpec, more: Partial<JobSpec> = {}): JobSpec => ({
      id: `w${(nextId += 1)}-a1-t1`,
      workspace: '/drone/src',
      repository,
      ...more,
    });

    const prepare = async (repository?: RepositorySpec, more: Partial<JobSpec> = {}): Promise<RuntimeJob> => {
      const job = await under.runtime.prepare(jobSpec(repository, more));
      jobs.push(job);
      return job;
    };

    const stageSpec = (change: Partial<StageSpec> = {}): StageSpec => ({
      id: `s${(nextId += 1)}`,
      name: 'step',
      kind: 'commands',
      image: under.image,
      pull: 'if-not-present',
      limits: {},
      network: 'job',
      ...change,
    });

    interface Run {
      readonly staged: StagedStep;
      readonly running: RunningStep;
      readonly outcome: Promise<Outcome>;
      readonly stdout: () => Buffer;
      readonly stderr: () => Buffer;
      /** Resolves once stdout holds the text. */
      readonly printed: (text: string) => Promise<void>;
    }

    const begin = async (
      job: RuntimeJob,
      acts: readonly ContractAct[] | string,
      change: {
        readonly stage?: Partial<StageSpec>;
        readonly release?: Partial<ReleaseSpec>;
        readonly staged?: StagedStep;
      } = {},
    ): Promise<Run> => {
      const staged = change.staged ?? (await job.stage(stageSpec(change.stage)));
      const pieces: { stdout: Buffer[]; stderr: Buffer[] } = { stdout: [], stderr: [] };
      const waiters: { text: string; resolve: () => void }[] = [];
      const text = (stream: 'stdout' | 'stderr'): Buffer => Buffer.concat(pieces[stream]);
      const played =
        typeof acts === 'string'
          ? { script: acts, environment: {} }
          : (under.perform?.(acts) ?? { script: shellScript(acts), environment: {} });
      const running = staged.release({
        ...played,
        secrets: {},
        timeoutMs: 60_000,
        graceMs: 500,
        onOutput: (stream, bytes) => {
          // The driver may use its buffer again once this returns.
          pieces[stream].push(Buffer.from(bytes));
          if (waiters.length === 0) return;
          const printed = text('stdout').toString();
          for (const waiter of waiters) if (printed.includes(waiter.text)) waiter.resolve();
        },
        ...change.release,
        environment: { ...played.environment, ...change.release?.environment },
      });
      return {
        staged,
        running,
        outcome: running.outcome,
        stdout: () => text('stdout'),
        stderr: () => text('stderr'),
        printed: (wanted) =>
          new Promise((resolve) => {
            if (text('stdout').includes(wanted)) resolve();
            else waiters.push({ text: wanted, resolve });
          }),
      };
    };

    const run = async (...args: Parameters<typeof begin>): Promise<Run & { readonly end: Outcome }> => {
      const step = await begin(...args);
      return { ...step, end: await step.outcome };
    };

    const exited = (exitCode: number): Outcome => ({ kind: 'exited', exitCode });

    // 1 · 2: how steps end

    it.each([0, 1, 3, 127, 137])('reports exit code %i as it is', async (exitCode) => {
      const { end } = await run(await prepare(), [{ exit: exitCode }]);
      expect(end).toEqual(exited(exitCode));
    });

    it('reports a step without an ending of its own as exit code 0', async () => {
      expect((await run(await prepare(), [{ print: 'hello\n' }])).end).toEqual(exited(0));
    });

    it('reports the signal that killed a step', async () => {
      const { end } = await run(await prepare(), [{ killedBy: 'SIGKILL' }]);
      expect(end).toEqual({ kind: 'killed', signal: 'SIGKILL' });
    });

    it('refuses to stage an image that does not exist, naming it', async () => {
      const job = await prepare();
      await expect(job.stage(stageSpec({ image: under.missingImage }))).rejects.toMatchObject({
        code: 'IMAGE_NOT_FOUND',
        message: expect.stringContaining(under.missingImage) as string,
      });
    });

    it('refuses a step that asks to be privileged, naming it, before anything runs', async (context) => {
      needs(context, 'processes');
      const job = await prepare();
      const spec = stageSpec({ name: 'mighty', privileged: { isProjectTrusted: true } });
      await expect(job.stage(spec)).rejects.toMatchObject({
        code: 'REQUEST_INVALID',
        message: expect.stringContaining('"mighty"') as string,
      });
    });

    it('refuses untrusted work before anything runs, or holds it tighter: no rights, and nothing of the image to write to', async (context) => {
      needs(context, 'processes');
      if (!probe.capabilities.strict) {
        await expect(under.runtime.prepare(jobSpec(undefined, { isStrict: true }))).rejects.toMatchObject({
          code: 'REQUEST_INVALID',
        });
        return;
      }
      const job = await prepare(undefined, { isStrict: true });
      for (const change of [
        { network: 'host' },
        { devices: [{ source: '/dev/null', target: '/dev/mine', rights: 'r' }] },
        { hostVolumes: [{ source: '/srv', target: '/srv' }] },
        { privileged: { isProjectTrusted: true } },
      ] as const)
        await expect(job.stage(stageSpec(change))).rejects.toMatchObject({ code: 'REQUEST_INVALID' });
      const script = [
        'grep -E "^(CapEff|CapBnd|NoNewPrivs):" /proc/self/status',
        'touch /bin/planted 2>/dev/null || echo image: read-only',
        'touch /tmp/a /var/tmp/a "$HOME/a" here && echo folders: writable',
        'chown 1:1 here 2>/dev/null || echo owners: fixed',
        'echo "files: $(ulimit -n) $(ulimit -Hn)"',
        'echo "cores: $(cat /sys/fs/cgroup/cpu.max /sys/fs/cgroup/cpu*/cpu.cfs_quota_us 2>/dev/null | head -n 1 | cut -d " " -f 1)"',
      ].join('\n');
      const { end, stdout } = await run(job, script, { release: { environment: { HOME: '/root' } } });
      expect(end).toEqual(exited(0));
      expect(stdout().toString().replaceAll('\t', ' ').trim().split('\n')).toEqual([
        'CapEff: 0000000000000000',
        'CapBnd: 0000000000000000',
        'NoNewPrivs: 1',
        'image: read-only',
        'folders: writable',
        'owners: fixed',
        'files: 4096 4096',
        // Of a period of 100 ms: two cores.
        'cores: 200000',
      ]);
      // Steps share what they leave in the workspace.
      expect((await run(job, 'test -f here')).end).toEqual(exited(0));
    });

    it('mounts a folder of its host that it is told to, never one with an engine in it, or refuses', async (context) => {
      needs(context, 'processes');
      const job = await prepare();
      const asking = (source: string): StageSpec =>
        stageSpec({ name: 'asks', hostVolumes: [{ source, target: '/from-host', isReadOnly: true }] });
      for (const source of ['/var/run', '/var/run/docker.sock', '/'])
        await expect(job.stage(asking(source))).rejects.toMatchObject({ code: 'REQUEST_INVALID' });
      const folder = await mkdtemp(join(tmpdir(), 'gantry-from-host-'));
      try {
        // A link that somebody made into a folder of the engine is one.
        await symlink('/var/run', join(folder, 'link'));
        await expect(job.stage(asking(join(folder, 'link')))).rejects.toMatchObject({ code: 'REQUEST_INVALID' });
        await writeFile(join(folder, 'data'), 'of the host');
        if (!probe.capabilities.strict) {
          await expect(job.stage(asking(folder))).rejects.toMatchObject({ code: 'REQUEST_INVALID' });
          return;
        }
        const { end, stdout } = await run(job, 'cat /from-host/data && ! touch /from-host/data', {
          staged: await job.stage(asking(folder)),
        });
        expect([end, stdout().toString()]).toEqual([exited(0), 'of the host']);
      } finally {
        await rm(folder, { recursive: true });
      }
    });

    it('goes on with the job after a step that could not be staged', async () => {
      const job = await prepare();
      await expect(job.stage(stageSpec({ image: under.missingImage }))).rejects.toThrow();
      expect((await run(job, [{ exit: 0 }])).end).toEqual(exited(0));
    });

    it('reports an entrypoint that does not exist as "cannot start", with its name', async (context) => {
      needs(context, 'processes');
      const { end } = await run(await prepare(), [], {
        stage: { kind: 'image', entrypoint: ['/no/such/program'] },
        release: { script: undefined },
      });
      expect(end).toMatchObject({
        kind: 'cannot-start',
        message: expect.stringContaining('/no/such/program') as string,
      });
    });

    // 3 · 4 · 5: output

    it('keeps 50,000 lines complete, in order and exact', async () => {
      const { end, stdout } = await run(await prepare(), [{ lines: 50_000 }]);
      expect(end).toEqual(exited(0));
      expect(stdout().equals(countedLines(50_000))).toBe(true);
    });

    it('keeps 1,000,000 lines complete, in order and exact', async () => {
      const { end, stdout } = await run(await prepare(), [{ lines: 1_000_000 }]);
      expect(end).toEqual(exited(0));
      expect(stdout().equals(countedLines(1_000_000))).toBe(true);
    });

    it('keeps output of the first moment and without a final newline', async () => {
      const { stdout } = await run(await prepare(), [{ print: 'no newline' }]);
      expect(stdout().toString()).toBe('no newline');
    });

    it('keeps 10 MB in one line', async () => {
      const { stdout } = await run(await prepare(), [{ bytes: 10_000_000 }]);
      expect(stdout().equals(Buffer.alloc(10_000_000, 'x'))).toBe(true);
    });

    it('keeps stdout and stderr apart, each in order', async () => {
      const { stdout, stderr } = await run(await prepare(), [
        { print: 'out 1\n' },
        { print: 'err 1\n', to: 'stderr' },
        { print: 'out 2\n' },
        { print: 'err 2\n', to: 'stderr' },
      ]);
      expect(stdout().toString()).toBe('out 1\nout 2\n');
      expect(stderr().toString()).toBe('err 1\nerr 2\n');
    });

    it('keeps what is written to /dev/stdout and /dev/stderr', async (context) => {
      needs(context, 'processes');
      const step = await run(
        await prepare(),
        'echo one > /dev/stdout; echo two > /dev/stderr; echo three >> /dev/stdout',
      );
      expect(step.stdout().toString()).toBe('one\nthree\n');
      expect(step.stderr().toString()).toBe('two\n');
    });

    it('keeps NUL and invalid UTF-8 as they are', async (context) => {
      needs(context, 'processes');
      const { stdout } = await run(await prepare(), `printf 'a\\000b\\377\\376\\303(\\n'`);
      expect(stdout()).toEqual(Buffer.from('610062fffec3280a', 'hex'));
    });

    it('reads no more while its output is not taken, and loses nothing', async () => {
      let isHeld = true;
      let letGo = (): void => {};
      const held = new Promise<void>((resolve) => {
        letGo = resolve;
      });
      let seenWhileHeld = 0;
      let seen = 0;
      const { running } = await begin(await prepare(), [{ bytes: 20_000_000 }], {
        release: {
          onOutput: (_stream, bytes) => {
            seen += bytes.length;
            if (!isHeld) return undefined;
            seenWhileHeld += bytes.length;
            return held;
          },
        },
      });
      const early = await Promise.race([running.outcome, new Promise((resolve) => setTimeout(resolve, 300, 'waits'))]);
      expect(early).toBe('waits');
      expect(seenWhileHeld).toBeLessThanOrEqual(2 * 65_536);
      isHeld = false;
      letGo();
      expect(await running.outcome).toEqual(exited(0));
      expect(seen).toBe(20_000_000);
    });

    // 7 · 8 · 9 · 10: ends that come from outside

    it('ends a step at its timeout', async () => {
      const { end } = await run(await prepare(), [{ print: 'begun\n' }, { hang: true }], {
        release: { timeoutMs: 300 },
      });
      expect(end).toEqual({ kind: 'timed-out', timeoutMs: 300 });
    });

    it('ends a step that ignores SIGTERM after the grace period', async () => {
      const step = await begin(await prepare(), [{ ignoreSigterm: true }, { print: 'begun\n' }, { hang: true }]);
      await step.printed('begun');
      const cancelledAt = performance.now();
      step.running.cancel('by a test');
      expect(await step.outcome).toEqual({ kind: 'cancelled', reason: 'by a test' });
      expect(performance.now() - cancelledAt).toBeGreaterThanOrEqual(450);
    });

    it('cancels a running step once, however often it is told', async () => {
      const step = await begin(await prepare(), [{ print: 'begun\n' }, { hang: true }], {
        release: { graceMs: 20_000 },
      });
      await step.printed('begun');
      const cancelledAt = performance.now();
      step.running.cancel('by a test');
      step.running.cancel('again');
      expect(await step.outcome).toEqual({ kind: 'cancelled', reason: 'by a test' });
      expect(performance.now() - cancelledAt).toBeLessThan(10_000);
      step.running.cancel('too late');
    });

    it('lets a step that was cancelled say goodbye on SIGTERM', async (context) => {
      needs(context, 'processes');
      const step = await begin(
        await prepare(),
        `trap 'echo goodbye; exit 0' TERM\necho begun\nwhile :; do sleep 0.05; done`,
        { release: { graceMs: 20_000 } },
      );
      await step.printed('begun');
      step.running.cancel('by a test');
      expect(await step.outcome).toEqual({ kind: 'cancelled', reason: 'by a test' });
      expect(step.stdout().toString()).toContain('goodbye');
    });

    it('settles a step once when it is cancelled at the moment of its exit', async () => {
      const job = await prepare();
      for (let round = 0; round < 10; round += 1) {
        const step = await begin(job, [{ sleepMs: 5 }, { exit: 0 }]);
        await new Promise((resolve) => setTimeout(resolve, round));
        step.running.cancel('by a test');
        expect(['exited', 'cancelled']).toContain((await step.outcome).kind);
      }
    });

    it('ends background children and double forks with their step', async (context) => {
      needs(context, 'processes');
      const mark = `${randomInt(30_000_000, 39_999_999)}`;
      const step = await run(
        await prepare(),
        `sleep ${mark} &\n(sleep ${mark} & (setsid sleep ${mark} >/dev/null 2>&1 &) ) &\nsleep 0.2; echo done`,
      );
      expect(step.end).toEqual(exited(0));
      expect(step.stdout().toString()).toBe('done\n');
      await eventually(async () => expect(await processesWith(mark)).toEqual([]));
    });

    it('reports the exit of a step whose children hold its output open within a few seconds', async (context) => {
      needs(context, 'processes');
      const begunAt = performance.now();
      const step = await run(await prepare(), 'sleep 60 &\nexit 4');
      expect(step.end).toEqual(exited(4));
      expect(performance.now() - begunAt).toBeLessThan(10_000);
    });

    it('waits for a step that closed its output and runs on', async (context) => {
      needs(context, 'processes');
      const step = await run(await prepare(), 'echo first; exec >&- 2>&-; sleep 0.3; exit 3');
      expect(step.end).toEqual(exited(3));
      expect(step.stdout().toString()).toBe('first\n');
    });

    it('leaves no process of a step that was cancelled while it ignored SIGTERM', async (context) => {
      needs(context, 'processes');
      const mark = `${randomInt(30_000_000, 39_999_999)}`;
      const step = await begin(
        await prepare(),
        `trap '' TERM\n(trap '' TERM; sleep ${mark}) &\necho begun\nsleep ${mark}`,
      );
      await step.printed('begun');
      step.running.cancel('by a test');
      expect((await step.outcome).kind).toBe('cancelled');
      await eventually(async () => expect(await processesWith(mark)).toEqual([]));
    });

    // 11 · 12: limits

    it('reports a step that eats memory as out of memory, and leaves the others alone', async (context) => {
      needs(context, 'processes', 'memoryLimit', 'oomReport');
      const job = await prepare();
      const other = await begin(job, 'echo begun; sleep 2; echo alive');
      await other.printed('begun');
      const limitBytes = 32 * 2 ** 20;
      const { end } = await run(job, `head -c 300000000 /dev/zero | tail`, {
        stage: { limits: { memoryBytes: limitBytes } },
      });
      expect(end).toEqual({ kind: 'oom', limitBytes });
      expect(await other.outcome).toEqual(exited(0));
      expect(other.stdout().toString()).toContain('alive');
    });

    it('holds a fork bomb by the limit of processes', async (context) => {
      needs(context, 'processes', 'pidsLimit');
      const job = await prepare();
      const bomb = await begin(job, 'echo begun; f() { f | f & }; f; while :; do sleep 1; done', {
        stage: { limits: { pids: 64 } },
        release: { timeoutMs: 4_000 },
      });
      await bomb.printed('begun');
      const { end } = await run(job, [{ exit: 0 }]);
      expect(end).toEqual(exited(0));
      // Its own shell may be the one that cannot fork any more, and then it gives up by itself.
      expect(await bomb.outcome).not.toEqual(exited(0));
    });

    it('ends a step that fills the disk at its limit, and leaves the others alone', async (context) => {
      needs(context, 'processes', 'diskLimit');
      const job = await prepare();
      const limitBytes = 16 * 2 ** 20;
      const { end } = await run(
        job,
        'i=0; while :; do head -c 4000000 /dev/zero > fill$i; i=$((i+1)); sleep 0.05; done',
        {
          stage: { limits: { diskBytes: limitBytes } },
        },
      );
      expect(end).toEqual({ kind: 'disk-limit', limitBytes });
      expect((await run(job, 'rm fill*')).end).toEqual(exited(0));
    });

    it('finds a disk limit passed that was broken within a moment', async (context) => {
      needs(context, 'processes', 'diskLimit');
      const job = await prepare();
      const limitBytes = 16 * 2 ** 20;
      const { end } = await run(job, 'head -c 100000000 /dev/zero > burst', {
        stage: { limits: { diskBytes: limitBytes } },
      });
      expect(end).toEqual({ kind: 'disk-limit', limitBytes });
      expect((await run(job, 'rm burst')).end).toEqual(exited(0));
    });

    // 13 · 15: steps of one job

    it('shares the workspace between the steps of a job: files, modes, links', async (context) => {
      needs(context, 'processes');
      const job = await prepare();
      const first = await run(
        job,
        'pwd; mkdir -p a/b; echo data > a/b/file; chmod 750 a/b/file; ln -s b/file a/link; ln a/b/file a/hard',
      );
      expect(first.end).toEqual(exited(0));
      expect(first.stdout().toString()).toBe('/drone/src\n');
      const second = await run(job, 'cat a/link a/hard; stat -c %a a/b/file; readlink a/link; echo more >> a/b/file');
      expect(second.stdout().toString()).toBe('data\ndata\n750\nb/file\n');
      expect((await run(job, 'cat a/hard')).stdout().toString()).toBe('data\nmore\n');
    });

    it('runs steps of a job at the same time', async (context) => {
      needs(context, 'processes');
      const job = await prepare();
      const meet = (mine: string, theirs: string): string =>
        `touch ${mine}; i=0; while [ ! -e ${theirs} ]; do i=$((i+1)); [ $i -gt 200 ] && exit 1; sleep 0.05; done; echo ${mine}`;
      const both = await Promise.all([run(job, meet('left', 'right')), run(job, meet('right', 'left'))]);
      expect(both.map((step) => step.end)).toEqual([exited(0), exited(0)]);
      expect(both.map((step) => step.stdout().toString())).toEqual(['left\n', 'right\n']);
    });

    it('does not mix the output of steps that run at the same time', async () => {
      const job = await prepare();
      const counts = [3_000, 3_001, 3_002];
      const steps = await Promise.all(counts.map((count) => run(job, [{ lines: count }])));
      expect(steps.map((step, i) => step.stdout().equals(countedLines(counts[i]!)))).toEqual([true, true, true]);
    });

    // 14: services and volumes

    const tcp = (port: number): PortPlan => ({ port, protocol: 'tcp' });

    /** A service of the job that answers on its ports, each with its own name. */
    const beginService = async (job: RuntimeJob, hostName: string, acts: readonly ContractAct[] | string) => {
      const stage = stageSpec({ name: hostName, hostName, startsIn: 'image' });
      return { stepId: stage.id, service: await begin(job, acts, { staged: await job.stage(stage) }) };
    };

    const awaitPorts = (
      job: RuntimeJob,
      stepId: string,
      ports: readonly PortPlan[],
      more: Partial<PortWait> = {},
    ): Promise<PortAnswers> =>
      job.waitForPorts({
        stepId,
        ports,
        timeoutMs: 30_000,
        settleMs: 200,
        signal: new AbortController().signal,
        ...more,
      });

    it('tells when a service answers on its port, and ends it with the job', async (context) => {
      needs(context, 'services');
      const job = await prepare(undefined, { hostNames: ['web'] });
      const { stepId, service } = await beginService(job, 'web', [{ serve: 8080 }]);
      expect(await awaitPorts(job, stepId, [tcp(8080)])).toEqual({ answered: [tcp(8080)], silent: [] });
      await job.destroy();
      expect((await service.outcome).kind).not.toBe('exited');
    });

    it('lets the other steps reach a service by its name and on localhost', async (context) => {
      needs(context, 'services', 'processes');
      const job = await prepare(undefined, { hostNames: ['web', 'db_1'] });
      const { stepId } = await beginService(
        job,
        'web',
        'mkdir /www && echo served > /www/page && exec httpd -f -p 8080 -h /www',
      );
      await awaitPorts(job, stepId, [tcp(8080)]);
      const script =
        'wget -qO- http://web:8080/page && wget -qO- http://localhost:8080/page && wget -qO- http://db_1:8080/page';
      const { end, stdout, stderr } = await run(job, script);
      expect(stderr().toString()).toBe('');
      expect(end).toEqual(exited(0));
      expect(stdout().toString()).toBe('served\nserved\nserved\n');
    });

    it('gives each step names that no other step has changed', async (context) => {
      needs(context, 'services', 'processes');
      const job = await prepare(undefined, { hostNames: ['web'] });
      expect((await run(job, 'echo 10.9.9.9 planted web >> /etc/hosts')).end).toEqual(exited(0));
      const { stdout } = await run(job, 'grep -c planted /etc/hosts; grep -c "web$" /etc/hosts');
      expect(stdout().toString()).toBe('0\n1\n');
    });

    it('says which ports stay silent: all after the limit, the others soon after one has answered', async (context) => {
      needs(context, 'services');
      const job = await prepare(undefined, { hostNames: ['web'] });
      const { stepId } = await beginService(job, 'web', [{ serve: 8080 }]);
      const silent = [tcp(8081), { port: 8080, protocol: 'udp' } as const];
      expect(await awaitPorts(job, stepId, silent, { timeoutMs: 100 })).toEqual({ answered: [], silent });
      expect(await awaitPorts(job, stepId, [tcp(8080), tcp(8081)])).toEqual({
        answered: [tcp(8080)],
        silent: [tcp(8081)],
      });
    });

    it('stops waiting for a port when it is told to', async (context) => {
      needs(context, 'services');
      const job = await prepare(undefined, { hostNames: ['web'] });
      const { stepId } = await beginService(job, 'web', [{ hang: true }]);
      const stop = new AbortController();
      const wait = awaitPorts(job, stepId, [tcp(8080)], { signal: stop.signal });
      stop.abort(new Error('not any more'));
      await expect(wait).rejects.toThrow('not any more');
    });

    it('shows the volumes of a job to its steps: shared, writable for every user, read-only where asked', async (context) => {
      needs(context, 'volumes');
      const volumes = [
        { name: 'disk', medium: 'disk' },
        { name: 'memory', medium: 'memory' },
      ] as const;
      const job = await prepare(undefined, { volumes });
      const both = [
        { name: 'disk', target: '/var/lib/data' },
        { name: 'memory', target: '/tmp/fast' },
      ];
      const writes =
        'ls -A /var/lib/data /tmp/fast; echo kept > /var/lib/data/file; echo quick > /tmp/fast/file; touch /tmp/own';
      const first = await run(job, writes, { stage: { user: '1234', volumes: both } });
      expect(first.stderr().toString()).toBe('');
      expect(first.end).toEqual(exited(0));
      const reads =
        'cat /elsewhere/file /tmp/fast/file; echo no > /elsewhere/file || echo refused; ls /var/lib/data 2>&1 | wc -l';
      const { stdout } = await run(job, reads, {
        stage: {
          volumes: [
            { name: 'disk', target: '/elsewhere', isReadOnly: true },
            { name: 'memory', target: '/tmp/fast' },
          ],
        },
      });
      expect(stdout().toString()).toBe('kept\nquick\nrefused\n1\n');
      const { stdout: alone } = await run(job, 'ls /elsewhere /tmp/fast 2>/dev/null | wc -l');
      expect(alone().toString()).toBe('0\n');
    });

    it('holds a volume in memory to its size', async (context) => {
      needs(context, 'volumes');
      const job = await prepare(undefined, { volumes: [{ name: 'm', medium: 'memory', sizeBytes: 1024 * 1024 }] });
      const script = 'if head -c 3000000 /dev/zero > /m/file; then exit 9; fi; test "$(wc -c < /m/file)" -le 1048576';
      const { end } = await run(job, script, { stage: { volumes: [{ name: 'm', target: '/m' }] } });
      expect(end).toEqual(exited(0));
    });

    it('gives a step as much of /dev/shm as it asks for, and 64 MiB otherwise', async (context) => {
      needs(context, 'volumes');
      const job = await prepare();
      const script = `df -k /dev/shm | tail -n 1 | tr -s ' ' | cut -d ' ' -f 2; head -c 70000000 /dev/zero 2>/dev/null > /dev/shm/file && echo fits`;
      const { stdout: usual } = await run(job, script);
      // Podman's default is one of 1000.
      expect(usual().toString()).toMatch(/^(65536|64000)\n$/);
      const { stdout: more } = await run(job, script, { stage: { limits: { shmBytes: 128 * 2 ** 20 } } });
      expect(more().toString()).toBe('131072\nfits\n');
    });

    it('gives each job volumes of its own', async (context) => {
      needs(context, 'volumes');
      const volumes = [{ name: 'v', medium: 'disk' }] as const;
      const mounted = { stage: { volumes: [{ name: 'v', target: '/v' }] } };
      const first = await prepare(undefined, { volumes });
      await run(first, 'echo mine > /v/file', mounted);
      await first.destroy();
      const { stdout } = await run(await prepare(undefined, { volumes }), 'ls /v | wc -l', mounted);
      expect(stdout().toString()).toBe('0\n');
    });

    // 16 · 17 · 18: what a step is given

    it('gives a secret to the step that it is released with, and to no other', async () => {
      const job = await prepare();
      const value = `s3cr3t-${randomInt(1e12)}`;
      const waiting = await job.stage(stageSpec({ name: 'waiting' }));
      const having = await begin(job, [{ printVariable: 'TOKEN' }, { hang: true }], {
        release: { secrets: { TOKEN: value }, environment: { TOKEN: 'plain' } },
      });
      await having.printed(value);
      expect(await processesWith(value)).toEqual([]);
      const without = await run(job, [{ printVariable: 'TOKEN' }], { staged: waiting });
      expect(without.stdout().toString()).toBe('\n');
      having.running.cancel('enough');
      await having.outcome;
    });

    const values: [string, string][] = [
      ['newlines', 'one\ntwo\n\nfour'],
      ['quotes', `it's "quoted" \\ \`here\``],
      ['dollars', '$HOME ${HOME} $(id) $$'],
      ['nothing', ''],
      ['100 KiB', 'k'.repeat(100 * 1_024)],
      ['Chinese', '一键上线'],
    ];
    it.each(values)('gives a variable with %s exactly as it is', async (_what, value) => {
      const { stdout } = await run(await prepare(), [{ printVariable: 'VALUE' }], {
        release: { environment: { VALUE: value } },
      });
      expect(stdout().toString()).toBe(`${value}\n`);
    });

    it('runs a script of more than 128 KiB', async (context) => {
      needs(context, 'processes');
      const { end, stdout } = await run(await prepare(), `${`: ${'x'.repeat(1_000)}\n`.repeat(300)}echo end`);
      expect(end).toEqual(exited(0));
      expect(stdout().toString()).toBe('end\n');
    });

    it("runs a program of Gantry's own in the workspace, with an input and without network", async (context) => {
      needs(context, 'processes');
      const job = await prepare();
      const said = { stdout: '', stderr: '' };
      const runProgram = (program: string, input?: Readable): Promise<Outcome> =>
        job.runProgram!({
          id: `p${(nextId += 1)}`,
          name: 'program',
          image: under.image,
          pull: 'if-not-present',
          program,
          args: ['in/put', "it's", '3000000'],
          input,
          onOutput: (stream, bytes) => {
            said[stream] += bytes.toString('latin1');
          },
          limits: {},
          timeoutMs: 60_000,
          signal: new AbortController().signal,
        });
      const copy = String.raw`mkdir 'in'; open(my $file, '>', $ARGV[0]) or die $!; my $sum = 0;
        while ($sum < $ARGV[2] && sysread(STDIN, my $piece, 65536)) { syswrite($file, $piece); $sum += length $piece } print "$sum $ARGV[1] $>\0\xff"; warn "said"`;
      const bytes = Buffer.alloc(3_000_000, 'gantry');
      expect(await runProgram(copy, Readable.from([bytes.subarray(0, 1_000_000), bytes.subarray(1_000_000)]))).toEqual(
        exited(0),
      );
      expect(said.stdout).toBe("3000000 it's 0\0\xff");
      expect(said.stderr).toContain('said');
      const { stdout } = await run(job, 'wc -c < in/put; head -c 6 in/put; echo; cat /proc/net/dev > dev');
      expect(stdout().toString().split('\n')).toEqual(['3000000', 'gantry', '']);
      expect(await runProgram('exit 3')).toEqual(exited(3));
      said.stdout = '';
      await runProgram(
        String.raw`open(my $list, '<', '/proc/net/route') or exit; print grep { /^\w+\s+0{8}/ } <$list>`,
      );
      expect(said.stdout).toBe('');
    });

    it('inherits nothing of the environment of the program that runs it', async (context) => {
      needs(context, 'processes');
      process.env['GANTRY_CONTRACT_CANARY'] = 'canary';
      const { stdout } = await run(await prepare(), 'env');
      delete process.env['GANTRY_CONTRACT_CANARY'];
      expect(stdout().toString()).not.toContain('canary');
      expect(stdout().toString()).toMatch(/^HOME=/m);
      expect(stdout().toString()).toMatch(/^PATH=/m);
    });

    it('starts a step in the folder and as the user it names', async (context) => {
      needs(context, 'processes');
      const job = await prepare();
      const { stdout } = await run(job, 'pwd; id -u; id -g', {
        stage: { user: '1234:1235', workingDirectory: '/tmp' },
      });
      expect(stdout().toString()).toBe('/tmp\n1234\n1235\n');
    });

    it('runs entrypoint and command of a step without commands', async (context) => {
      needs(context, 'processes');
      const { end, stdout } = await run(await prepare(), [], {
        stage: { kind: 'image', entrypoint: ['/bin/sh', '-c'], command: ['echo "$0 $1"; exit 7', 'a', 'b c'] },
        release: { script: undefined },
      });
      expect(stdout().toString()).toBe('a b c\n');
      expect(end).toEqual(exited(7));
    });

    it('checks the commit out in a clone step, with origin and branch', async (context) => {
      needs(context, 'processes');
      const folder = await mkdtemp(join(tmpdir(), 'contract-git-'));
      folders.push(folder);
      const repository = await bareRepository(folder);
      const job = await prepare(repository);
      const clone = await run(job, [], { stage: { kind: 'clone', image: '' }, release: { script: undefined } });
      expect(clone.end).toEqual(exited(0));
      const { stdout } = await run(
        job,
        'cat hello.txt; ./run.sh; readlink link; ls -A | sort | tr "\\n" " "; cat .git/HEAD',
      );
      expect(stdout().toString()).toBe('hello\nran\nhello.txt\n.git hello.txt link run.sh ref: refs/heads/main\n');
    });

    it('checks out what it is told at its release: a folder, a part of the history, tags, submodules', async (context) => {
      needs(context, 'processes');
      const folder = await mkdtemp(join(tmpdir(), 'contract-git-'));
      folders.push(folder);
      const repository = await bareRepository(folder);
      const git = async (...args: string[]): Promise<string> =>
        (
          await promisify(execFile)(
            'git',
            ['-c', 'user.name=A', '-c', 'user.email=a@b', `--git-dir=${repository.folder}`, ...args],
            { cwd: folder },
          )
        ).stdout.trim();
      const { commit: first } = repository;
      const second = await git('commit-tree', '-p', first, '-m', 'Second', `${first}^{tree}`);
      await git('tag', '-a', '-m', 'One', 'v1', second);
      const source = { ...repository, commit: second };
      const lib = { name: 'lib', path: 'a b/lib', parent: '', folder: repository.folder, commit: first };
      const inner = { ...lib, name: 'inner', path: 'a b/lib/inner', parent: 'a b/lib' };
      const submodules = [lib, inner].map((each) => ({ ...each, remoteUrl: 'https://git.example/lib.git' }));
      const job = await prepare({ ...source, depth: 1, hasTags: true, path: 'sub/top', isGathered: true });
      const clone = await run(job, [], {
        stage: { kind: 'clone', image: '' },
        release: {
          script: undefined,
          gather: async (note) => {
            note('Fetching it');
            return { source, submodules };
          },
        },
      });
      expect(clone.end).toEqual(exited(0));
      expect(clone.stdout().toString()).toContain('Fetching it\n');
      expect(clone.stdout().toString()).toContain(`Submodule a b/lib: ${first} from https://git.example/lib.git\n`);
      const { stdout } = await run(
        job,
        'cd sub/top; cat .git/shallow; grep -c refs/tags/v1 .git/packed-refs; cat "a b/lib/hello.txt" "a b/lib/inner/hello.txt" "a b/lib/inner/.git"; cat .git/modules/lib/modules/inner/HEAD',
      );
      expect(stdout().toString()).toBe(
        `${second}\n1\nhello\nhello\ngitdir: ../../../.git/modules/lib/modules/inner\n${first}\n`,
      );
    });

    it('ends a checkout that is refused with the reason', async (context) => {
      needs(context, 'processes');
      const folder = await mkdtemp(join(tmpdir(), 'contract-git-'));
      folders.push(folder);
      const job = await prepare({ ...(await bareRepository(folder)), isGathered: true });
      const because = new GantryError('CHECKOUT_REFUSED', 'Cannot check out the submodule "x": there is none');
      const { end, stderr } = await run(job, [], {
        stage: { kind: 'clone', image: '' },
        release: { script: undefined, gather: () => Promise.reject(because) },
      });
      expect(end).toEqual(exited(1));
      expect(stderr().toString()).toContain('Cannot check out the submodule "x": there is none\n');
    });

    // The gate

    it('runs nothing of a staged step before its release, nor after it was discarded', async (context) => {
      needs(context, 'processes');
      const job = await prepare();
      const mark = `${randomInt(30_000_000, 39_999_999)}`;
      const staged = await job.stage(stageSpec({ kind: 'image', entrypoint: ['sleep', mark] }));
      const dropped = await job.stage(stageSpec({ kind: 'image', entrypoint: ['sleep', mark] }));
      expect(await runningPrograms('sleep', mark)).toEqual([]);
      await dropped.discard();
      await dropped.discard();
      const step = await begin(job, [], { staged, release: { script: undefined } });
      await eventually(async () => expect(await runningPrograms('sleep', mark)).toHaveLength(1));
      step.running.cancel('enough');
      await step.outcome;
    });

    it('holds three steps of a job staged at once', async () => {
      const job = await prepare();
      const staged = await Promise.all([1, 2, 3].map(() => job.stage(stageSpec())));
      for (const [i, gate] of staged.entries()) {
        const { end } = await run(job, [{ exit: i }], { staged: gate });
        expect(end).toEqual(exited(i));
      }
    });

    it('refuses to stage one id twice, to release twice and to release what was discarded', async () => {
      const job = await prepare();
      const spec = stageSpec();
      const step = await run(job, [{ exit: 0 }], { staged: await job.stage(spec) });
      await expect(job.stage(spec)).rejects.toThrow(TypeError);
      await expect(begin(job, [], { staged: step.staged })).rejects.toThrow(TypeError);
      const dropped = await job.stage(stageSpec());
      await dropped.discard();
      await expect(begin(job, [], { staged: dropped })).rejects.toThrow(TypeError);
    });

    // 24 · 26 · 28: jobs

    it('answers the same job when it is prepared twice', async () => {
      const spec = jobSpec();
      const [one, two] = [await under.runtime.prepare(spec), await under.runtime.prepare(spec)];
      jobs.push(one);
      expect(one).toBe(two);
    });

    it('destroys a job twice, with what runs and what is staged in it', async () => {
      const job = await prepare();
      await job.stage(stageSpec());
      const step = await begin(job, [{ print: 'begun\n' }, { hang: true }]);
      await step.printed('begun');
      await Promise.all([job.destroy(), job.destroy()]);
      await job.destroy();
      expect(['cancelled', 'killed', 'infrastructure']).toContain((await step.outcome).kind);
      await expect(job.stage(stageSpec())).rejects.toThrow();
    });

    it('destroys a job while a step of it is being staged', async () => {
      const job = await prepare();
      const staging = job.stage(stageSpec()).catch((error: unknown) => error);
      await job.destroy();
      await staging;
      await job.destroy();
    });

    it('stops staging when it is told to', async () => {
      const job = await prepare();
      const stop = new AbortController();
      stop.abort();
      await expect(job.stage(stageSpec({ signal: stop.signal }))).rejects.toThrow();
    });

    it('leaves nothing behind after many jobs in a row', { timeout: 300_000 }, async () => {
      const play = async (): Promise<void> => {
        const job = await under.runtime.prepare(jobSpec());
        await run(job, [{ print: 'x\n' }, { exit: 0 }]);
        await job.destroy();
      };
      for (let round = 0; round < 5; round += 1) await play();
      const before = { left: await under.leftovers?.(), descriptors: await openDescriptors() };
      for (let round = 0; round < (under.jobsInARow ?? 200); round += 1) await play();
      await eventually(async () => expect(await under.leftovers?.()).toEqual(before.left));
      await eventually(async () => expect(await openDescriptors()).toBeLessThanOrEqual(before.descriptors + 4));
    });

    it('hides the files, processes and environment of one job from another', async (context) => {
      needs(context, 'processes');
      const mark = `${randomInt(30_000_000, 39_999_999)}`;
      const one = await begin(
        await prepare(),
        `echo ${mark} > secret; echo ${mark} > /tmp/secret; echo begun; sleep ${mark}`,
        {
          release: { environment: { MARK: mark } },
        },
      );
      await one.printed('begun');
      const two = await run(
        await prepare(),
        'ls -A; ls -A /tmp; cat /proc/*/cmdline /proc/*/environ 2>/dev/null | tr "\\0" "\\n"; mount',
      );
      expect(two.stdout().toString()).not.toContain(mark);
      expect(two.stdout().toString()).not.toContain('secret');
      one.running.cancel('enough');
      await one.outcome;
    });

    it('hides the listeners of the host from a job', async (context) => {
      needs(context, 'processes');
      const listener = createServer((socket) => socket.end('reached\n'));
      await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
      const address = listener.address();
      const port = typeof address === 'object' && address ? address.port : 0;
      const { stdout } = await run(
        await prepare(),
        `command -v nc >/dev/null && echo can; nc -w 2 127.0.0.1 ${port} </dev/null; true`,
      );
      await new Promise((resolve) => listener.close(resolve));
      expect(stdout().toString()).toBe('can\n');
    });

    keptStepsCases({ runtime: () => under.runtime, otherImage: () => under.otherImage, prepare, stageSpec });

    it('removes nothing of living jobs when it reaps', async () => {
      const job = await prepare();
      const step = await begin(job, [{ print: 'begun\n' }, { sleepMs: 300 }, { print: 'alive\n' }]);
      await step.printed('begun');
      await under.runtime.reap();
      expect(await step.outcome).toEqual(exited(0));
      expect(step.stdout().toString()).toBe('begun\nalive\n');
    });
  });
}

function countedLines(count: number): Buffer {
  return Buffer.from(Array.from({ length: count }, (_, i) => `line ${i + 1}\n`).join(''));
}

/** Command lines on this host that hold the text, whatever namespace they are in. */
async function processesWith(text: string): Promise<readonly string[]> {
  const found: string[] = [];
  for (const pid of await readdir('/proc')) {
    if (!/^\d+$/.test(pid) || Number(pid) === process.pid) continue;
    const commandLine = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    if (commandLine.includes(text)) found.push(commandLine.replaceAll('\0', ' '));
  }
  return found;
}

/** As `processesWith`, but only those that run the program itself: a gate that waits may carry its command line. */
async function runningPrograms(program: string, text: string): Promise<readonly string[]> {
  return (await processesWith(text)).filter((line) => line.split(' ')[0]?.split('/').at(-1) === program);
}

async function openDescriptors(): Promise<number> {
  return (await readdir('/proc/self/fd')).length;
}

/** Tries until it passes, for 5 s: what ends on its own time has no event to wait for. */
async function eventually(check: () => Promise<void>): Promise<void> {
  const giveUpAt = performance.now() + 5_000;
  for (;;) {
    try {
      return await check();
    } catch (error) {
      if (performance.now() > giveUpAt) throw error;
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
  }
}

async function bareRepository(folder: string): Promise<RepositorySpec> {
  const run = promisify(execFile);
  const work = join(folder, 'work');
  const identity = {
    GIT_AUTHOR_NAME: 'A',
    GIT_AUTHOR_EMAIL: 'a@b',
    GIT_COMMITTER_NAME: 'A',
    GIT_COMMITTER_EMAIL: 'a@b',
  };
  const git = async (...args: string[]): Promise<string> =>
    (await run('git', args, { cwd: folder, env: { ...process.env, ...identity } })).stdout.trim();
  await git('init', '-q', '-b', 'main', work);
  await writeFile(join(work, 'hello.txt'), 'hello\n');
  await writeFile(join(work, 'run.sh'), '#!/bin/sh\necho ran\n');
  await chmod(join(work, 'run.sh'), 0o755);
  await run('ln', ['-s', 'hello.txt', join(work, 'link')]);
  await git('-C', work, 'add', '.');
  await git('-C', work, 'commit', '-q', '-m', 'First');
  await git('clone', '-q', '--bare', work, join(folder, 'bare.git'));
  return {
    folder: join(folder, 'bare.git'),
    remoteUrl: 'http://localhost/owner/project.git',
    commit: await git('-C', work, 'rev-parse', 'HEAD'),
    ref: 'refs/heads/main',
    branch: 'main',
  };
}
