import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { PipelinePlan } from '../../src/core/plan.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { silentLogger } from '../../src/lib/logger.ts';
import { openStore } from '../../src/store/open-store.ts';
import { GantryProcess } from '../support/gantry-process.ts';
import { workflowOf } from './engine-world.ts';
import { type Benchmark, timed } from './harness.ts';

const pipelines = 100_000;

/** Proportional set size: what is shared is counted in shares (proc(5), smaps_rollup). */
function pssMb(pid: number): number {
  const found = /^Pss:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'));
  return Number(found?.[1] ?? 0) / 1024;
}

/** Programs that the process started and that live, such as the reader of pipeline files. */
function childrenOf(pid: number): readonly number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number);
}

function cpuSeconds(pid: number): number {
  const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

async function fill(dataFolder: string): Promise<void> {
  const store = await openStore(
    { kind: 'file', path: join(dataFolder, 'gantry.db') },
    { clock: systemClock, logger: silentLogger },
  );
  const project = (await store.read.projects.findBySlug('admin', 'bench'))!;
  const plan: PipelinePlan = {
    dialect: 'gantry',
    path: '.gantry.yml',
    workflows: [workflowOf('one', [{ name: 'one', dependsOn: [] }])],
  };
  const at = systemClock.now();
  for (let done = 0; done < pipelines; done += 500)
    await store.write(async (stores) => {
      for (let i = done; i < done + 500; i += 1) {
        const { event } = await stores.events.create({
          projectId: project.id,
          kind: 'push',
          key: `bench:${i}`,
          ref: 'refs/heads/main',
          before: 'b'.repeat(40),
          after: 'c'.repeat(40),
          personName: 'admin',
          parameters: {},
          createdAt: at,
        });
        const made = await stores.pipelines.create(
          {
            projectId: project.id,
            eventId: event.id,
            expectedNumber: i + 1,
            event: 'push',
            status: 'passed',
            ref: event.ref,
            branch: 'main',
            commit: event.after,
            before: event.before,
            message: 'One of many',
            authorName: 'Mei',
            authorEmail: 'mei@example.com',
            personName: 'admin',
            parameters: {},
            path: '.gantry.yml',
            dialect: 'gantry',
            createdAt: at,
            startedAt: at,
            finishedAt: at,
          },
          plan,
        );
        await stores.events.markPlanned(event.id, at, made?.pipeline.id, []);
        for (const workflow of made?.workflows ?? [])
          await stores.pipelines.updateWorkflow({ id: workflow.id, status: 'passed', startedAt: at, finishedAt: at });
        await stores.pipelines.updateSteps(
          (made?.steps ?? []).map(({ id }) => ({ id, status: 'passed', startedAt: at, finishedAt: at })),
        );
      }
    });
  await store.close();
}

export const benchmark: Benchmark = {
  id: 'A2',
  title: 'cold start with 100,000 pipelines; idle CPU and memory of server and runner (A3)',
  async prepare() {
    const gantry = await GantryProcess.start({ runtime: 'sandbox' });
    await gantry.createProject('bench');
    await gantry.signalServer('SIGTERM');
    await fill(gantry.dataFolder);
    await gantry.startServer();

    async function pids(): Promise<number[]> {
      return [gantry.serverPid, ...(await gantry.runnerPids())];
    }

    return {
      comparisons: [
        {
          variant: 'ready with 100,000 pipelines',
          peer: 'none',
          unit: 'ms',
          async gantry() {
            await gantry.signalServer('SIGTERM');
            return timed(() => gantry.startServer());
          },
          goal: '≤ 500 ms',
          isMet: ({ gantry: ours }) => ours.p50 <= 500,
        },
        {
          variant: 'idle CPU, 60 s scaled to 10 min, seconds',
          peer: 'none',
          unit: 'count',
          pairs: 1,
          warmUps: 0,
          async gantry() {
            await sleep(5_000);
            const watched = await pids();
            const sum = (): number => watched.reduce((total, pid) => total + cpuSeconds(pid), 0);
            const before = sum();
            await sleep(60_000);
            return (sum() - before) * 10;
          },
          goal: '≤ 0.5 CPU-s per 10 min',
          isMet: ({ gantry: ours }) => ours.p50 <= 0.5,
        },
        {
          variant: 'A3: PSS of server, runner and reader of pipeline files, idle',
          peer: 'none',
          unit: 'MB',
          pairs: 3,
          warmUps: 0,
          async gantry() {
            await gantry.client('lintPipelineFile', { body: { path: '.gantry.yml', text: 'kind: pipeline\n' } });
            await sleep(2_000);
            const readers = childrenOf(gantry.serverPid);
            if (readers.length === 0) throw new Error('The reader of pipeline files is not there');
            return [...(await pids()), ...readers].reduce((total, pid) => total + pssMb(pid), 0);
          },
          goal: '≤ 150 MB',
          isMet: ({ gantry: ours }) => ours.p50 <= 150,
        },
      ],
      cleanUp: () => gantry.dispose(),
    };
  },
};
