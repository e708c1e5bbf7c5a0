import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/**
 * `npm run check`: format, lint, types, boundaries, unused code. Each is followed by a planted violation that it has to
 * find, since every one of these tools has a way to look at nothing and call it green.
 */

const bin = (name: string): string => join('node_modules/.bin', name);

interface Run {
  readonly passed: boolean;
  readonly output: string;
}

function run(name: string, args: readonly string[]): Run {
  const { status, stdout, stderr } = spawnSync(bin(name), args, { encoding: 'utf8', maxBuffer: 256 * 2 ** 20 });
  return { passed: status === 0, output: `${stdout}${stderr}` };
}

let failures = 0;

function report(title: string, { passed, output }: Run): void {
  process.stdout.write(`${passed ? '✓' : '✗'} ${title}\n`);
  if (passed) return;
  failures += 1;
  process.stdout.write(`${output.trim().split('\n').slice(-60).join('\n')}\n`);
}

/** Writes files that break a rule, runs the check, and expects it to fail for that reason. */
function reportPlanted(
  title: string,
  files: Readonly<Record<string, string>>,
  expected: string,
  check: () => Run,
): void {
  const made = Object.entries(files).map(([file, text]) => {
    const folder = firstMissingFolder(dirname(file));
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text, { flag: 'wx' });
    return folder ?? file;
  });
  try {
    const { passed, output } = check();
    const isFound = !passed && output.includes(expected);
    report(title, {
      passed: isFound,
      output: `Planted ${Object.keys(files).join(', ')} and did not find "${expected}":\n${output}`,
    });
  } finally {
    for (const path of made) rmSync(path, { recursive: true, force: true });
  }
}

function firstMissingFolder(folder: string): string | undefined {
  const parts = folder.split('/');
  for (let i = 1; i <= parts.length; i += 1) {
    const path = parts.slice(0, i).join('/');
    try {
      readdirSync(path);
    } catch {
      return path;
    }
  }
  return undefined;
}

function sourceFiles(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.tsx?$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name));
}

// Format
report('format', run('biome', ['ci', '--colors=off', '.']));
reportPlanted('format finds a planted file', { 'src/lib/planted.ts': 'export const  a=1' }, 'planted.ts', () =>
  run('biome', ['ci', '--colors=off', 'src/lib/planted.ts']),
);

// Lint
const lint = ['--type-aware', '--deny-warnings'];
report('lint', run('oxlint', lint));
reportPlanted(
  'lint finds a planted forgotten promise',
  {
    'src/lib/planted.ts':
      "import { readFile } from 'node:fs/promises';\nexport function forget(): void {\n  readFile('/dev/null');\n}\n",
  },
  'no-floating-promises',
  () => run('oxlint', [...lint, 'src/lib/planted.ts']),
);
reportPlanted(
  'lint finds a planted look at the environment',
  { 'src/lib/planted.ts': "export const home = process.env['HOME'];\n" },
  'no-process-env',
  () => run('oxlint', [...lint, 'src/lib/planted.ts']),
);
reportPlanted(
  'lint finds a planted program started beside the git wrapper',
  { 'src/features/planted.ts': "export { spawn } from 'node:child_process';\n" },
  'no-restricted-imports',
  () => run('oxlint', [...lint, 'src/features/planted.ts']),
);

// Types
report('types', run('tsc', ['-p', '.']));
report('types of the web interface', run('tsc', ['-p', 'ui']));
reportPlanted(
  'types find a planted error',
  { 'src/lib/planted.ts': "export const count: number = 'one';\n" },
  'planted.ts',
  () => run('tsc', ['-p', '.']),
);

// Boundaries
const cruise = (more: readonly string[] = [], paths: readonly string[] = ['src', 'ui']): Run =>
  run('depcruise', ['--config', '.dependency-cruiser.cjs', ...more, ...paths]);
report('boundaries', cruise());
report('boundaries see every module', seesEveryModule());

function seesEveryModule(): Run {
  const { output } = cruise(['--output-type', 'json']);
  const seen = (JSON.parse(output) as { modules: { source: string }[] }).modules.map(({ source }) => source);
  const missing = [...sourceFiles('src'), ...sourceFiles('ui')].filter((file) => !seen.includes(file));
  return { passed: missing.length === 0, output: `Not looked at: ${missing.join(', ')}` };
}

/** A file for each rule of .dependency-cruiser.cjs: where it stands, and what it may not import. */
const forbidden: Readonly<Record<string, readonly [file: string, imported: string]>> = {
  'lib-knows-nothing': ['src/lib/planted.ts', '../core/errors.ts'],
  'core-is-pure': ['src/core/planted.ts', '../store/open-store.ts'],
  'api-is-the-wire': ['src/api/planted.ts', '../store/open-store.ts'],
  'driver-interfaces-stand-alone': ['src/drivers/logs/planted.ts', './filesystem/filesystem-logs.ts'],
  'store-is-a-detail': ['src/store/planted.ts', '../features/feature.ts'],
  'engine-knows-no-server': ['src/engine/planted.ts', '../store/open-store.ts'],
  'runner-knows-no-server': ['src/runner/planted.ts', '../store/open-store.ts'],
  'features-use-interfaces': ['src/features/code/planted.ts', '../../store/open-store.ts'],
  'server-knows-no-feature': ['src/server/planted.ts', '../features/code/index.ts'],
  'cli-starts-app': ['src/cli/planted.ts', '../store/open-store.ts'],
  'ui-speaks-the-wire': ['ui/planted.ts', '../src/core/errors.ts'],
  'features-are-islands': ['src/features/code/planted.ts', '../accounts/index.ts'],
  'drivers-are-islands': ['src/drivers/logs/filesystem/planted.ts', '../../runtime/runtime.ts'],
};
const rules = (await import('../.dependency-cruiser.cjs' as string)) as { default: { forbidden: { name: string }[] } };
for (const { name } of rules.default.forbidden) {
  if (name === 'no-cycles') {
    reportPlanted(
      'boundaries find a planted cycle',
      {
        'src/lib/planted.ts': "export type { B } from './planted-too.ts';\nexport type A = string;\n",
        'src/lib/planted-too.ts': "import type { A } from './planted.ts';\nexport type B = A;\n",
      },
      'no-cycles',
      () => cruise([], ['src/lib/planted.ts']),
    );
    continue;
  }
  const planted = forbidden[name];
  if (!planted) {
    report(`boundaries: a planted violation for ${name}`, { passed: false, output: 'tools/check.ts has none.' });
    continue;
  }
  const [file, imported] = planted;
  reportPlanted(`boundaries find ${name}`, { [file]: `export type * from '${imported}';\n` }, name, () =>
    cruise([], [file]),
  );
}

// Unused code
report('unused code', run('knip', ['--no-progress', '--no-config-hints']));
reportPlanted(
  'unused code finds a planted file',
  { 'src/lib/planted.ts': 'export const nobody = 1;\n' },
  'planted.ts',
  () => run('knip', ['--no-progress', '--no-config-hints']),
);

// Documents
const docs = spawnSync(process.execPath, ['tools/make-docs.ts', '--check'], { encoding: 'utf8' });
report('reference pages', { passed: docs.status === 0, output: `${docs.stdout}${docs.stderr}` });

process.stdout.write(failures === 0 ? 'All checks passed.\n' : `${failures} failed.\n`);
process.exitCode = failures === 0 ? 0 : 1;
