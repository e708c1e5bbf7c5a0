import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { compilePipeline } from '../../src/engine/compile.ts';
import { ConvertingCompiler } from '../../src/engine/convert/converting-compiler.ts';
import { ProgramConverter } from '../../src/engine/convert/program-converter.ts';
import { lintPipelineFile } from '../../src/engine/lint.ts';
import { resolveFiles } from '../../src/engine/resolve-files.ts';
import { sampleFacts } from '../../src/engine/sample-facts.ts';
import { compileInputOf } from '../support/compile-input.ts';
import { converterPath, whyNoConverter } from '../support/converter.ts';

/** Scenarios of pipelines.md 16 about files that are programs (V), one JSON file each. */
interface ProgramScenario {
  readonly note: string;
  readonly files: Readonly<Record<string, readonly string[]>>;
  /** `false`: what is said where there is no converter. */
  readonly hasConverter?: boolean;
  readonly expect: {
    readonly verdict: 'planned' | 'failed';
    /** Names of all workflows. */
    readonly planned?: readonly string[];
    /** `workflow/step` → its commands. */
    readonly commands?: Readonly<Record<string, readonly string[]>>;
    /** Part of the error's text. */
    readonly message?: string;
  };
}

const folder = new URL('./pipelines/programs/', import.meta.url);
const names = readdirSync(folder)
  .filter((name) => name.endsWith('.json'))
  .sort();

/** A machine that is busy must not end what ends by itself. */
function compilerWith(wasmPath: string, limits: { readonly cpuSeconds?: number }): ConvertingCompiler {
  const plain = {
    compile: (input: Parameters<typeof compilePipeline>[0]) => Promise.resolve(compilePipeline(input)),
    lint: (...given: Parameters<typeof lintPipelineFile>) => Promise.resolve(lintPipelineFile(...given)),
    resolve: (input: Parameters<typeof resolveFiles>[0]) => Promise.resolve({ files: resolveFiles(input) }),
  };
  return new ConvertingCompiler(plain, new ProgramConverter({ wasmPath, ...limits }), sampleFacts);
}

describe('pipeline files that are programs', () => {
  const scenarios = names.map((name) => ({
    name: name.replace(/\.json$/, ''),
    scenario: JSON.parse(readFileSync(new URL(name, folder), 'utf8')) as ProgramScenario,
  }));

  for (const { name, scenario } of scenarios) {
    const why = scenario.hasConverter === false ? undefined : whyNoConverter;
    it.skipIf(why)(
      `${name}: ${scenario.note}${why ? ` (left out: ${why})` : ''}`,
      async () => {
        const [[path, lines] = ['', []]] = Object.entries(scenario.files);
        const limits = name.startsWith('V02') ? {} : { cpuSeconds: 20 };
        const compiler = compilerWith(
          scenario.hasConverter === false ? '/nowhere/convert.wasm' : converterPath,
          limits,
        );
        const result = await compiler.compile(compileInputOf(path, lines.join('\n')));
        const { commands = {}, message, planned, verdict } = scenario.expect;
        expect(result.kind, JSON.stringify(result)).toBe(verdict);
        const workflows = result.kind === 'planned' ? result.plan.workflows : [];
        if (planned) expect(workflows.map((workflow) => workflow.name)).toEqual(planned);
        for (const [place, wanted] of Object.entries(commands)) {
          const [workflow, step] = place.split('/');
          const steps = workflows.find((one) => one.name === workflow)?.steps ?? [];
          expect(steps.find((one) => one.name === step)?.commands, place).toEqual(wanted);
        }
        if (message !== undefined) expect(result.kind === 'failed' && result.error.message).toContain(message);
      },
      60_000,
    );
  }
});
