import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type Benchmark, runComparison } from './harness.ts';

/**
 * `npm run bench -- P1 P5`: the named benchmarks, or all. One JSON line per comparison on stdout; what goes on, on stderr.
 * A missed goal is printed as missed and fails nothing: figures of one machine are no verdict on the code.
 */
const wanted = process.argv.slice(2).map((id) => id.toLowerCase());
const files = (await readdir(import.meta.dirname)).filter((name) => /^[a-z]\d+-.*\.ts$/.test(name)).sort();
const chosen = files.filter((name) => wanted.length === 0 || wanted.includes(name.split('-')[0]!));
if (chosen.length === 0) {
  process.stderr.write(
    `There is no such benchmark. There are: ${files.map((name) => name.split('-')[0]!.toUpperCase()).join(' ')}\n`,
  );
  process.exit(2);
}

if (!isBuilt())
  process.stderr.write('Servers run from the sources: `npm run build` first measures what is faster to start.\n');

let [met, missed] = [0, 0];
for (const name of chosen) {
  const { benchmark } = (await import(join(import.meta.dirname, name))) as { benchmark: Benchmark };
  process.stderr.write(`${benchmark.id}: ${benchmark.title}\n`);
  const { comparisons, cleanUp, notes } = await benchmark.prepare();
  try {
    for (const comparison of comparisons) {
      const isMet = await runComparison(benchmark, comparison, notes);
      if (isMet === true) met += 1;
      if (isMet === false) missed += 1;
    }
  } finally {
    await cleanUp();
  }
}
process.stderr.write(`${met} goals met, ${missed} missed\n`);
process.exit(0);

/** Whether `bin/gantry` finds a build of these very sources. */
function isBuilt(): boolean {
  const root = join(import.meta.dirname, '../..');
  const built = join(root, 'dist/commit');
  const git = (...words: string[]): string => execFileSync('git', words, { cwd: root, encoding: 'utf8' }).trim();
  return (
    existsSync(built) &&
    readFileSync(built, 'utf8') === git('rev-parse', 'HEAD:src') &&
    git('status', '--porcelain', '--', 'src') === ''
  );
}
