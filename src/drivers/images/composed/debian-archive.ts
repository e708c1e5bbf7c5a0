import { randomUUID } from 'node:crypto';
import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { GantryError } from '../../../core/errors.ts';
import { readHostSources } from './host-debian-sources.ts';
import type { DebianPackage, PackageIndex } from './package-index.ts';
import { readPackageIndex } from './package-index.ts';
import type { Architecture } from './recipe.ts';
import { runProgram } from './run-program.ts';

/** Addresses of the archive and of its security updates. */
export interface DebianMirror {
  readonly main: string;
  readonly security: string;
}

/**
 * Debian packages by apt, with state and cache folders of our own: the host's lists may be absent and are never
 * touched, and no root is needed. Sources are the mirror's or the host's, keys the host's; apt checks every hash against the signed Release.
 */
export class DebianArchive {
  readonly #folder: string;
  readonly #architecture: Architecture;
  readonly #environment: Readonly<Record<string, string>>;
  readonly #mirror: DebianMirror | undefined;
  #index: Promise<PackageIndex> | undefined;

  /** `environment`: what apt needs to get out (proxy). */
  constructor(
    folder: string,
    architecture: Architecture,
    options: {
      readonly environment: Readonly<Record<string, string>>;
      readonly mirror?: DebianMirror | undefined;
    },
  ) {
    this.#folder = folder;
    this.#architecture = architecture;
    this.#environment = options.environment;
    this.#mirror = options.mirror;
  }

  /** The index of the suite, fetched once per process. */
  index(suite: string, signal?: AbortSignal): Promise<PackageIndex> {
    this.#index ??= this.#readIndex(suite, signal).catch((error) => {
      this.#index = undefined;
      throw error;
    });
    return this.#index;
  }

  async #readIndex(suite: string, signal?: AbortSignal): Promise<PackageIndex> {
    if (!this.#mirror) await this.#requireSuite(suite);
    for (const part of ['state/lists/partial', 'cache/archives/partial', 'debs'])
      await mkdir(join(this.#folder, part), { recursive: true });
    await writeFile(join(this.#folder, 'status'), '');
    if (this.#mirror) await writeFile(join(this.#folder, 'mirror.list'), sourcesOf(this.#mirror, suite));
    await this.#apt('apt-get', ['-q', 'update'], undefined, signal);
    return readPackageIndex(await this.#apt('apt-cache', ['dumpavail'], undefined, signal), this.#architecture);
  }

  /** Path of the package's .deb, downloaded unless a checked copy is there. */
  async download(wanted: readonly DebianPackage[], signal?: AbortSignal): Promise<string[]> {
    const debs = join(this.#folder, 'debs');
    const fileOf = (found: DebianPackage): string =>
      `${found.name}_${found.version.replaceAll(':', '%3a')}_${found.architecture}.deb`;
    const present = new Set(await readdir(debs));
    const missing = wanted.filter((found) => !present.has(fileOf(found)));
    if (missing.length > 0) {
      // Into a folder of its own first: what stands in debs/ is complete and was checked.
      const incoming = join(this.#folder, `incoming-${process.pid}-${randomUUID()}`);
      await mkdir(incoming);
      try {
        const names = missing.map((found) => `${found.name}=${found.version}`);
        await this.#apt('apt-get', ['-q', 'download', ...names], incoming, signal);
        for (const name of await readdir(incoming)) await rename(join(incoming, name), join(debs, name));
      } finally {
        await rm(incoming, { recursive: true, force: true });
      }
    }
    return wanted.map((found) => join(debs, fileOf(found)));
  }

  #apt(
    program: string,
    args: readonly string[],
    cwd: string | undefined,
    signal: AbortSignal | undefined,
  ): Promise<string> {
    const options = [
      `Dir::State=${this.#folder}/state`,
      `Dir::State::status=${this.#folder}/status`,
      `Dir::Cache=${this.#folder}/cache`,
      `APT::Architecture=${this.#architecture}`,
      'APT::Sandbox::User=',
      'Acquire::Retries=3',
      'Acquire::Languages=none',
      ...(this.#mirror ? [`Dir::Etc::sourcelist=${this.#folder}/mirror.list`, 'Dir::Etc::sourceparts=-'] : []),
    ].flatMap((option) => ['-o', option]);
    return runProgram(program, [...options, ...args], {
      ...(cwd ? { cwd } : {}),
      environment: this.#environment,
      signal,
    }).catch((error: unknown) => {
      throw new GantryError(
        'IMAGE_PULL_FAILED',
        `Cannot fetch Debian packages: ${error instanceof Error ? error.message : String(error)}`,
        { cause: error },
      );
    });
  }

  /** A recipe names its suite; the host's sources must offer it, or the packages would not fit together. */
  async #requireSuite(suite: string): Promise<void> {
    const sources = await readHostSources();
    if (!new RegExp(`\\b${suite}\\b`).test(sources))
      throw new GantryError(
        'IMAGE_PULL_FAILED',
        `Cannot compose base images: the host's apt sources do not offer the Debian suite "${suite}"`,
      );
  }
}

function sourcesOf({ main, security }: DebianMirror, suite: string): string {
  const key = '[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]';
  return [
    `deb ${key} ${main} ${suite} main`,
    `deb ${key} ${main} ${suite}-updates main`,
    `deb ${key} ${security} ${suite}-security main`,
    '',
  ].join('\n');
}
