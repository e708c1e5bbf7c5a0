import type { ReactNode } from 'react';
import type { ProjectView } from '../../../src/api/projects.ts';
import { commitsAddress, projectAddress, refsAddress } from '../../addresses.ts';
import { useMessages } from '../../language.ts';
import { Breadcrumb, type Crumb } from '../../parts/breadcrumb.tsx';
import { Icon } from '../../parts/icons.tsx';
import { Link } from '../../router.tsx';

const visibilityIcon = { private: 'lock', internal: 'people', public: 'globe' } as const;

export function VisibilityMark({ visibility }: { visibility: ProjectView['visibility'] }) {
  const t = useMessages();
  return (
    <span className="tag">
      <Icon name={visibilityIcon[visibility]} size={12} />
      {t.visibility[visibility]}
    </span>
  );
}

/** Top of the pages about a project's code. */
export function CodeHeader({
  owner,
  project,
  title,
  current,
  crumbs = [],
  lead = '',
}: {
  owner: string;
  project: string;
  title: ReactNode;
  current: 'files' | 'commits' | 'refs';
  crumbs?: readonly Crumb[];
  /** A sentence below the title. */
  lead?: string;
}) {
  const t = useMessages();
  const name = { owner, project };
  const tabs = [
    { key: 'files', label: t.files, to: projectAddress(name) },
    { key: 'commits', label: t.commits, to: commitsAddress(name) },
    { key: 'refs', label: t.branchesAndTags, to: refsAddress(name) },
  ];
  return (
    <>
      <Breadcrumb
        crumbs={[
          { label: owner, to: `/${encodeURIComponent(owner)}` },
          crumbs.length > 0 ? { label: project, to: projectAddress(name) } : { label: project },
          ...crumbs,
        ]}
      />
      <div className="page-head">
        <h1>{title}</h1>
      </div>
      {lead !== '' && (
        <p className="lead">
          <bdi>{lead}</bdi>
        </p>
      )}
      <nav className="tabs" aria-label={t.code}>
        {tabs.map(({ key, label, to }) => (
          <Link key={key} to={to} aria-current={key === current ? 'page' : undefined}>
            {label}
          </Link>
        ))}
      </nav>
    </>
  );
}
