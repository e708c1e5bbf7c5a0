import { type Benchmark, summarise } from './harness.ts';
import { StreamReader } from './stream-reader.ts';
import { WholeWorld } from './whole-world.ts';

const viewers = 20;
const lines = 40;
const script = `let n = 0; const t = setInterval(() => { console.log('at ' + (performance.timeOrigin + performance.now())); if (++n === ${lines}) clearInterval(t); }, 50);`;
const file = `kind: pipeline
name: default
clone: {disable: true}
steps:
  - name: talk
    image: base/node:24
    commands: ["sleep 1; node -e \\"$SCRIPT\\""]
    environment: {SCRIPT: ${JSON.stringify(script)}}
`;

export const benchmark: Benchmark = {
  id: 'L1',
  title: `a line printed → at ${viewers} viewers`,
  async prepare() {
    const world = await WholeWorld.start({ runtime: 'sandbox' }, { '.gantry.yml': file });
    const { gantry } = world;

    /** Lags of all lines at all viewers; the 99th of a hundred is compared, the median answered. */
    async function lag(share: 'p50' | 'p99'): Promise<number> {
      const { number } = await gantry.client('startPipeline', {
        params: { owner: 'admin', project: 'bench' },
        body: {},
      });
      const { steps } = await gantry.client('getPipeline', { params: { owner: 'admin', project: 'bench', number } });
      const topic = `log:admin/bench/${number}/${steps[0]!.id}@0`;
      const readers = await Promise.all(Array.from({ length: viewers }, () => StreamReader.open(gantry, [topic])));
      const lags = await Promise.all(readers.map(lagsOf));
      await gantry.finished('bench', number);
      return summarise(lags.flat())[share];
    }

    async function lagsOf(reader: StreamReader): Promise<number[]> {
      const lags: number[] = [];
      for (;;) {
        const { data, atMs } = await reader.until(({ event }) => event === 'log');
        const text = Buffer.from(String(data['text']), 'base64').toString();
        const readAt = performance.timeOrigin + atMs;
        for (const found of text.matchAll(/^at ([\d.]+)$/gm)) lags.push(readAt - Number(found[1]));
        if (data['end'] === true || lags.length >= lines) break;
      }
      reader.close();
      return lags;
    }

    return {
      comparisons: (['p50', 'p99'] as const).map((share) => ({
        variant: share,
        peer: 'none',
        unit: 'ms' as const,
        pairs: 5,
        warmUps: 1,
        gantry: () => lag(share),
        goal: share === 'p50' ? '≤ 20 ms' : '≤ 100 ms',
        isMet: ({ gantry: ours }: { gantry: { p50: number } }) => ours.p50 <= (share === 'p50' ? 20 : 100),
      })),
      cleanUp: () => world.stop(),
    };
  },
};
