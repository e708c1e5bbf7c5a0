import { commitAddress, commitsAddress, type ProjectName } from '../addresses.ts';
import { Link } from '../router.tsx';
import { Icon } from './icons.tsx';

export const shortId = (commit: string): string => commit.slice(0, 7);

export function CommitLink({ name, commit }: { name: ProjectName; commit: string }) {
  return (
    <Link to={commitAddress(name, commit)} className="link mono">
      {shortId(commit)}
    </Link>
  );
}

/** A branch, or for a tag its name. */
export function RefLabel({ name, branch, isTag }: { name: ProjectName; branch: string; isTag: boolean }) {
  return (
    <Link to={commitsAddress(name, branch)} className="ref-label" title={branch}>
      <Icon name={isTag ? 'tag' : 'branch'} size={13} />
      <bdi className="mono">{branch}</bdi>
    </Link>
  );
}
