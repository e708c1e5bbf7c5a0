import { chmod, copyFile, mkdir, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { GantryError } from '../../../core/errors.ts';
import type { DebianArchive } from './debian-archive.ts';
import type { Architecture, GoToolchain } from './recipe.ts';
import { runProgram } from './run-program.ts';

/** Debian's go: it downloads the module and checks it against the checksum database, whatever version that holds. */
const client = { suite: 'bookworm', package: 'golang-1.19-go', folder: 'usr/lib/go-1.19' } as const;

/**
 * Puts a Go toolchain where `target` says. It is fetched as a module by the go command, through the mirror and proxy of
 * `environment`, and has the recorded checksum. `work` is a folder for what comes and goes on the way.
 */
export async function fetchGoToolchain(
  target: string,
  toolchain: GoToolchain,
  options: {
    readonly archive: DebianArchive;
    readonly architecture: Architecture;
    readonly environment: Readonly<Record<string, string>>;
    readonly work: string;
    readonly signal?: AbortSignal | undefined;
  },
): Promise<void> {
  const { architecture, environment, signal, work } = options;
  const sum = toolchain.sum[architecture];
  if (sum === undefined)
    throw new GantryError(
      'IMAGE_NOT_FOUND',
      `Cannot fetch Go ${toolchain.version}: there is no recorded checksum of it for ${architecture}`,
    );
  try {
    const root = await unpackClient(work, options);
    const output = await runProgram(
      join(root, 'bin/go'),
      ['mod', 'download', '-json', `golang.org/toolchain@v0.0.1-go${toolchain.version}.linux-${architecture}`],
      {
        cwd: work,
        environment: {
          ...environment,
          HOME: work,
          GOROOT: root,
          GOPATH: join(work, 'go'),
          GOFLAGS: '-modcacherw',
          GO111MODULE: 'on',
        },
        signal,
      },
    );
    const found = JSON.parse(output) as { readonly Dir: string; readonly Sum: string };
    if (found.Sum !== sum) throw new Error(`what was served has the checksum ${found.Sum}, not ${sum}`);
    await rename(found.Dir, target);
    await setModes(target);
    // A module must not hold another one, so this file travels under another name.
    await copyFile(join(target, 'src/_go.mod'), join(target, 'src/go.mod'));
  } catch (cause) {
    if (cause instanceof GantryError) throw cause;
    throw new GantryError(
      'IMAGE_PULL_FAILED',
      `Cannot fetch Go ${toolchain.version}: ${cause instanceof Error ? cause.message : String(cause)}`,
      { cause },
    );
  } finally {
    await rm(join(work, 'go'), { recursive: true, force: true });
  }
}

async function unpackClient(
  work: string,
  { archive, signal }: { readonly archive: DebianArchive; readonly signal?: AbortSignal | undefined },
): Promise<string> {
  const found = (await archive.index(client.suite, signal)).packages.get(client.package);
  if (!found) throw new Error(`the suite has no package "${client.package}"`);
  const [deb] = await archive.download([found], signal);
  const folder = join(work, 'go-client');
  await mkdir(folder, { recursive: true });
  const script = 'dpkg-deb --fsys-tarfile "$1" | tar -x -C "$2" --no-same-owner "./$3"';
  await runProgram('sh', ['-c', script, 'sh', deb!, folder, `${client.folder}/bin`], { signal });
  return join(folder, client.folder);
}

/** A module's files have no rights to be run. */
async function setModes(root: string): Promise<void> {
  for (const entry of await readdir(root, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    const below = path.slice(root.length + 1);
    const isProgram = /^(bin|pkg\/tool)\//.test(below);
    await chmod(path, entry.isDirectory() || isProgram ? 0o755 : 0o644);
  }
  await chmod(root, 0o755);
}
