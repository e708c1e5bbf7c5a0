/**
 * Runs a suite of tests as `vitest run` does, with the arguments given, and looks twice at what fails: when few files
 * fail they are run once more, alone. What passes then has failed by chance — a busy machine, a race — and is named at
 * the end, so that it gets mended; it does not stop a change that has nothing to do with it.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Failures, reportVariable } from './failures-reporter.ts';

/** What fails in more files than these has not failed by chance. */
const mostFiles = 3;

const reporter = fileURLToPath(new URL('failures-reporter.ts', import.meta.url));
const program = fileURLToPath(new URL('../node_modules/vitest/vitest.mjs', import.meta.url));

async function run(parameters: readonly string[], report: string): Promise<{ code: number; failures: Failures }> {
  const vitest = spawn(
    process.execPath,
    [program, 'run', ...parameters, '--reporter=default', `--reporter=${reporter}`],
    { stdio: 'inherit', env: { ...process.env, [reportVariable]: report } },
  );
  const [code] = (await once(vitest, 'close')) as [number | null];
  const text = await readFile(report, 'utf8').catch(() => undefined);
  const failures = text === undefined ? { files: [], hasLooseErrors: true } : (JSON.parse(text) as Failures);
  return { code: code ?? 1, failures };
}

/** @returns The exit code: 0 when all passed, the files that failed at first when they were run again. */
async function runSuite(parameters: readonly string[]): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), 'gantry-suite-'));
  try {
    const { code, failures } = await run(parameters, join(folder, 'first.json'));
    const { files, hasLooseErrors } = failures;
    if (code === 0 || hasLooseErrors || files.length === 0 || files.length > mostFiles) return code;
    const paths = files.map(({ path }) => path);
    console.log(`\nOnce more: ${paths.map((path) => relative('.', path)).join(', ')}`);
    const again = await run([...parameters, ...paths], join(folder, 'second.json'));
    if (again.code === 0) {
      console.log('Failed by chance, passed when run again; mend these:');
      for (const { path, tests } of files)
        console.log(`  ${relative('.', path)}${tests.map((name) => `\n    ${name}`).join('')}`);
    }
    return again.code;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

if (import.meta.main) process.exitCode = await runSuite(process.argv.slice(2));
