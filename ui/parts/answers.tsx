import type { ReactNode } from 'react';
import { ApiError } from '../../src/api/client.ts';
import { useMessages } from '../language.ts';
import { Link } from '../router.tsx';
import { signInAddress, useMe } from '../session.ts';
import { CopyButton } from './copy.tsx';

/** Stands where something will be, at about its height; appears only after 150 ms, so that what is quick does not flicker. */
export function Skeleton({ rows = 4, rowHeight = 36 }: { rows?: number; rowHeight?: number }) {
  const t = useMessages();
  return (
    <div className="skeleton" role="status">
      <span className="hidden-text">{t.loading}</span>
      {Array.from({ length: rows }, (_, i) => (
        <div key={i} style={{ height: rowHeight - 12, width: `${92 - ((i * 17) % 40)}%` }} />
      ))}
    </div>
  );
}

/** What this will show, how to get there, and one thing to do. */
export function EmptyState({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <div className="empty-state">
      <h2>{title}</h2>
      {children}
    </div>
  );
}

/** What happened, the next step, and the request id to hand to whoever looks after the server. */
function ErrorState({
  error,
  onRetry,
  heading: Heading = 'h2',
}: {
  error: unknown;
  onRetry?: () => void;
  heading?: 'h1' | 'h2';
}) {
  const t = useMessages();
  const me = useMe();
  const problem = error instanceof ApiError ? error.problem : undefined;
  // To a visitor what they may not see is not there: signing in may change that.
  const isHidden = me === null && problem?.status === 404;
  const maySignInHelp = isHidden || (me === null && problem?.status === 401);
  return (
    <div className="empty-state error-state" role="alert">
      <Heading>{problem?.detail ?? t.serverAway}</Heading>
      <p>{isHidden ? t.signInToSee : (problem?.hint ?? t.serverAwayHint)}</p>
      <div className="row">
        {maySignInHelp && (
          <Link to={signInAddress()} className="button primary">
            {t.signIn}
          </Link>
        )}
        {onRetry && (
          <button type="button" className="button" onClick={onRetry}>
            {t.tryAgain}
          </button>
        )}
        {problem && problem.requestId !== '' && (
          <span className="request-id">
            {t.requestId} <code>{problem.requestId}</code>
            <CopyButton text={problem.requestId} label={t.copy} />
          </span>
        )}
      </div>
    </div>
  );
}

/** The refusal of what a form sent, at the form. */
export function FormError({ error }: { error: unknown }) {
  const t = useMessages();
  if (error === null || error === undefined) return null;
  const problem = error instanceof ApiError ? error.problem : undefined;
  return (
    <div className="form-error" role="alert">
      <p>{problem?.detail ?? t.serverAway}</p>
      <small>{problem?.hint ?? t.serverAwayHint}</small>
      {problem?.errors && problem.errors.length > 0 && (
        <ul>
          {problem.errors.map(({ pointer, message }) => (
            <li key={pointer}>
              <code>{pointer}</code> {message}
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}

interface Asked<T> {
  readonly data: T | undefined;
  readonly error: unknown;
  refetch(): unknown;
}

/** Shows a query: a skeleton, what went wrong, or what `children` makes of the answer. */
export function Answer<T>({
  query,
  skeleton,
  heading,
  children,
}: {
  query: Asked<T>;
  /** `h1` where the answer is the whole page. */
  heading?: 'h1' | 'h2';
  skeleton?: ReactNode;
  children: (data: T) => ReactNode;
}) {
  if (query.data !== undefined) return children(query.data);
  if (query.error)
    return <ErrorState error={query.error} onRetry={() => void query.refetch()} {...(heading && { heading })} />;
  return skeleton ?? <Skeleton />;
}
