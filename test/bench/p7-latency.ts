import { EngineWorld, workflowOf } from './engine-world.ts';
import type { Benchmark, Comparison } from './harness.ts';
import { GraphilePeer } from './peers/graphile-worker.ts';

/** Moments of one event's way: what they are called is what is measured. */
interface Way {
  readonly asked: number;
  readonly handled: number;
  readonly assigned: number;
  readonly started: number;
}

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

    /** One event by itself, from asking for its commit to the end of its pipeline. */
    async function follow(): Promise<Way> {
      const moment = (listen: (reached: () => void) => void): Promise<number> =>
        new Promise((resolve) => listen(() => resolve(performance.now())));
      const reached = Promise.all([
        moment((note) => {
          world.onHandled = note;
        }),
        moment((note) => {
          world.onAssigned = note;
        }),
        moment((note) => {
          world.onStarted = note;
        }),
      ]);
      const asked = performance.now();
      await world.run();
      const [handled, assigned, started] = await reached;
      return { asked, handled, assigned, started };
    }

    const comparison = (
      more: Pick<Comparison, 'variant' | 'goal' | 'isMet'> & { readonly isBesidePeer: boolean },
      took: (way: Way) => number,
    ): Comparison => {
      const isBeside = more.isBesidePeer && !('missing' in peer);
      return {
        ...more,
        peer: isBeside ? 'graphile-worker, as its README' : 'none',
        unit: 'ms',
        pairs: 300,
        warmUps: 50,
        gantry: async () => took(await follow()),
        ...(isBeside ? { peerRun: () => peer.latency() } : {}),
      };
    };

    return {
      comparisons: [
        // What a queue is measured by: a job is asked to be stored, and its handler has it. One commit, to the disk.
        comparison(
          {
            variant: 'enqueue → handler: an event is stored, and its planner runs',
            isBesidePeer: true,
            goal: 'p50 ≤ 0.7 ms, p99 ≤ 2 ms, ≥ 3×',
            isMet: ({ gantry, ratio }) =>
              gantry.p50 <= 0.7 && gantry.p99 <= 2 && (ratio === undefined || ratio.p50 >= 3),
          },
          ({ asked, handled }) => handled - asked,
        ),
        // The second queue on the way, whose claim is a commit of its own, as it is for the peer.
        comparison(
          {
            variant: 'enqueue → claim → runner: a plan is stored, its workflow claimed and handed over, two commits',
            isBesidePeer: true,
            goal: 'none: shown',
          },
          ({ handled, assigned }) => assigned - handled,
        ),
        comparison(
          {
            variant: 'the whole chain: event → plan → claim → step released, four commits',
            isBesidePeer: false,
            goal: 'none: shown',
          },
          ({ asked, started }) => started - asked,
        ),
      ],
      notes: 'missing' in peer ? [peer.missing] : [],
      async cleanUp() {
        await world.close();
        if (!('missing' in peer)) await peer.stop();
      },
    };
  },
};
