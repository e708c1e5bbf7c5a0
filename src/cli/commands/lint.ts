import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve, sep } from 'node:path';
import type { Command } from 'commander';
import { GantryError } from '../../core/errors.ts';
import type { TraceEntry } from '../../core/trace.ts';
import type { CompileInput } from '../../engine/compile-input.ts';
import type { Cli } from '../cli.ts';
import { currentBranch } from '../clone.ts';
import { addEventOptions, type EventOptions, eventOf, namesEvent } from '../event-options.ts';
import { Exit, exitCodes } from '../exit-codes.ts';
import { findingLines } from '../finding-lines.ts';
import { addJson, addProject, type JsonOption, type ProjectOption } from '../options.ts';
import { askAboutProject, type ProjectOfServer } from '../project-of-server.ts';
import { printTrace } from '../trace-lines.ts';

interface LintOptions extends EventOptions, JsonOption, ProjectOption {}

type LintedFile = File & Pick<CompileInput['files'][number], 'includes'>;

interface File {
  readonly path: string;
  readonly text: string;
}

/**
 * `gantry lint [file…]`: the server's own reader, here; with an event also what would run, and why. Exit code 1 when a
 * file would not run.
 */
export function addLint(parent: Command, cli: Cli): void {
  const { texts, out } = cli;
  addEventOptions(
    addJson(addProject(parent.command('lint [files...]').description(texts.commands.lint), cli), cli),
    cli,
  )
    .addHelpText(
      'before',
      `${texts.examples}\n  gantry lint\n  gantry lint .gantry.yml --json\n  gantry lint --event tag --branch v1.4.0\n  gantry lint --event push --branch main --changed src/a.ts,docs/b.md\n`,
    )
    .action(async (given: readonly string[], options: LintOptions) => {
      const [{ localCompiler }, { withLocalIncludes }, { sampleFacts }] = await Promise.all([
        import('../../app/local-compiler.ts'),
        import('../../app/local-includes.ts'),
        import('../../engine/sample-facts.ts'),
      ]);
      const compiler = localCompiler();
      const known = await askAboutProject(cli, options.project);
      const written = (given.length > 0 ? given : await usualFiles(cli, known?.rules.path)).map(
        (path): File => ({ path: path.replaceAll(sep, '/'), text: readText(cli, path) }),
      );
      const readIncluded = async (path: string): Promise<string | undefined> => {
        const full = join(cli.io.workingFolder, path);
        return existsSync(full) ? readText(cli, path) : undefined;
      };
      const files: LintedFile[] = [];
      for (const file of written) files.push(...(await withLocalIncludes([file], readIncluded)));
      const results: ({ path: string } & Awaited<ReturnType<typeof compiler.lint>>)[] = [];
      const facts = known && { ...sampleFacts, variables: known.variables };
      for (const { path, text, includes } of files)
        results.push({ path, ...(await compiler.lint(path, text, facts, includes)) });
      const decision = namesEvent(options)
        ? await compiler.compile(await inputOf(cli, files, options, known))
        : undefined;

      // Which secrets there are is the server's to know.
      const trace = decision?.trace.filter(({ rule }) => rule !== 'step.secret-missing') ?? [];
      if (options.json !== undefined) {
        const why = decision && { result: decision.kind, why: await sentences(cli, trace) };
        await out.json({ items: results, ...why }, options.json);
      } else {
        for (const [index, { path, isValid, findings, workflows }] of results.entries()) {
          const text = files[index]?.text ?? '';
          for (const finding of findings)
            for (const line of findingLines(cli, path, text, finding)) await out.line(line);
          const steps = workflows.reduce((sum, workflow) => sum + workflow.steps.length, 0);
          if (isValid) await out.note(texts.lintClean(path, workflows.length, steps));
        }
        // What is wrong with the file has been shown with its lines.
        const told = trace.filter(({ rule }) => rule !== 'file.warning' && rule !== 'file.invalid');
        await printTrace(cli, await sentences(cli, told));
        if (decision?.kind === 'planned')
          for (const { name, steps } of decision.plan.workflows)
            await out.line(texts.lintRuns(name, steps.flatMap((step) => (step.skipped ? [] : [step.name])).join(', ')));
      }
      if (results.some(({ isValid }) => !isValid) || decision?.kind === 'failed') throw new Exit(exitCodes.failed);
    });
}

async function sentences<Entry extends TraceEntry>(
  cli: Cli,
  trace: readonly Entry[],
): Promise<readonly (Entry & { readonly sentence: string })[]> {
  const { sentenceOf } = await import('../trace-sentence.ts');
  return trace.map((entry) => ({ ...entry, sentence: sentenceOf(entry, cli) }));
}

/** The event as a person names it; the commit is nobody's. */
async function inputOf(
  cli: Cli,
  files: readonly File[],
  options: LintOptions,
  known: ProjectOfServer | undefined,
): Promise<CompileInput> {
  const [{ localInput }, clone, branch] = await Promise.all([
    import('../../app/exec-event.ts'),
    cli.clone(),
    currentBranch(cli.io.workingFolder),
  ]);
  return localInput({
    files,
    event: eventOf(cli, options),
    commit: {
      commit: '89abcdef0123456789abcdef0123456789abcdef',
      branch,
      defaultBranch: undefined,
      message: '',
      authorName: 'Example',
      authorEmail: 'example@example.com',
      before: undefined,
      changedPaths: undefined,
    },
    personName: cli.io.environment['USER'] ?? 'example',
    project: clone ? { url: clone.url, slug: options.project ?? clone.slug } : { name: 'project' },
    secretNames: [],
    stepTimeoutMs: known?.stepTimeoutMs ?? 3_600_000,
    known,
    // The files are those that were given, wherever the project has its own.
    rules: { ...known?.rules, path: undefined },
  });
}

/** The files that the server would take here: the first that is there, or all of a folder of workflows. */
async function usualFiles(cli: Cli, configuredPath: string | undefined): Promise<readonly string[]> {
  const { pipelineFilePaths } = await import('../../engine/compile-input.ts');
  const { isFileOf } = await import('../../engine/choose-files.ts');
  for (const path of configuredPath === undefined ? pipelineFilePaths : [configuredPath]) {
    const place = join(cli.io.workingFolder, path);
    if (!existsSync(place)) continue;
    if (!path.endsWith('/')) return [path];
    const workflows = readdirSync(place)
      .map((name) => `${path}${name}`)
      .filter((each) => isFileOf(path, each));
    if (workflows.length > 0) return workflows.toSorted();
  }
  throw new GantryError('PIPELINE_FILE_MISSING', cli.texts.errors.noPipelineFile);
}

function readText(cli: Cli, path: string): string {
  try {
    return readFileSync(resolve(cli.io.workingFolder, path), 'utf8');
  } catch (error) {
    throw new GantryError('PATH_NOT_FOUND', cli.texts.errors.noFile(path, (error as Error).message), { cause: error });
  }
}
