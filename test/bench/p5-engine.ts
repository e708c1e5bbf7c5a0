import type { PipelinePlan } from '../../src/core/plan.ts';
import { EngineWorld, workflowOf } from './engine-world.ts';
import type { Benchmark, Comparison } from './harness.ts';
import { type Graph, GraphilePeer } from './peers/graphile-worker.ts';

const fanOut = 99;

/** So many times one step with 99 that wait for it: 10,000 steps, and for pairs with a peer, which takes its time, 2,000. */
const whole = { groups: 100 } as const;
const beside = { groups: 20 } as const;
type Size = typeof whole | typeof beside;

const stepsOf = ({ groups }: Size): number => groups * (1 + fanOut);

/** The graph as jobs. */
function graphOf({ groups }: Size): Graph {
  const dependants: number[][] = [];
  const waits: number[] = [];
  for (let group = 0; group < groups; group += 1) {
    const root = group * (fanOut + 1);
    dependants[root] = Array.from({ length: fanOut }, (_, i) => root + 1 + i);
    waits[root] = 0;
    for (let i = 1; i <= fanOut; i += 1) {
      dependants[root + i] = [];
      waits[root + i] = 1;
    }
  }
  return { dependants, waits };
}

/** The same graph as a pipeline. */
function planOf({ groups }: Size): PipelinePlan {
  return {
    dialect: 'gantry',
    path: '.gantry.yml',
    workflows: Array.from({ length: groups }, (_, group) =>
      workflowOf(`group ${group}`, [
        { name: 'root', dependsOn: [] },
        ...Array.from({ length: fanOut }, (_none, i) => ({ name: `leaf ${i}`, dependsOn: ['root'] })),
      ]),
    ),
  };
}

export const benchmark: Benchmark = {
  id: 'P5',
  title: 'the engine alone: 10,000 steps, fan-out 100, durable',
  async prepare() {
    const world = await EngineWorld.create();
    const peer = await GraphilePeer.start();
    const perSecond = (size: Size, tookMs: number): number => (stepsOf(size) / tookMs) * 1_000;
    const gantry = async (size: Size): Promise<number> => {
      world.plan = planOf(size);
      return perSecond(size, await world.run());
    };
    const comparisons: Comparison[] = [
      {
        variant: 'SQLite, in process, 10,000 steps',
        peer: 'none',
        unit: 'perSecond',
        pairs: 10,
        gantry: () => gantry(whole),
        goal: '≥ 20,000 steps/s',
        isMet: (result) => result.gantry.p50 >= 20_000,
      },
    ];
    if (!('missing' in peer)) {
      const pair = (isTuned: boolean): Comparison => ({
        variant: `SQLite, in process, the same ${stepsOf(beside)} steps for both`,
        peer: isTuned ? 'graphile-worker, tuned' : 'graphile-worker, as its README',
        unit: 'perSecond',
        pairs: 10,
        gantry: () => gantry(beside),
        peerRun: async () => perSecond(beside, await peer.runGraph(graphOf(beside), isTuned)),
        goal: isTuned ? 'none: shown' : '≥ 3×',
        isMet: ({ ratio }) => isTuned || (ratio !== undefined && ratio.p50 >= 3),
      });
      comparisons.push(pair(false), pair(true));
    }
    return {
      comparisons,
      notes: 'missing' in peer ? [peer.missing] : [],
      async cleanUp() {
        await world.close();
        if (!('missing' in peer)) await peer.stop();
      },
    };
  },
};
