/**
 * Runs a suite of tests as `vitest run` does, with the arguments given, and looks twice at what fails: when few files
 * fail they are run once more, alone. What passes then has failed by chance — a busy machine, a race — and is named at
 * the end, so that it gets mended; it does not stop a change that has nothing to do with it.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** What fails in more files than these has not failed by chance. */
const mostFiles = 3;

/** What vitest writes of a run as JSON: what is read here. */
interface Report {
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    readonly assertionResults: readonly { readonly fullName: string; readonly status: string }[];
  }[];
}

interface FailedFile {
  readonly path: string;
  /** Of the failed tests; none when the file failed outside of them. */
  readonly tests: readonly string[];
}

/** Files of a report in which something failed. */
function failedFiles({ testResults }: Report): readonly FailedFile[] {
  return testResults
    .filter(({ status }) => status === 'failed')
    .map(({ name, assertionResults }) => ({
      path: relative(process.cwd(), name),
      tests: assertionResults.filter(({ status }) => status === 'failed').map(({ fullName }) => fullName),
    }));
}

async function run(
  parameters: readonly string[],
  report: string,
): Promise<{ code: number; failed: readonly FailedFile[] }> {
  const program = fileURLToPath(new URL('../node_modules/vitest/vitest.mjs', import.meta.url));
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
  const vitest = spawn(process.execPath, [program, 'run', ...parameters, ...reporters], { stdio: 'inherit' });
  const [code] = (await once(vitest, 'close')) as [number | null];
  const text = await readFile(report, 'utf8').catch(() => undefined);
  return { code: code ?? 1, failed: text === undefined ? [] : failedFiles(JSON.parse(text) as Report) };
}

/** @returns The exit code: 0 when all passed, the files that failed at first when they were run again. */
async function runSuite(parameters: readonly string[]): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), 'gantry-suite-'));
  try {
    const { code, failed } = await run(parameters, join(folder, 'first.json'));
    if (code === 0 || failed.length === 0 || failed.length > mostFiles) return code;
    console.log(`\nOnce more: ${failed.map(({ path }) => path).join(', ')}`);
    const again = await run([...parameters, ...failed.map(({ path }) => resolve(path))], join(folder, 'second.json'));
    if (again.code === 0) {
      console.log('Failed by chance, passed when run again; mend these:');
      for (const { path, tests } of failed) console.log(`  ${path}${tests.map((name) => `\n    ${name}`).join('')}`);
    }
    return again.code;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

if (import.meta.main) process.exitCode = await runSuite(process.argv.slice(2));
