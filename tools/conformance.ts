import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * `npm run conformance`: plays every scenario of pipeline files and says by letter how many passed. A scenario's title
 * begins with the name of its file: `R16-cancel-while-running-drone1: …`.
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

interface Report {
  readonly testResults: readonly {
    readonly assertionResults: readonly { readonly title: string; readonly status: string }[];
  }[];
}

const folder = mkdtempSync(join(tmpdir(), 'gantry-conformance-'));
const file = join(folder, 'report.json');
const tests = ['pipeline-scenarios', 'pipeline-runs', 'pipeline-kept-runs', 'pipeline-programs'].map(
  (name) => `test/conformance/${name}`,
);
const { status } = spawnSync(
  'node_modules/.bin/vitest',
  ['run', ...tests, '--reporter=dot', '--reporter=json', `--outputFile.json=${file}`],
  { stdio: 'inherit' },
);
const { testResults } = JSON.parse(readFileSync(file, 'utf8')) as Report;
rmSync(folder, { recursive: true });

const scenarios = testResults
  .flatMap(({ assertionResults }) => assertionResults)
  .filter(({ title }) => /^[A-Z]\d{2}-/.test(title));
const byLetter = Map.groupBy(scenarios, ({ title }) => title.charAt(0));
process.stdout.write('\n   passed  failed  left out\n');
for (const letter of new Set([...Object.keys(letters), ...byLetter.keys()])) {
  const own = byLetter.get(letter) ?? [];
  const count = (wanted: string): number => own.filter((one) => one.status === wanted).length;
  const [passed, failed] = [count('passed'), count('failed')];
  const columns = [passed, failed, own.length - passed - failed].map((each) => String(each).padStart(7));
  process.stdout.write(`${letter} ${columns.join(' ')}   ${letters[letter] ?? ''}\n`);
}
process.exitCode = status ?? 1;
