import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { UnpackedImage } from '../../src/core/image.ts';
import type { Benchmark, Comparison } from './harness.ts';
import { baseImage, WholeWorld } from './whole-world.ts';

const count = 200;
const atOnce = 2;

/** Two chains of a hundred: two steps run at any time. */
const file = `kind: pipeline
name: default
clone: {disable: true}
steps:
${Array.from({ length: count }, (_, index) => {
  const waits = index < atOnce ? '' : `, depends_on: [s${index - atOnce}]`;
  return `  - {name: s${index}, image: base/busybox, commands: ["true"]${waits}}`;
}).join('\n')}
`;

export const benchmark: Benchmark = {
  id: 'P3',
  title: `${count} no-op steps, ${atOnce} at a time, sandbox, recorded, through the whole product`,
  async prepare() {
    const settings = (launcher: string) => ({ runtime: 'sandbox' as const, settings: { GANTRY_LAUNCHER: launcher } });
    const bubblewrap = await WholeWorld.start(settings('bubblewrap'), { '.gantry.yml': file });
    const runc = await WholeWorld.start(settings('runc'), { '.gantry.yml': file });
    const image = await baseImage('base/busybox');
    const comparison = (world: WholeWorld, variant: string, perSecond: number): Comparison => ({
      variant,
      peer: 'bubblewrap-floor',
      unit: 'perSecond',
      gantry: async () => (count * 1_000) / (await world.runPipeline()).tookMs,
      peerRun: () => floor(image),
      goal: `≥ ${perSecond}/s`,
      isMet: ({ gantry }) => gantry.p50 >= perSecond,
    });
    return {
      comparisons: [comparison(bubblewrap, 'bubblewrap', 120), comparison(runc, 'runc', 35)],
      notes: [
        'the floor is the bare launcher from this program: no record, no log, no limit, no filter on system calls',
      ],
      async cleanUp() {
        await bubblewrap.stop();
        await runc.stop();
      },
    };
  },
};

/** As many sandboxes by nothing but the launcher, as many at a time. */
async function floor({ layers }: UnpackedImage): Promise<number> {
  let begun = 0;
  const run = async (): Promise<void> => {
    while (begun < count) {
      begun += 1;
      const view = ['--ro-bind', layers.at(-1)!, '/', '--dev', '/dev', '--proc', '/proc', '--tmpfs', '/tmp'];
      const child = spawn('bwrap', ['--unshare-all', '--die-with-parent', ...view, '/bin/sh', '-c', 'true'], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      child.stdout.resume();
      const [code] = (await once(child, 'close')) as [number | null];
      if (code !== 0) throw new Error(`bwrap ended with ${code}`);
    }
  };
  const startedMs = performance.now();
  await Promise.all(Array.from({ length: atOnce }, run));
  return (count * 1_000) / (performance.now() - startedMs);
}
