import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { GatheredCheckout } from '../../../core/checkout.ts';
import { gitFiles, submodulesOf } from '../git-files.ts';
import { findHistoryEnds, readTags } from '../host-git.ts';
import type { RepositorySpec } from '../runtime.ts';

/**
 * Writes what differs between jobs of one commit (HEAD, references, origin, where the history ends) into the upper of a
 * job's workspace, before it is mounted over the sealed checkout: the step sees an ordinary clone.
 */
export async function writeWorkTreeSettings(
  upper: string,
  { depth = 0, hasTags = false, path = '' }: Pick<RepositorySpec, 'depth' | 'hasTags' | 'path'>,
  { source, submodules }: GatheredCheckout,
): Promise<void> {
  const [tags, historyEnds] = await Promise.all([
    hasTags ? readTags(source.folder) : undefined,
    findHistoryEnds(source.folder, source.commit, depth),
  ]);
  const files = gitFiles({
    ...source,
    tags: tags?.lines,
    historyEnds,
    submodules: submodulesOf('', submodules),
  });
  for (const [name, text] of files) {
    const target = join(upper, path, '.git', name);
    mkdirSync(dirname(target), { recursive: true, mode: 0o755 });
    writeFileSync(target, text, { mode: 0o644 });
  }
}
