import type { Benchmark } from './harness.ts';
import { StreamReader } from './stream-reader.ts';
import { WholeWorld } from './whole-world.ts';

const file = `kind: pipeline
name: default
steps:
  - {name: hello, image: base/busybox, commands: ["echo first line of the user"]}
`;

export const benchmark: Benchmark = {
  id: 'P4',
  title: 'git push → first log line in a client of the event stream, checkout included',
  async prepare() {
    const world = await WholeWorld.start({ runtime: 'sandbox' }, { '.gantry.yml': file });
    let count = 0;

    /** Milliseconds from the end of the push (its acknowledgement) to the first line, and from its start to the user's. */
    async function push(): Promise<{ readonly afterAckMs: number; readonly userLineMs: number }> {
      count += 1;
      const { gantry } = world;
      const project = await StreamReader.open(gantry, ['project:admin/bench']);
      const startedMs = performance.now();
      const pushed = gantry.push('bench', { count: String(count) }).then(() => performance.now());
      const { data } = await project.until(
        ({ event, data: told }) =>
          event === 'happening' && told['type'] === 'pipeline-changed' && told['status'] === 'queued',
      );
      project.close();
      const number = Number(data['number']);
      const { steps } = await gantry.client('getPipeline', { params: { owner: 'admin', project: 'bench', number } });
      const [clone, hello] = await Promise.all(steps.map(({ id }) => openLog(number, id)));
      const firstAt = (await clone!.until(({ event }) => event === 'log')).atMs;
      const userAt = (await hello!.until(({ event }) => event === 'log')).atMs;
      const ackAt = await pushed;
      clone!.close();
      hello!.close();
      await gantry.finished('bench', number);
      return { afterAckMs: Math.max(0, firstAt - ackAt), userLineMs: userAt - startedMs };
    }

    function openLog(number: number, stepId: number): Promise<StreamReader> {
      return StreamReader.open(world.gantry, [`log:admin/bench/${number}/${stepId}@0`]);
    }

    return {
      comparisons: [
        {
          variant: 'first line after the acknowledgement',
          peer: 'none',
          unit: 'ms',
          pairs: 50,
          gantry: async () => (await push()).afterAckMs,
          goal: '≤ 20 ms',
          isMet: ({ gantry }) => gantry.p50 <= 20,
        },
        {
          variant: 'first line of user code from the start of the push',
          peer: 'none',
          unit: 'ms',
          pairs: 50,
          gantry: async () => (await push()).userLineMs,
          goal: 'p50 ≤ 130 ms, p99 ≤ 300 ms',
          isMet: ({ gantry }) => gantry.p50 <= 130 && gantry.p99 <= 300,
        },
      ],
      notes: ['the push includes git add and commit of one file'],
      cleanUp: () => world.stop(),
    };
  },
};
