import { join } from 'node:path';
import { type Benchmark, timed } from './harness.ts';
import { DockerEngine, woodpeckerShape } from './peers/docker-engine.ts';
import { baseImage, WholeWorld } from './whole-world.ts';

const file = `kind: pipeline
name: default
steps:
  - {name: look, image: base/busybox, commands: ["test -f file-1.txt"]}
`;

/** As many files as a middling project has, with a few kilobytes each. */
const tree = Object.fromEntries(
  Array.from({ length: 486 }, (_, i) => [`file-${i}.txt`, `${i} ${'lorem ipsum '.repeat(1_700)}\n`]),
);

export const benchmark: Benchmark = {
  id: 'C1',
  title: 'checkout of a commit that was seen before, 486 files, 10 MB',
  async prepare() {
    const world = await WholeWorld.start({ runtime: 'sandbox' }, { '.gantry.yml': file, ...tree });
    const docker = await DockerEngine.start();
    if (typeof docker !== 'string') await docker.importImage('git', (await baseImage('base/git')).layers);
    const { items } = await world.gantry.client('listCommits', {
      params: { owner: 'admin', project: 'bench' },
      query: { limit: 1 },
    });
    const commit = items[0]!.id;
    const repository = join(world.gantry.dataFolder, 'repositories/1.git');
    const commands = `git config --global --add safe.directory '*' && mkdir /woodpecker/src && cd /woodpecker/src && git init -q && git remote add origin /repository && git fetch -q --depth 1 origin ${commit} && git reset -q --hard ${commit}`;

    return {
      comparisons: [
        {
          variant: 'seen commit, the step "clone"',
          peer: 'woodpecker-shape (clone container)',
          unit: 'ms',
          async gantry() {
            const { number } = await world.runPipeline();
            const pipeline = await world.gantry.client('getPipeline', {
              params: { owner: 'admin', project: 'bench', number },
            });
            const clone = pipeline.steps.find(({ name }) => name === 'clone')!;
            return Math.max(1, Date.parse(clone.finishedAt!) - Date.parse(clone.startedAt!));
          },
          ...(typeof docker === 'string'
            ? {}
            : {
                peerRun: () =>
                  timed(() =>
                    woodpeckerShape(docker, 'git', [['/bin/sh', '-c', commands]], [`${repository}:/repository:ro`]),
                  ),
              }),
          goal: '≤ 15 ms, ≥ 50×',
          isMet: ({ gantry, ratio }) => gantry.p50 <= 15 && (ratio === undefined || ratio.p50 >= 50),
        },
      ],
      notes: [...(typeof docker === 'string' ? [docker] : []), 'ours in whole milliseconds of the record'],
      async cleanUp() {
        await world.stop();
        if (typeof docker !== 'string') await docker.stop();
      },
    };
  },
};
