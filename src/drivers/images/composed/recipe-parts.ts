/** What recipes have in common. */
export const defaultPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

export const plain = {
  suite: 'bookworm',
  skip: [],
  npm: [],
  remove: [],
  links: {},
  files: {},
  keepsDpkgDatabase: false,
  hasBusyboxApplets: false,
  environment: { PATH: defaultPath },
} as const;

export const debianParent = 'base/debian:12';

export const environment = { PATH: defaultPath, SSL_CERT_FILE: '/etc/ssl/certs/ca-certificates.crt' } as const;

/** What git pulls in for `git send-email` and `git svn`, and nothing else uses. */
export const perlOfGit: readonly string[] = [
  'perl',
  'perl-modules-5.36',
  'libperl5.36',
  'libperl4-corelibs-perl',
  'git-man',
  'liberror-perl',
];
