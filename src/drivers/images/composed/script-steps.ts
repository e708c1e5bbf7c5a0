import { chmod, mkdir, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { javaTrustStore, readCertificates } from '../../../lib/java-trust-store.ts';
import type { Architecture, Recipe } from './recipe.ts';
import { runProgram } from './run-program.ts';

/** What the packages' own scripts would have done, as far as it matters. */
export async function redoScriptSteps(
  root: string,
  recipe: Recipe,
  facts: {
    /** Names of the packages in this layer. */
    readonly packages: ReadonlySet<string>;
    readonly isBase: boolean;
    /** The files of the images below, if any. */
    readonly below: string | undefined;
    readonly architecture: Architecture;
  },
): Promise<void> {
  const { architecture, below, isBase, packages } = facts;
  if (packages.has('ca-certificates')) await bundleCertificates(root);
  if (packages.has('php-common') || packages.has('php8.2-common')) await enablePhpModules(root);
  if ([...packages].some((name) => /^openjdk-\d+-jre-headless$/.test(name)))
    await writeJavaTrustStore(root, below ?? root);
  if (recipe.hasBusyboxApplets) await linkApplets(root);
  if (isBase) await writeAccounts(root);
  for (const [path, target] of Object.entries(recipe.links)) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await rm(join(root, path), { force: true });
    await symlink(target.replace('{architecture}', architecture), join(root, path));
  }
  for (const [path, content] of Object.entries(recipe.files)) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), content, { mode: 0o644 });
  }
}

/** Debian's Java trusts the file that ca-certificates-java makes of the bundle. */
async function writeJavaTrustStore(root: string, trusting: string): Promise<void> {
  const pem = await readFile(join(trusting, 'etc/ssl/certs/ca-certificates.crt'), 'utf8');
  await mkdir(join(root, 'etc/ssl/certs/java'), { recursive: true });
  await writeFile(join(root, 'etc/ssl/certs/java/cacerts'), javaTrustStore(readCertificates(pem)), { mode: 0o644 });
}

/** A module is loaded by a link to its settings, whose first lines say when in turn. */
async function enablePhpModules(root: string): Promise<void> {
  const share = join(root, 'usr/share');
  for (const folder of (await readdir(share)).filter((name) => /^php\d+\.\d+-/.test(name)).sort()) {
    const version = /^php(\d+\.\d+)-/.exec(folder)![1]!;
    const enabled = join(root, 'etc/php', version, 'cli/conf.d');
    await mkdir(enabled, { recursive: true });
    const files = (await readdir(join(share, folder), { recursive: true })).filter((name) => name.endsWith('.ini'));
    for (const file of files.sort()) {
      const settings = await readFile(join(share, folder, file), 'utf8');
      const priority = /^;\s*priority=(\d+)/m.exec(settings)?.[1] ?? '20';
      await writeFile(join(enabled, `${priority}-${basename(file)}`), settings, { mode: 0o644 });
    }
  }
}

async function bundleCertificates(root: string): Promise<void> {
  const source = join(root, 'usr/share/ca-certificates');
  const files = (await readdir(source, { recursive: true })).filter((name) => name.endsWith('.crt')).sort();
  const certificates = await Promise.all(files.map((name) => readFile(join(source, name), 'utf8')));
  await mkdir(join(root, 'etc/ssl/certs'), { recursive: true });
  await writeFile(
    join(root, 'etc/ssl/certs/ca-certificates.crt'),
    certificates.map((text) => `${text.trimEnd()}\n`).join(''),
    { mode: 0o644 },
  );
  await rm(source, { recursive: true });
}

async function linkApplets(root: string): Promise<void> {
  const applets = await runProgram(join(root, 'bin/busybox'), ['--list-full']);
  for (const applet of applets.split('\n').filter((line) => line !== '')) {
    const path = join(root, applet.startsWith('usr/') ? applet : `usr/${applet}`);
    if (await stat(path).catch(() => undefined)) continue;
    await mkdir(dirname(path), { recursive: true });
    await symlink('/bin/busybox', path).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
  }
}

async function writeAccounts(root: string): Promise<void> {
  const etc = join(root, 'etc');
  const master = join(root, 'usr/share/base-passwd');
  await mkdir(etc, { recursive: true });
  const passwd = await readFile(join(master, 'passwd.master'), 'utf8').catch(() => 'root:x:0:0:root:/root:/bin/sh\n');
  const group = await readFile(join(master, 'group.master'), 'utf8').catch(() => 'root:x:0:\n');
  await writeFile(
    join(etc, 'passwd'),
    `${passwd.replace(/^root:\*/, 'root:x')}nonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n`,
  );
  await writeFile(join(etc, 'group'), `${group}nonroot:x:65532:\n`);
  await writeFile(join(etc, 'nsswitch.conf'), 'passwd: files\ngroup: files\nhosts: files dns\n');
  for (const [name, mode] of [
    ['tmp', 0o1777],
    ['home/nonroot', 0o755],
    ['root', 0o700],
    ['app', 0o755],
    ['var/tmp', 0o1777],
    ['run', 0o755],
    ['dev', 0o755],
    ['proc', 0o755],
    ['sys', 0o755],
  ] as const) {
    await mkdir(join(root, name), { recursive: true });
    await chmod(join(root, name), mode);
  }
}
