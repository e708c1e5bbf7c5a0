import { join } from 'node:path';
import { compilePipeline } from '../engine/compile.ts';
import { ConvertingCompiler } from '../engine/convert/converting-compiler.ts';
import { ProgramConverter } from '../engine/convert/program-converter.ts';
import { lintPipelineFile } from '../engine/lint.ts';
import { resolveFiles } from '../engine/resolve-files.ts';
import { sampleFacts } from '../engine/sample-facts.ts';
import { rootFolder } from '../lib/root-folder.ts';

/** Reads pipeline files of the person who calls, in this process; those that are programs run in one of their own. */
export function localCompiler(): ConvertingCompiler {
  const plain = {
    compile: async (input: Parameters<typeof compilePipeline>[0]) => compilePipeline(input),
    lint: async (...given: Parameters<typeof lintPipelineFile>) => lintPipelineFile(...given),
    resolve: async (input: Parameters<typeof resolveFiles>[0]) => ({ files: resolveFiles(input) }),
  };
  const converter = new ProgramConverter({ wasmPath: join(rootFolder, 'dist/convert/convert.wasm') });
  return new ConvertingCompiler(plain, converter, sampleFacts);
}
