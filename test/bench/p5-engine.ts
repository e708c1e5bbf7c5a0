import { EngineWorld, workflowOf } from './engine-world.ts';
import type { Benchmark, Comparison } from './harness.ts';
import { type Graph, GraphilePeer } from './peers/graphile-worker.ts';

const groups = 100;
const fanOut = 99;
const stepCount = groups * (1 + fanOut);

/** 100 times one step with 99 that wait for it. */
function graph(): Graph {
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

export const benchmark: Benchmark = {
  id: 'P5',
  title: 'the engine alone: 10,000 steps, fan-out 100, durable',
  async prepare() {
    const world = await EngineWorld.create();
    world.plan = {
      dialect: 'gantry',
      path: '.gantry.yml',
      workflows: Array.from({ length: groups }, (_, group) =>
        workflowOf(`group ${group}`, [
          { name: 'root', dependsOn: [] },
          ...Array.from({ length: fanOut }, (_none, i) => ({ name: `leaf ${i}`, dependsOn: ['root'] })),
        ]),
      ),
    };
    const peer = await GraphilePeer.start();
    const stepsPerSecond = (tookMs: number): number => (stepCount / tookMs) * 1_000;
    const comparison = (isTuned: boolean): Comparison => ({
      variant: 'SQLite, in process',
      peer: 'missing' in peer ? 'none' : isTuned ? 'graphile-worker, tuned' : 'graphile-worker, as its README',
      unit: 'perSecond',
      pairs: 10,
      gantry: async () => stepsPerSecond(await world.run()),
      ...('missing' in peer ? {} : { peerRun: async () => stepsPerSecond(await peer.runGraph(graph(), isTuned)) }),
      goal: isTuned ? 'none: shown' : '≥ 20,000 steps/s and ≥ 3×',
      isMet: ({ gantry, ratio }) => isTuned || (gantry.p50 >= 20_000 && (ratio === undefined || ratio.p50 >= 3)),
    });
    return {
      comparisons: [comparison(false), comparison(true)],
      notes: 'missing' in peer ? [peer.missing] : [],
      async cleanUp() {
        await world.close();
        if (!('missing' in peer)) await peer.stop();
      },
    };
  },
};
