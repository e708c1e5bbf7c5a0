import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { rootFolder } from '../lib/root-folder.ts';

/** Where the built web interface stands. */
export const uiFolder = join(rootFolder, 'dist/ui');
const stampFile = join(rootFolder, 'dist/ui.sources');

/** Builds the web interface unless the one that stands there was made of the same sources. */
export async function buildUi(note: (line: string) => void): Promise<'built' | 'present'> {
  const wanted = await hashOfSources();
  if ((await readFile(stampFile, 'utf8').catch(() => '')) === wanted) return 'present';
  await runVite(note);
  await mkdir(join(rootFolder, 'dist'), { recursive: true });
  await writeFile(stampFile, wanted);
  return 'built';
}

async function hashOfSources(): Promise<string> {
  const hash = createHash('sha256');
  const files = ['package-lock.json', 'vite.config.ts', 'tools/ui-budget.ts', 'tools/precompress.ts'];
  for (const folder of ['ui', 'src/api'])
    for (const entry of await readdir(join(rootFolder, folder), { recursive: true, withFileTypes: true }))
      if (entry.isFile()) files.push(join(entry.parentPath, entry.name).slice(rootFolder.length + 1));
  for (const file of files.sort()) hash.update(`${file}\0`).update(await readFile(join(rootFolder, file)));
  return hash.digest('hex');
}

function runVite(note: (line: string) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(
      process.execPath,
      [join(rootFolder, 'node_modules/vite/bin/vite.js'), 'build', '--logLevel', 'warn'],
      {
        cwd: rootFolder,
        // Whatever this process runs under: a test must not build React for developers.
        env: { ...process.env, NODE_ENV: 'production' },
        stdio: ['ignore', 'pipe', 'pipe'],
      },
    );
    let lastWords = '';
    const listen = (bytes: Buffer): void => {
      lastWords = `${lastWords}${bytes.toString()}`.slice(-4_000);
      note(bytes.toString().trim().split('\n').at(-1) ?? '');
    };
    child.stdout.on('data', listen);
    child.stderr.on('data', listen);
    child.on('error', reject);
    child.on('close', (code) =>
      code === 0 ? resolve() : reject(new Error(`Cannot build the web interface:\n${lastWords}`)),
    );
  });
}
