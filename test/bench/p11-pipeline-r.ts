import type { Benchmark, Comparison } from './harness.ts';
import { timed } from './harness.ts';
import { GitlabCiLocal } from './peers/gitlab-ci-local.ts';
import { WholeWorld } from './whole-world.ts';

/** Pipeline R (performance.md 1.3): 486 files, 283 MiB of modules in 7,681 files, five steps, a minute of tests. */
const testSeconds = 60;
const sources = Object.fromEntries(
  Array.from({ length: 480 }, (_, index) => [
    `src/part-${index % 24}/file-${index}.js`,
    `export const value${index} = ${JSON.stringify('x'.repeat(400))};\n`,
  ]),
);

/** Writes what an installation of packages leaves; where it is already, it says so. */
const installer = `
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
if (existsSync('node_modules/.done')) { console.log('up to date'); process.exit(0); }
const [files, bytes] = [7681, 283 * 2 ** 20];
const content = Buffer.alloc(Math.floor(bytes / files), 'gantry ');
for (let folder = 0; folder * 40 < files; folder += 1) {
  mkdirSync('node_modules/package-' + folder, { recursive: true });
  for (let n = folder * 40; n < Math.min(files, folder * 40 + 40); n += 1)
    writeFileSync('node_modules/package-' + folder + '/' + n + '.js', content);
}
writeFileSync('node_modules/.done', '');
console.log('installed');
`;
const files = {
  ...sources,
  'install.mjs': installer,
  'package-lock.json': '{"lockfileVersion": 3}',
  'README.md': 'R',
  'build.mjs':
    "import { mkdirSync, writeFileSync } from 'node:fs'; mkdirSync('dist', { recursive: true }); writeFileSync('dist/app.js', 'built');\n",
};

const install = 'node install.mjs';
const lint = 'ls -R src | wc -l';
const test = (seconds: number): string => `test -f node_modules/.done && sleep ${seconds}`;
const build = 'node build.mjs';
const pack = 'test -f dist/app.js';

/** The tests in two halves beside each other, as they are split by their times. */
const gantryFile = `kind: pipeline
name: r
steps:
- name: install
  image: base/node:24
  commands: [${install}]
  cache: {key: 'npm-{{ checksum "package-lock.json" }}', paths: [node_modules]}
  reuse: {inputs: [install.mjs, package-lock.json]}
- name: lint
  image: base/node:24
  commands: ['${lint}']
  depends_on: [install]
  reuse: {inputs: [src]}
- name: test-1
  image: base/node:24
  commands: ['${test(testSeconds / 2)}']
  depends_on: [lint]
  reuse: {inputs: [src]}
- name: test-2
  image: base/node:24
  commands: ['${test(testSeconds / 2)}']
  depends_on: [lint]
  reuse: {inputs: [src]}
- name: build
  image: base/node:24
  commands: [${build}]
  depends_on: [test-1, test-2]
  reuse: {inputs: [build.mjs, src], outputs: [dist]}
- name: pack
  image: base/node:24
  commands: ['${pack}']
  depends_on: [build]
  reuse: {inputs: [build.mjs]}
`;

const gitlabFile = (tests: readonly string[]): string => `
stages: [install, lint, test, build, pack]
default:
  cache: {key: modules, paths: [node_modules/]}
install: {stage: install, script: [${install}]}
lint: {stage: lint, script: ['${lint}']}
${tests.map((command, index) => `test-${index + 1}: {stage: test, script: ['${command}']}`).join('\n')}
build: {stage: build, script: [${build}], artifacts: {paths: [dist/]}}
pack: {stage: pack, script: ['${pack}']}
`;

export const benchmark: Benchmark = {
  id: 'P11',
  title: `pipeline R: ${Object.keys(files).length} files, 283 MiB of modules, five steps, ${testSeconds} s of tests`,
  async prepare() {
    const world = await WholeWorld.start({ runtime: 'sandbox' }, { '.gantry.yml': gantryFile, ...files });
    const asWritten = await GitlabCiLocal.start({ ...files, '.gitlab-ci.yml': gitlabFile([test(testSeconds)]) });
    const halves = [test(testSeconds / 2), test(testSeconds / 2)];
    const split = await GitlabCiLocal.start({ ...files, '.gitlab-ci.yml': gitlabFile(halves) });
    const params = { owner: 'admin', project: 'bench' };

    const emptied = async (): Promise<number> => {
      const { items } = await world.gantry.client('listCaches', { params });
      for (const { id } of items) await world.gantry.client('deleteCache', { params: { ...params, cache: id } });
      return (await world.runPipeline()).tookMs;
    };
    /** With caches, and every step runs. */
    const warm = (): Promise<number> =>
      timed(async () => {
        const { number } = await world.gantry.client('startPipeline', { params, body: { ignoresReuse: true } });
        await world.gantry.finished('bench', number, 300_000);
      });
    const unchanged = async (): Promise<number> => (await world.runPipeline()).tookMs;
    // A pipeline of a minute is measured once for what it is beside: it has no other way but to run again.
    let peerMs: number | undefined;
    const peerOf = (peer: GitlabCiLocal | string): Pick<Comparison, 'peerRun'> =>
      typeof peer === 'string' ? {} : { peerRun: () => peer.runPipeline() };
    const once =
      typeof asWritten === 'string' ? {} : { peerRun: async () => (peerMs ??= await asWritten.runPipeline()) };
    const shared = { unit: 'ms', pairs: 2, warmUps: 0 } as const;
    return {
      comparisons: [
        {
          ...shared,
          variant: 'warm: caches, no step reused',
          peer: 'gitlab-ci-local, shell, as R is written',
          gantry: warm,
          ...peerOf(asWritten),
          goal: '≤ 33 s, ≥ 2×',
          isMet: ({ gantry, ratio }) => gantry.p50 <= 33_000 && (ratio === undefined || ratio.p50 >= 2),
        },
        {
          ...shared,
          variant: 'warm, beside a peer that splits its tests too',
          peer: 'gitlab-ci-local, shell, tests in two jobs',
          gantry: warm,
          pairs: 1,
          ...peerOf(split),
          goal: 'no goal',
        },
        {
          ...shared,
          variant: 'cold: no cache, no result',
          peer: 'none',
          gantry: emptied,
          pairs: 1,
          goal: 'no goal',
        },
        {
          unit: 'ms',
          pairs: 20,
          warmUps: 3,
          variant: 'unchanged: every step reused',
          peer: 'gitlab-ci-local, shell, as R is written, run once',
          gantry: unchanged,
          ...once,
          goal: '≤ 200 ms, ≥ 300×',
          isMet: ({ gantry, ratio }) => gantry.p50 <= 200 && (ratio === undefined || ratio.p50 >= 300),
        },
      ],
      notes: [asWritten, split].filter((peer) => typeof peer === 'string'),
      async cleanUp() {
        await world.stop();
        for (const peer of [asWritten, split]) if (typeof peer !== 'string') await peer.stop();
      },
    };
  },
};
