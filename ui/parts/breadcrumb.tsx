import { Fragment } from 'react';
import { useMessages } from '../language.ts';
import { Link } from '../router.tsx';

export interface Crumb {
  readonly label: string;
  readonly to?: string;
}

/** Where this page stands; the last crumb is the page itself. */
export function Breadcrumb({ crumbs }: { crumbs: readonly Crumb[] }) {
  const t = useMessages();
  return (
    <nav className="breadcrumb" aria-label={t.breadcrumb}>
      {crumbs.map(({ label, to }, i) => (
        <Fragment key={`${i} ${label}`}>
          {i > 0 && <span aria-hidden="true">/</span>}
          {to === undefined ? (
            <span aria-current="page">
              <bdi>{label}</bdi>
            </span>
          ) : (
            <Link to={to}>
              <bdi>{label}</bdi>
            </Link>
          )}
        </Fragment>
      ))}
    </nav>
  );
}
