import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** What the folder one stands in says about the project. */
export interface CloneFacts {
  /** Address of the Gantry it was cloned from, without a slash at its end. */
  readonly url: string;
  /** `owner/name`. */
  readonly slug: string;
}

/**
 * The project that a remote of this clone names: of the remotes that lead to a Gantry which is known, `origin` or else the only one;
 * where none does, `origin`. `undefined` outside a clone, for other kinds of remotes, and where several projects could be meant.
 */
export async function readClone(folder: string, isKnown: (url: string) => boolean): Promise<CloneFacts | undefined> {
  const listed = (await git(folder, ['remote', '--verbose'])) ?? '';
  const remotes = [...listed.matchAll(/^(\S+)\t(\S+) \(fetch\)$/gm)].flatMap(([, name = '', address = '']) => {
    const facts = parseRemote(address);
    return facts ? [{ name, facts }] : [];
  });
  const origin = remotes.find(({ name }) => name === 'origin')?.facts;
  if (origin && isKnown(origin.url)) return origin;
  const known = remotes.map(({ facts }) => facts).filter(({ url }) => isKnown(url));
  const [first, ...others] = known;
  if (!first) return origin;
  return others.every(({ url, slug }) => url === first.url && slug === first.slug) ? first : undefined;
}

/** The branch that is checked out. */
export function currentBranch(folder: string): Promise<string | undefined> {
  return git(folder, ['symbolic-ref', '--quiet', '--short', 'HEAD']);
}

/** `http://mei:token@host:3000/shop/storefront.git` → address and slug; credentials are left out. */
export function parseRemote(remote: string): CloneFacts | undefined {
  if (!/^https?:/.test(remote) || !URL.canParse(remote)) return undefined;
  const { protocol, host, pathname } = new URL(remote);
  const found = /^(.*)\/([\w.-]+)\/([\w.-]+?)(?:\.git)?\/?$/.exec(pathname);
  if (!found) return undefined;
  const [, prefix = '', owner = '', name = ''] = found;
  return { url: `${protocol}//${host}${prefix}`, slug: `${owner}/${name}` };
}

async function git(folder: string, args: readonly string[]): Promise<string | undefined> {
  try {
    const { stdout } = await run('git', ['-C', folder, ...args], { timeout: 5_000 });
    return stdout.trim() || undefined;
  } catch {
    // No git, no clone, no such remote: then the folder says nothing.
    return undefined;
  }
}
