import { EngineWorld, workflowOf } from './engine-world.ts';
import { type Benchmark, summarise } from './harness.ts';
import { GraphilePeer } from './peers/graphile-worker.ts';

export const benchmark: Benchmark = {
  id: 'P7',
  title: 'enqueue → handler, one at a time, durable',
  async prepare() {
    const world = await EngineWorld.create();
    world.plan = {
      dialect: 'gantry',
      path: '.gantry.yml',
      workflows: [workflowOf('one', [{ name: 'one', dependsOn: [] }])],
    };
    const peer = await GraphilePeer.start();

    /** From asking for the event's commit to the step's release in the runner: event, plan, claim and start are four commits. */
    async function latency(): Promise<number> {
      const started = new Promise<number>((resolve) => {
        world.onStarted = () => resolve(performance.now());
      });
      const finished = world.run();
      const startedMs = performance.now();
      const handledMs = await started;
      await finished;
      return handledMs - startedMs;
    }

    return {
      comparisons: [
        {
          variant: 'event → step released, four durable commits',
          peer: 'missing' in peer ? 'none' : 'graphile-worker, as its README',
          unit: 'ms',
          pairs: 100,
          warmUps: 10,
          gantry: latency,
          ...('missing' in peer ? {} : { peerRun: async () => summarise(await peer.latencies(1)).p50 }),
          goal: 'p50 ≤ 0.7 ms per durable hop (≤ 2.8 ms here)',
          isMet: ({ gantry }) => gantry.p50 / 4 <= 0.7,
        },
      ],
      notes: 'missing' in peer ? [peer.missing] : [],
      async cleanUp() {
        await world.close();
        if (!('missing' in peer)) await peer.stop();
      },
    };
  },
};
