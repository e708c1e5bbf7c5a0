import { parseAllDocuments } from 'yaml';
import { CachedCompiler } from '../../src/engine/cached-compiler.ts';
import { compilePipeline } from '../../src/engine/compile.ts';
import type { CompileInput } from '../../src/engine/compile-input.ts';
import { lintPipelineFile } from '../../src/engine/lint.ts';
import { compileInputOf } from '../support/compile-input.ts';
import { generatePipelines } from '../support/generated-pipelines.ts';
import type { Benchmark } from './harness.ts';

const fileCount = 300;

export const benchmark: Benchmark = {
  id: 'P8',
  title: 'compile of 300 generated files, and of the same ones again',
  async prepare() {
    const inputs = generatePipelines(fileCount).map(({ path, text }) => compileInputOf(path, text));
    const failed = inputs.map((input) => compilePipeline(input)).find(({ kind }) => kind === 'failed');
    if (failed) throw new Error(`A generated file does not compile: ${JSON.stringify(failed)}`);
    const cached = new CachedCompiler({
      compile: async (input) => compilePipeline(input),
      lint: async (path, text) => lintPipelineFile(path, text),
      resolve: async () => ({ files: [] }),
    });

    return {
      comparisons: [
        {
          variant: 'full compile: text → plan',
          peer: 'yaml 2.9: parse alone',
          unit: 'perSecond',
          // An event of its own each time: nothing is known of it.
          gantry: async () => rateOf(inputs, 3, (input) => void compilePipeline({ ...input })),
          peerRun: async () => rateOf(inputs, 1, ({ files }) => void parseAllDocuments(files[0]!.text)),
          goal: '≥ 4,000/s, ≥ 3×',
          isMet: ({ gantry, ratio }) => gantry.p50 >= 4_000 && (ratio?.p50 ?? 0) >= 3,
          // A pair takes half a second, and for the first ten of them V8 still compiles: both sides' medians are of later.
          pairs: 30,
        },
        {
          variant: 'again: the same files and event',
          peer: 'yaml 2.9: parse alone',
          unit: 'perSecond',
          gantry: async () => {
            for (const input of inputs) await cached.compile(input);
            // Read anew, as from a repository: no text is the very object that was kept.
            const again = inputs.map((input) => structuredClone(input));
            const startedMs = performance.now();
            for (const input of again) await cached.compile(input);
            return (again.length / (performance.now() - startedMs)) * 1_000;
          },
          peerRun: async () => rateOf(inputs, 1, ({ files }) => void parseAllDocuments(files[0]!.text)),
          goal: '≥ 100,000/s',
          isMet: ({ gantry }) => gantry.p50 >= 100_000,
        },
        {
          variant: 'the next push of the same files',
          peer: 'yaml 2.9: parse alone',
          unit: 'perSecond',
          gantry: async () => {
            for (const input of inputs) await cached.compile(input);
            const next = inputs.map((input) => nextPushOf(structuredClone(input)));
            const startedMs = performance.now();
            for (const input of next) await cached.compile(input);
            return (next.length / (performance.now() - startedMs)) * 1_000;
          },
          peerRun: async () => rateOf(inputs, 1, ({ files }) => void parseAllDocuments(files[0]!.text)),
          goal: 'none: files that name the commit are read again',
        },
      ],
      cleanUp: async () => undefined,
      notes: [
        `${fileCount} files, ${Math.round(inputs.reduce((sum, { files }) => sum + files[0]!.text.length, 0) / 1_024)} KiB`,
      ],
    };
  },
};

let pushes = 0;

/** Another commit with another message, by somebody else. */
function nextPushOf(input: CompileInput): CompileInput {
  pushes += 1;
  const commit = String(pushes).padStart(40, 'c');
  const { event, pipeline } = input;
  return {
    ...input,
    event: { ...event, before: event.commit, commit, message: `Change ${pushes}`, changedPaths: [`src/${pushes}`] },
    pipeline: { ...pipeline, number: pushes, link: `${pipeline.link}${pushes}` },
  };
}

/** Files per second. */
function rateOf(inputs: readonly CompileInput[], times: number, work: (input: CompileInput) => void): number {
  const startedMs = performance.now();
  for (let round = 0; round < times; round += 1) for (const input of inputs) work(input);
  return ((inputs.length * times) / (performance.now() - startedMs)) * 1_000;
}
