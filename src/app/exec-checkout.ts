import { readFileSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { CheckoutPlan, CheckoutSource, GatheredCheckout, SubmoduleSource } from '../core/checkout.ts';
import { GantryError } from '../core/errors.ts';
import { readGitmodules } from '../features/code/checkout/read-gitmodules.ts';
import { runGit } from '../features/code/git.ts';

const mostSubmodules = 100;

/**
 * What lies in a checkout of `gantry exec`: the working tree, with its submodules as they are checked out there. Nothing is
 * fetched. Throws CHECKOUT_REFUSED for one that is not there.
 */
export async function gatherLocally(
  plan: CheckoutPlan,
  source: CheckoutSource,
  workingTree: string,
  note: (line: string) => void,
): Promise<GatheredCheckout> {
  for (const [name, value] of [
    ['remote', plan.remote],
    ['ref', plan.ref],
  ] as const)
    if (value !== undefined) note(`"${name}: ${value}" of the checkout is left out: what runs is this working tree`);
  const submodules: SubmoduleSource[] = [];
  const open = plan.isRecursive ? [{ folder: source.folder, commit: source.commit, path: '' }] : [];
  for (let found = open.shift(); found; found = open.shift())
    for (const written of await readGitmodules(found.folder, found.commit)) {
      const path = found.path === '' ? written.path : `${found.path}/${written.path}`;
      if (submodules.length >= mostSubmodules)
        throw refused(`Cannot check out the submodules: there are more than ${mostSubmodules}`);
      const folder = await findRepository(join(workingTree, path), written.commit);
      if (folder === undefined)
        throw refused(
          `Cannot check out the submodule "${path}": its commit ${written.commit} is not here. Fetch it with: git submodule update --init --recursive`,
        );
      const { commit, name, url } = written;
      const remoteUrl = url.replace(/\/\/[^/@]*@/, '//');
      submodules.push({ name, path, parent: found.path, folder, commit, remoteUrl });
      open.push({ folder, commit, path });
    }
  return { source, submodules };
}

/** The repository of a submodule that is checked out, if it has the commit. */
async function findRepository(tree: string, commit: string): Promise<string | undefined> {
  const dot = join(tree, '.git');
  const found = statSync(dot, { throwIfNoEntry: false });
  if (!found) return undefined;
  const link = found.isDirectory() ? dot : /^gitdir: (.+)$/m.exec(readFileSync(dot, 'utf8'))?.[1];
  if (link === undefined) return undefined;
  const repository = resolve(tree, link.trim());
  const { exitCode } = await runGit(['cat-file', '-e', `${commit}^{commit}`], { repository });
  return exitCode === 0 ? repository : undefined;
}

function refused(message: string): GantryError {
  return new GantryError('CHECKOUT_REFUSED', message);
}
