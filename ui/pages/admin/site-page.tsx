import { type ReactNode, useEffect } from 'react';
import { useMessages } from '../../language.ts';
import { usePageTitle } from '../../page-state.ts';
import { EmptyState, Skeleton } from '../../parts/answers.tsx';
import { goToSignIn, type Me, useMe } from '../../session.ts';

/** What pages about the whole site have in common: they are for site admins. */
export function SitePage({
  title,
  actions,
  children,
}: {
  title: string;
  actions?: ReactNode;
  children: (me: Me) => ReactNode;
}) {
  const t = useMessages();
  const me = useMe();
  usePageTitle(title);
  useEffect(() => {
    if (me === null) goToSignIn();
  }, [me]);
  return (
    <div className="page">
      <div className="page-head">
        <h1>{title}</h1>
        {me?.isSiteAdmin && <div className="actions">{actions}</div>}
      </div>
      {!me ? (
        <Skeleton rows={8} />
      ) : me.isSiteAdmin ? (
        children(me)
      ) : (
        <EmptyState title={t.needsSiteAdmin}>
          <p>{t.needsSiteAdminHint}</p>
        </EmptyState>
      )}
    </div>
  );
}
