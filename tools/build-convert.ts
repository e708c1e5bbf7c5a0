import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';

/**
 * `npm run build:convert`: the converter of Jsonnet and Starlark, as one file of WebAssembly in `dist/convert`, with the
 * licences of what is in it. It takes Go; what is pinned is in `tools/convert/go.sum`.
 */
const root = dirname(import.meta.dirname);
const sources = join(root, 'tools/convert');
const target = join(root, 'dist/convert');
const go = (args: readonly string[], environment: Readonly<Record<string, string>> = {}): string =>
  execFileSync('go', args, {
    cwd: sources,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, ...environment },
  });

mkdirSync(target, { recursive: true });
// Under another name first: a server that is running never meets half a file.
const half = join(target, 'convert.wasm.part');
go(['build', '-mod=readonly', '-trimpath', '-ldflags=-s -w', '-o', half, '.'], { GOOS: 'wasip1', GOARCH: 'wasm' });
renameSync(half, join(target, 'convert.wasm'));

/** Modules that the program is linked from, and Go's own library. */
const modules = new Map([['go', go(['env', 'GOROOT']).trim()]]);
const listed = go(['list', '-deps', '-f', '{{with .Module}}{{.Path}} {{.Dir}}{{end}}', '.'], {
  GOOS: 'wasip1',
  GOARCH: 'wasm',
});
for (const line of listed.split('\n')) {
  const [path = '', folder] = line.split(' ');
  if (folder && folder !== sources) modules.set(path, folder);
}
for (const [path, folder] of modules)
  for (const name of readdirSync(folder).filter((entry) => /^(licen[cs]e|notice|patents)/i.test(entry))) {
    // Go keeps its modules read-only, and so is a copy of before.
    const copy = join(target, `${path.replaceAll('/', '-')}.${name}`);
    rmSync(copy, { force: true });
    cpSync(join(folder, name), copy);
  }
