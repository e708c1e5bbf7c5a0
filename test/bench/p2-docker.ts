import { setTimeout as rest } from 'node:timers/promises';
import { ContainerEngine, findEngineHindrance } from '../support/container-engine.ts';
import type { Benchmark, Comparison } from './harness.ts';
import { timed } from './harness.ts';
import { DockerEngine, woodpeckerShape } from './peers/docker-engine.ts';
import { GitlabCiLocal } from './peers/gitlab-ci-local.ts';
import { baseImage, WholeWorld } from './whole-world.ts';

const numbers = [1, 2, 3, 4, 5];
const file = (command: string, steps: readonly number[] = numbers): string => `kind: pipeline
name: default
clone: {disable: true}
steps:
${steps.map((n) => `  - {name: step${n}, image: base/busybox, commands: ["${command}"]}`).join('\n')}
`;
const gitlabFile = `stages: [${numbers.map((n) => `s${n}`).join(', ')}]
default: {image: "busybox:latest"}
${numbers.map((n) => `step${n}: {stage: s${n}, script: ["true"]}`).join('\n')}
`;
/** A step that lasts: long enough to make the next one ready meanwhile. */
const lastingMs = 600;
const restMs = 1_500;

/** From the end of the first step to the end of the last, as the record has them: the start of the pipeline is not in it. */
async function addedByEach(world: WholeWorld): Promise<number> {
  const { number } = await world.runPipeline();
  const params = { owner: 'admin', project: 'bench', number };
  const { steps } = await world.gantry.client('getPipeline', { params });
  const ends = steps.map(({ finishedAt }) => Date.parse(finishedAt ?? ''));
  return (Math.max(...ends) - Math.min(...ends)) / (numbers.length - 1) - lastingMs;
}

export const benchmark: Benchmark = {
  id: 'P2',
  title: 'five steps one after the other in Docker, recorded, through the whole product',
  async prepare() {
    const hindrance = findEngineHindrance('docker');
    if (hindrance) return { comparisons: [], notes: [hindrance], cleanUp: async () => {} };
    const engine = await ContainerEngine.start('docker', { hasDefaultBridge: true });
    const settings = { runtime: 'docker' as const, settings: { GANTRY_DOCKER_HOST: engine.address } };
    const noOp = await WholeWorld.start(settings, { '.gantry.yml': file('true') });
    const lasting = await WholeWorld.start(settings, { '.gantry.yml': file(`sleep ${lastingMs / 1_000}`) });
    const peer = DockerEngine.at(engine.socketPath);
    await peer.importImage('busybox', (await baseImage('base/busybox')).layers);
    const gitlab = await GitlabCiLocal.start(
      { '.gitlab-ci.yml': gitlabFile },
      { address: engine.address, image: 'busybox:latest' },
    );
    const shape =
      (command: string, steps: readonly number[] = numbers) =>
      (): Promise<number> =>
        timed(() =>
          woodpeckerShape(
            peer,
            'busybox',
            steps.map(() => ['/bin/sh', '-c', command]),
          ),
        );
    const added = (tookMs: number): number => tookMs / numbers.length - lastingMs;
    const lastingShape = `sleep ${lastingMs / 1_000}`;
    // What the first leaves is removed beside the next, unless it waits.
    const further = async (first: () => Promise<number>, five: () => Promise<number>): Promise<number> => {
      const firstMs = await first();
      await rest(restMs);
      const tookMs = (await five()) - firstMs;
      await rest(restMs);
      return tookMs / (numbers.length - 1) - lastingMs;
    };
    const comparisons: Comparison[] = [
      {
        variant: 'no-op',
        peer: 'woodpecker-shape',
        unit: 'ms',
        gantry: async () => (await noOp.runPipeline()).tookMs,
        peerRun: shape('true'),
        goal: '≤ 600 ms, ≥ 5×',
        isMet: ({ gantry, ratio }) => gantry.p50 <= 600 && (ratio === undefined || ratio.p50 >= 5),
      },
      ...(typeof gitlab === 'string'
        ? []
        : [
            {
              variant: 'no-op, beside a program that is run',
              peer: 'gitlab-ci-local, Docker',
              unit: 'ms',
              pairs: 5,
              warmUps: 1,
              gantry: async () => (await noOp.runPipeline()).tookMs,
              peerRun: () => gitlab.runPipeline(),
              goal: '≥ 10×',
              isMet: ({ ratio }) => ratio !== undefined && ratio.p50 >= 10,
            } satisfies Comparison,
          ]),
      {
        variant: `added per step of ${lastingMs} ms, with the start of the pipeline`,
        peer: 'woodpecker-shape',
        unit: 'ms',
        gantry: async () => added((await lasting.runPipeline()).tookMs),
        peerRun: async () => added(await shape(lastingShape)()),
        goal: '≤ 10 ms added per step, ≥ 50×',
        isMet: ({ gantry, ratio }) => gantry.p50 <= 10 && (ratio === undefined || ratio.p50 >= 50),
      },
      {
        variant: `added by each further step of ${lastingMs} ms`,
        peer: 'woodpecker-shape',
        unit: 'ms',
        gantry: async () => {
          const addedMs = await addedByEach(lasting);
          await rest(restMs);
          return addedMs;
        },
        peerRun: () => further(shape(lastingShape, [1]), shape(lastingShape)),
        goal: '≤ 10 ms',
        isMet: ({ gantry }) => gantry.p50 <= 10,
      },
    ];
    return {
      comparisons,
      notes: typeof gitlab === 'string' ? [gitlab] : [],
      async cleanUp() {
        if (typeof gitlab !== 'string') await gitlab.stop();
        await noOp.stop();
        await lasting.stop();
        await engine.dispose();
      },
    };
  },
};
