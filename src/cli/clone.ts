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

/** The project that `origin` of this clone names; `undefined` outside a clone, or for another kind of remote. */
export async function readClone(folder: string): Promise<CloneFacts | undefined> {
  const remote = await git(folder, ['remote', 'get-url', 'origin']);
  return remote === undefined ? undefined : parseRemote(remote);
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
