import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * `npm run conformance`: plays every scenario of pipeline files, and says by letter how many passed; runs every file of
 * the corpus, and the rows of the vectors, on both runtimes, and says by system and runtime how many passed. With
 * `--scenarios` the corpus is left out, which takes minutes.
 *
 * A scenario's title begins with the name of its file, `R16-cancel-while-running-drone1: …`; that of a file of the corpus
 * is its name and the runtime, `drone-1/01-go on sandbox`.
 */

const letters: Readonly<Record<string, string>> = {
  A: 'artifacts between workflows',
  C: 'caches and reuse, switched on and off',
  P: 'what is read, and how',
  T: 'which dialect a file has',
  W: 'conditions',
  O: 'order and graph',
  E: 'environment, secrets, images',
  L: 'lint',
  R: 'running',
  K: 'documents for Kubernetes',
  V: 'programs that write pipelines',
};

interface Assertion {
  readonly title: string;
  readonly status: string;
}

interface Report {
  readonly testResults: readonly { readonly assertionResults: readonly Assertion[] }[];
}

const width = 9;
const columns = ['passed', 'failed', 'left out'].map((name) => name.padStart(width)).join('');

/** Runs tests and answers what became of each. */
function run(...args: readonly string[]): { readonly isPassed: boolean; readonly assertions: readonly Assertion[] } {
  const folder = mkdtempSync(join(tmpdir(), 'gantry-conformance-'));
  const file = join(folder, 'report.json');
  const { status } = spawnSync(
    'node_modules/.bin/vitest',
    ['run', ...args, '--reporter=dot', '--reporter=json', `--outputFile.json=${file}`],
    { stdio: 'inherit' },
  );
  const { testResults } = JSON.parse(readFileSync(file, 'utf8')) as Report;
  rmSync(folder, { recursive: true });
  return { isPassed: status === 0, assertions: testResults.flatMap(({ assertionResults }) => assertionResults) };
}

/** How many of them passed, failed and were left out, as columns. */
function count(assertions: readonly Assertion[]): string {
  const of = (wanted: string): number => assertions.filter(({ status }) => status === wanted).length;
  const [passed, failed] = [of('passed'), of('failed')];
  return [passed, failed, assertions.length - passed - failed].map((each) => String(each).padStart(width)).join('');
}

const scenarioTests = ['pipeline-scenarios', 'pipeline-runs', 'pipeline-kept-runs', 'pipeline-programs'];
const scenarios = run(...scenarioTests.map((name) => `test/conformance/${name}`));
const named = scenarios.assertions.filter(({ title }) => /^[A-Z]\d{2}-/.test(title));
const byLetter = Map.groupBy(named, ({ title }) => title.charAt(0));
const lines = [...new Set([...Object.keys(letters), ...byLetter.keys()])].map(
  (letter) => `${letter}${count(byLetter.get(letter) ?? [])}   ${letters[letter] ?? ''}`,
);
process.stdout.write(`\n ${columns}\n${lines.join('\n')}\n`);
process.exitCode = scenarios.isPassed ? 0 : 1;

if (!process.argv.includes('--scenarios')) {
  const runs = [
    run('test/e2e/corpus.test.ts'),
    run('--config', 'vitest.docker.config.ts', 'test/docker/corpus.test.ts'),
    run('--config', 'vitest.images.config.ts', 'test/images/corpus.test.ts'),
  ];
  const byPlace = Map.groupBy(
    runs.flatMap(({ assertions }) => assertions),
    ({ title }) => {
      const [, system, runtime] = /^([\w.-]+)\/\S+ on (\w+)/.exec(title) ?? [];
      return `${(system ?? 'other').padEnd(12)}${runtime ?? ''}`;
    },
  );
  const placeWidth = 20;
  const rows = [...byPlace].map(([place, assertions]) => `${place.padEnd(placeWidth)}${count(assertions)}`);
  process.stdout.write(`\n${''.padEnd(placeWidth)}${columns}\n${rows.toSorted().join('\n')}\n`);
  if (runs.some(({ isPassed }) => !isPassed)) process.exitCode = 1;
}
