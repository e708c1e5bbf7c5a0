import { QueryClientProvider } from '@tanstack/react-query';
import { Component, type ReactNode } from 'react';
import { cache } from './api.ts';
import { Frame } from './frame.tsx';
import { currentMessages, useMessages } from './language.ts';
import { usePageTitle } from './page-state.ts';
import { EmptyState, Skeleton } from './parts/answers.tsx';
import { Toasts } from './parts/toast.tsx';
import { Link, Outlet, usePath } from './router.tsx';

export function App() {
  return (
    <QueryClientProvider client={cache}>
      <Frame>
        <Guarded key={usePath()}>
          <Outlet missing={<NotFound />} pending={<Pending />} failed={(retry) => <LoadFailed onRetry={retry} />} />
        </Guarded>
      </Frame>
      <Toasts />
    </QueryClientProvider>
  );
}

/** A page that cannot be drawn takes nothing else with it. */
class Guarded extends Component<{ children: ReactNode }, { error: Error | undefined }> {
  override state: { error: Error | undefined } = { error: undefined };

  static getDerivedStateFromError(error: Error): { error: Error } {
    return { error };
  }

  override render(): ReactNode {
    const { error } = this.state;
    if (!error) return this.props.children;
    const t = currentMessages();
    return (
      <div className="page narrow">
        <h1>{t.pageBroken}</h1>
        <div className="empty-state error-state" role="alert">
          <p>{t.pageBrokenHint}</p>
          <pre tabIndex={0}>{error.message}</pre>
          <div className="row">
            <button type="button" className="button" onClick={() => location.reload()}>
              {t.reload}
            </button>
          </div>
        </div>
      </div>
    );
  }
}

function NotFound() {
  const t = useMessages();
  usePageTitle(t.notFound);
  return (
    <div className="page narrow">
      <h1>{t.notFound}</h1>
      <EmptyState title={t.notFoundWhy}>
        <p>{t.notFoundHint}</p>
        <div className="row">
          <Link to="/" className="button primary">
            {t.toProjects}
          </Link>
        </div>
      </EmptyState>
    </div>
  );
}

function Pending() {
  return (
    <div className="page">
      <Skeleton rows={6} />
    </div>
  );
}

function LoadFailed({ onRetry }: { onRetry: () => void }) {
  const t = useMessages();
  return (
    <div className="page narrow">
      <h1>{t.pageNotLoaded}</h1>
      <EmptyState title={t.serverAway}>
        <p>{t.serverAwayHint}</p>
        <div className="row">
          <button type="button" className="button primary" onClick={onRetry}>
            {t.tryAgain}
          </button>
        </div>
      </EmptyState>
    </div>
  );
}
