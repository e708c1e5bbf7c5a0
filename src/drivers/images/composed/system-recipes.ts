import type { Recipe } from './recipe.ts';
import { debianParent, environment, perlOfGit, plain } from './recipe-parts.ts';

/** Systems without a language: busybox, Debian, git. */
export const systemRecipes: readonly Recipe[] = [
  {
    ...plain,
    name: 'base/busybox',
    layerMb: 1,
    tags: ['latest', '1'],
    packages: ['busybox-static'],
    hasBusyboxApplets: true,
    command: ['/bin/sh'],
    smoke: [['/bin/sh', '-c', 'test "$(echo hello | tr a-z A-Z)" = HELLO']],
  },
  {
    // What holds a job's network in a container engine, and the gate that waits in the container of each step.
    ...plain,
    name: 'base/gate',
    layerMb: 5,
    tags: ['latest', '1'],
    packages: ['busybox-static', 'libc6', 'libcrypt1', 'perl-base'],
    skip: ['dpkg', 'libgcc-s1'],
    remove: ['usr/share', 'usr/lib/x86_64-linux-gnu/perl-base', 'usr/lib/aarch64-linux-gnu/perl-base'],
    hasBusyboxApplets: true,
    command: ['/bin/sh'],
    smoke: [['/usr/bin/perl', '-e', 'exit 0']],
  },
  {
    ...plain,
    name: 'base/debian',
    layerMb: 24,
    tags: ['12', 'latest', 'bookworm'],
    // The first four do nothing here, but apt refuses to install anything while what is there lacks them.
    packages: [
      'adduser',
      'debconf',
      'gcc-12-base',
      'libpam-modules',
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
    // Which servers these are is no matter of the image: the runtime lays the lists into every step.
    files: {
      'etc/apt/sources.list.d/debian.sources': [
        aptSource('mirror+file:/.gantry/apt/debian.list', 'bookworm bookworm-updates'),
        aptSource('mirror+file:/.gantry/apt/debian-security.list', 'bookworm-security'),
      ].join('\n'),
      'etc/apt/apt.conf.d/90languages': 'Acquire::Languages "none";\n',
    },
    keepsDpkgDatabase: true,
    environment,
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
    layerMb: 20,
    tags: ['latest', '2'],
    parent: debianParent,
    packages: ['git', 'openssh-client'],
    skip: perlOfGit,
    environment,
    command: ['bash'],
    smoke: [
      ['/usr/bin/git', 'version'],
      ['/usr/bin/git', '-c', 'init.defaultBranch=main', 'init', '-q', '/tmp/smoke'],
    ],
  },
  {
    ...plain,
    name: 'devops/git',
    layerMb: 20,
    tags: ['latest', '2'],
    parent: debianParent,
    packages: ['curl', 'git', 'jq', 'openssh-client'],
    skip: perlOfGit,
    environment,
    command: ['bash'],
    smoke: [
      ['/usr/bin/git', '-c', 'init.defaultBranch=main', 'init', '-q', '/tmp/smoke'],
      ['/bin/sh', '-c', 'test "$(echo \'{"a":1}\' | jq .a)" = 1 && curl --version && ssh -V'],
    ],
  },
];

function aptSource(uris: string, suites: string): string {
  const keyring = '/usr/share/keyrings/debian-archive-keyring.gpg';
  return `Types: deb\nURIs: ${uris}\nSuites: ${suites}\nComponents: main\nSigned-By: ${keyring}\n`;
}
