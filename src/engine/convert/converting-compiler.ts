import { chooseFiles, renderingCommand } from '../choose-files.ts';
import type { CompileInput, CompileResult } from '../compile-input.ts';
import type { EnvironmentFacts } from '../environment-facts.ts';
import type { LintResult } from '../lint-result.ts';
import { refuseLargeFile } from '../pipeline-file-size.ts';
import type { ConvertFailure } from './convert-messages.ts';
import type { ProgramConverter } from './program-converter.ts';

/** Who reads plain pipeline files. */
interface Compiler {
  compile(input: CompileInput): Promise<CompileResult>;
  lint(path: string, text: string): Promise<LintResult>;
}

/** Reads pipeline files, those too that are programs: what such a file writes is read in its stead. */
export class ConvertingCompiler implements Compiler {
  readonly #compiler: Compiler;
  readonly #converter: ProgramConverter;
  readonly #sample: EnvironmentFacts;

  /** `sample` stands for the event where there is none: a file that is only checked. */
  constructor(compiler: Compiler, converter: ProgramConverter, sample: EnvironmentFacts) {
    this.#compiler = compiler;
    this.#converter = converter;
    this.#sample = sample;
  }

  async compile(input: CompileInput): Promise<CompileResult> {
    const chosen = chooseFiles(input.files, input.rules?.path)?.files[0];
    if (!chosen || renderingCommand(chosen.path) === undefined) return this.#compiler.compile(input);
    const tooLarge = refuseLargeFile([chosen], []);
    if (tooLarge) return tooLarge;
    const { text, failure } = await this.#converter.convert(chosen.path, chosen.text, input);
    if (failure) return failed(chosen.path, failure);
    const files = input.files.map((file) => (file === chosen ? { path: file.path, text, isConverted: true } : file));
    return this.#compiler.compile({ ...input, files });
  }

  /** Lines of findings are those of the program where it does not run, else those of the documents that it writes. */
  async lint(path: string, text: string): Promise<LintResult> {
    if (renderingCommand(path) === undefined) return this.#compiler.lint(path, text);
    const { text: documents, failure } = await this.#converter.convert(path, text, this.#sample);
    if (!failure) return this.#compiler.lint('.drone.yml', documents);
    const { message, line, column } = placed(failure);
    return {
      isValid: false,
      findings: [{ severity: 'error', code: 'file.program', message, line, column }],
      workflows: [],
    };
  }
}

function failed(path: string, failure: ConvertFailure): CompileResult {
  const { message, line, column } = placed(failure);
  return {
    kind: 'failed',
    path,
    error: { message: `Cannot run ${path}: ${message}`, path, line, column },
    trace: [
      { subject: { kind: 'file' }, rule: 'file.chosen', verdict: 'noted', values: { path } },
      { subject: { kind: 'file' }, rule: 'file.invalid', verdict: 'failed', values: { path, line, column, message } },
    ],
  };
}

/** What is wrong with all of it is told at its beginning. */
function placed({ message, line, column }: ConvertFailure): ConvertFailure {
  return { message, line: Math.max(1, line), column: Math.max(1, column) };
}
