import { chooseFiles, renderingCommand } from '../choose-files.ts';
import type { CompileInput, CompileResult, PipelineFile } from '../compile-input.ts';
import type { EnvironmentFacts } from '../environment-facts.ts';
import type { IncludedText } from '../includes.ts';
import type { LintResult } from '../lint-result.ts';
import type { LintCode } from '../lint-rules.ts';
import { refuseLargeFile } from '../pipeline-file-size.ts';
import type { ResolveResult } from '../resolved-files.ts';
import type { ConvertFailure } from './convert-messages.ts';
import type { ProgramConverter } from './program-converter.ts';

/** Who reads plain pipeline files. */
interface Compiler {
  compile(input: CompileInput): Promise<CompileResult>;
  lint(path: string, text: string, facts?: EnvironmentFacts, includes?: readonly IncludedText[]): Promise<LintResult>;
  resolve(input: CompileInput): Promise<ResolveResult>;
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
    const chosen = chosenProgram(input);
    if (!chosen) return this.#compiler.compile(input);
    const tooLarge = refuseLargeFile([chosen], []);
    if (tooLarge) return tooLarge;
    const { text, failure } = await this.#converter.convert(chosen.path, chosen.text, input);
    if (failure) return failed(chosen.path, failure);
    return this.#compiler.compile(withDocuments(input, chosen, text));
  }

  async resolve(input: CompileInput): Promise<ResolveResult> {
    const program = chosenProgram(input);
    if (!program) return this.#compiler.resolve(input);
    const { path, text: written } = program;
    const asWritten = { path, written, isLeftOut: false, readings: [], readingsLeftOut: 0 };
    const tooLarge = refuseLargeFile([program], []);
    if (tooLarge?.kind === 'failed') return { files: [], problem: tooLarge.error.message };
    const { text, failure } = await this.#converter.convert(path, written, input);
    if (failure) return { files: [asWritten], problem: failure.message };
    const { files, problem } = await this.#compiler.resolve(withDocuments(input, program, text));
    const read = files[0] ?? asWritten;
    return { files: [{ ...read, written, converted: text }], problem };
  }

  /** Lines of findings are those of the program where it does not run, else those of the documents that it writes. */
  async lint(
    path: string,
    text: string,
    facts?: EnvironmentFacts,
    includes?: readonly IncludedText[],
  ): Promise<LintResult> {
    if (renderingCommand(path) === undefined) return this.#compiler.lint(path, text, facts, includes);
    const { text: documents, failure } = await this.#converter.convert(path, text, facts ?? this.#sample);
    if (!failure) return this.#compiler.lint('.drone.yml', documents, facts);
    const { message, line, column } = placed(failure);
    return {
      isValid: false,
      findings: [{ severity: 'error', code: 'file.program', message, line, column }],
      workflows: [],
    };
  }
}

/** The file that counts, where it is a program. */
function chosenProgram(input: CompileInput): PipelineFile | undefined {
  const chosen = chooseFiles(input.files, input.rules?.path)?.files[0];
  return chosen && renderingCommand(chosen.path) !== undefined ? chosen : undefined;
}

function withDocuments(input: CompileInput, program: PipelineFile, text: string): CompileInput {
  const documents = { path: program.path, text, isConverted: true };
  return { ...input, files: input.files.map((file) => (file === program ? documents : file)) };
}

function failed(path: string, failure: ConvertFailure): CompileResult {
  const { message, line, column } = placed(failure);
  const code = 'file.program' satisfies LintCode;
  return {
    kind: 'failed',
    path,
    error: { message: `Cannot run ${path}: ${message}`, code, path, line, column },
    trace: [
      { subject: { kind: 'file' }, rule: 'file.chosen', verdict: 'noted', values: { path } },
      {
        subject: { kind: 'file' },
        rule: 'file.invalid',
        verdict: 'failed',
        values: { path, line, column, message, code },
      },
    ],
  };
}

/** What is wrong with all of it is told at its beginning. */
function placed({ message, line, column }: ConvertFailure): ConvertFailure {
  return { message, line: Math.max(1, line), column: Math.max(1, column) };
}
