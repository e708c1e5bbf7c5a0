import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { build } from 'vite';
import { buildUi } from '../src/app/build-ui.ts';

/**
 * `npm run build`: plain JavaScript in `dist/src` and the web interface in `dist/ui`. `bin/gantry` prefers it while it is
 * of the same commit, which starts in half the time.
 */
const root = dirname(import.meta.dirname);
const started = performance.now();

rmSync(join(root, 'dist/src'), { recursive: true, force: true });
const { status } = spawnSync(
  process.execPath,
  [join(root, 'node_modules/typescript/bin/tsc'), '-p', 'tsconfig.build.json'],
  {
    cwd: root,
    stdio: 'inherit',
  },
);
if (status !== 0) process.exit(1);

// What is no TypeScript travels as it is: SQL, scripts, data files.
for (const entry of readdirSync(join(root, 'src'), { recursive: true, withFileTypes: true })) {
  if (!entry.isFile() || entry.name.endsWith('.ts')) continue;
  const file = join(entry.parentPath, entry.name);
  cpSync(file, join(root, 'dist', file.slice(root.length + 1)));
}

// The child that reads pipeline files comes up while somebody waits: as one file it does so a quarter faster.
const child = join(root, 'dist/src/engine/compile-child.js');
await build({
  configFile: false,
  root,
  publicDir: false,
  logLevel: 'warn',
  build: {
    ssr: child,
    target: 'node24',
    outDir: dirname(child),
    emptyOutDir: false,
    rolldownOptions: { output: { entryFileNames: '[name].js' } },
  },
});

await buildUi((line) => process.stderr.write(line === '' ? '' : `  ${line}\n`));
writeFileSync(join(root, 'dist/commit'), sourceState());
process.stdout.write(`Built in ${((performance.now() - started) / 1000).toFixed(1)} s\n`);

/** The tree that the sources are of; with changes that are not committed it is of no commit. */
function sourceState(): string {
  try {
    const git = (...args: string[]): string => execFileSync('git', args, { cwd: root, encoding: 'utf8' }).trim();
    return git('status', '--porcelain', '--', 'src') === '' ? git('rev-parse', 'HEAD:src') : 'uncommitted';
  } catch {
    return 'published';
  }
}
