import { compareDebianVersions } from './debian-version.ts';

/** One package of a suite, with the fields that composing needs. */
export interface DebianPackage {
  readonly name: string;
  readonly version: string;
  readonly architecture: string;
  /** Groups of alternatives, Pre-Depends first. */
  readonly depends: readonly (readonly string[])[];
  readonly provides: readonly string[];
  /** The whole stanza, for the record inside the image. */
  readonly stanza: string;
}

export interface PackageIndex {
  readonly packages: ReadonlyMap<string, DebianPackage>;
  readonly providers: ReadonlyMap<string, readonly string[]>;
}

/**
 * Reads the text of a `Packages` index (stanzas separated by blank lines). A package that several pockets list counts
 * with its newest version.
 */
export function readPackageIndex(text: string, architecture: string): PackageIndex {
  const packages = new Map<string, DebianPackage>();
  for (const stanza of text.split(/\n\n+/)) {
    const found = readStanza(stanza);
    if (!found || (found.architecture !== architecture && found.architecture !== 'all')) continue;
    const known = packages.get(found.name);
    if (!known || compareDebianVersions(found.version, known.version) > 0) packages.set(found.name, found);
  }
  const providers = new Map<string, string[]>();
  for (const name of [...packages.keys()].sort())
    for (const provided of packages.get(name)!.provides) {
      const list = providers.get(provided);
      if (list) list.push(name);
      else providers.set(provided, [name]);
    }
  return { packages, providers };
}

function readStanza(stanza: string): DebianPackage | undefined {
  const field = (name: string): string | undefined => new RegExp(`^${name}: (.*)$`, 'm').exec(stanza)?.[1];
  const [name, version, architecture] = [field('Package'), field('Version'), field('Architecture')];
  if (name === undefined || version === undefined || architecture === undefined) return undefined;
  const groups = [field('Pre-Depends'), field('Depends')]
    .filter((list) => list !== undefined)
    .flatMap((list) => list.split(','));
  return {
    name,
    version,
    architecture,
    depends: groups.map((group) => group.split('|').map(bareName)),
    provides: (field('Provides') ?? '')
      .split(',')
      .map(bareName)
      .filter((provided) => provided !== ''),
    stanza: stanza.trim(),
  };
}

/** `libc6 (>= 2.36)`, `perl:any` → the name alone. */
function bareName(text: string): string {
  return text.replace(/\(.*\)|\[.*\]|:\w+/g, '').trim();
}

/**
 * All packages that `roots` need, over Pre-Depends and Depends, in sorted order. A group of alternatives is satisfied by
 * one already chosen or skipped; else by the first that is a real package, else by the first provider of the first.
 * Throws a plain Error that names a package the suite does not have.
 */
export function dependencyClosure(
  index: PackageIndex,
  roots: readonly string[],
  skip: ReadonlySet<string>,
): DebianPackage[] {
  const chosen = new Set<string>();
  const choose = (name: string, because: string): void => {
    if (chosen.has(name) || skip.has(name)) return;
    const found = index.packages.get(name);
    if (!found) throw new Error(`the suite has no package "${name}" (needed by ${because})`);
    chosen.add(name);
    for (const group of found.depends) {
      if (group.some((alternative) => chosen.has(alternative) || skip.has(alternative))) continue;
      if (group.some((alternative) => index.providers.get(alternative)?.some((provider) => chosen.has(provider))))
        continue;
      const real = group.find((alternative) => index.packages.has(alternative));
      const next = real ?? index.providers.get(group[0]!)?.[0];
      if (next === undefined) throw new Error(`nothing provides "${group.join(' | ')}" (needed by ${name})`);
      choose(next, name);
    }
  };
  for (const root of [...roots].sort()) choose(root, 'the recipe');
  return [...chosen].sort().map((name) => index.packages.get(name)!);
}
