import type { Benchmark, Comparison } from './harness.ts';
import { timed } from './harness.ts';
import { DockerEngine, woodpeckerShape } from './peers/docker-engine.ts';
import { baseImage, WholeWorld } from './whole-world.ts';

const steps = [1, 2, 3, 4, 5];
const file = `kind: pipeline
name: default
clone: {disable: true}
steps:
${steps.map((n) => `  - {name: step${n}, image: base/busybox, commands: ["true"]}`).join('\n')}
`;

export const benchmark: Benchmark = {
  id: 'P1',
  title: 'five no-op steps one after the other, sandbox, recorded, through the whole product',
  async prepare() {
    const settings = (launcher: string) => ({ runtime: 'sandbox' as const, settings: { GANTRY_LAUNCHER: launcher } });
    const bubblewrap = await WholeWorld.start(settings('bubblewrap'), { '.gantry.yml': file });
    const runc = await WholeWorld.start(settings('runc'), { '.gantry.yml': file });
    const docker = await DockerEngine.start();
    if (typeof docker !== 'string') await docker.importImage('busybox', (await baseImage('base/busybox')).layers);
    const peer =
      typeof docker === 'string'
        ? {}
        : {
            peerRun: () =>
              timed(() =>
                woodpeckerShape(
                  docker,
                  'busybox',
                  steps.map(() => ['/bin/sh', '-c', 'true']),
                ),
              ),
          };

    const comparison = (world: WholeWorld, variant: string, limitMs: number, ratioGoal: number): Comparison => ({
      variant,
      peer: 'woodpecker-shape',
      unit: 'ms',
      gantry: async () => (await world.runPipeline()).tookMs,
      ...peer,
      goal: `≤ ${limitMs} ms, ≥ ${ratioGoal}×`,
      isMet: ({ gantry, ratio }) => gantry.p50 <= limitMs && (ratio === undefined || ratio.p50 >= ratioGoal),
    });
    return {
      comparisons: [comparison(bubblewrap, 'bubblewrap', 75, 40), comparison(runc, 'runc', 250, 12)],
      notes: typeof docker === 'string' ? [docker] : [],
      async cleanUp() {
        await bubblewrap.stop();
        await runc.stop();
        if (typeof docker !== 'string') await docker.stop();
      },
    };
  },
};
