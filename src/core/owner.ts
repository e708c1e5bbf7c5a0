/** People and organisations share one list of names, since both own projects. */
export type OwnerKind = 'person' | 'organisation';

/** Names that are, or will be, addresses of Gantry itself. Compared in lower case. */
export const reservedNames: ReadonlySet<string> = new Set(
  (
    'api v2 charts packages npm pypi maven generic hooks models metrics healthz readyz docs assets base devops ' +
    // Pages of the web interface.
    'setup login logout device welcome site settings projects new profile search events static favicon.ico robots.txt'
  ).split(' '),
);

/** 1–63 of letters, digits, `.`, `_`, `-`, beginning with a letter or digit; not ending in `.git`, `.lock` or `.`; no `..`. */
export function isValidName(name: string): boolean {
  return /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/.test(name) && !/\.\.|\.(git|lock)?$/i.test(name);
}
