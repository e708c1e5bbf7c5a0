import { lazy, type ReactNode, Suspense, useEffect, useState, useSyncExternalStore } from 'react';
import { type ProjectName, pipelinesAddress, projectAddress, settingsAddress } from './addresses.ts';
import { setLanguage, useLanguage, useMessages } from './language.ts';
import { useLiveState } from './live/live.ts';
import { Icon, type IconName, Logo } from './parts/icons.tsx';
import { Link, useParams, usePath } from './router.tsx';
import { signInAddress, useMe } from './session.ts';
import { chooseTheme, useThemeChoice } from './theme/theme.ts';

const Palette = lazy(() => import('./parts/palette.tsx').then((it) => ({ default: it.Palette })));

/** Pages without a way around: coming in, and letting a program in. */
const bare = new Set(['/login', '/setup', '/welcome', '/device']);

/** What stands around every page: the way around, and what is the matter with the connection. */
export function Frame({ children }: { children: ReactNode }) {
  const t = useMessages();
  const path = usePath();
  const isBare = bare.has(path.replace(/\/$/, ''));
  return (
    <>
      <a className="skip-link" href="#main">
        {t.skipToContent}
      </a>
      <div className={isBare ? 'frame bare' : 'frame'}>
        {!isBare && <Rail />}
        <div className="frame-content">
          <ConnectionBar />
          <main id="main" tabIndex={-1}>
            {children}
          </main>
          {isBare && <BareFooter />}
        </div>
      </div>
    </>
  );
}

function Rail() {
  const t = useMessages();
  const { owner, project } = useParams();
  const path = usePath();
  const me = useMe();
  const [isPaletteOpen, setPaletteOpen] = useState(false);
  const name = owner !== undefined && project !== undefined ? { owner, project } : undefined;

  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      if (event.isComposing || !(event.ctrlKey || event.metaKey) || event.key.toLowerCase() !== 'k') return;
      event.preventDefault();
      setPaletteOpen(true);
    };
    addEventListener('keydown', onKey);
    return () => removeEventListener('keydown', onKey);
  }, []);

  return (
    <header className="rail">
      <Link to="/" className="brand">
        <Logo />
        <b>Gantry</b>
      </Link>
      <button type="button" className="search-button" onClick={() => setPaletteOpen(true)}>
        <Icon name="search" size={14} />
        <span>{t.search}</span>
        <kbd aria-hidden="true">{/mac/i.test(navigator.platform) ? '⌘K' : 'Ctrl K'}</kbd>
      </button>
      <nav aria-label={t.navigation}>
        <NavLink to="/" icon="project" isCurrent={path === '/'}>
          {t.projects}
        </NavLink>
        {name && <ProjectNav name={name} />}
        {me?.isSiteAdmin && <SiteNav />}
      </nav>
      <div className="rail-foot">
        {me === null ? (
          <Link to={signInAddress()} className="nav-link">
            <Icon name="person" />
            <span>{t.signIn}</span>
          </Link>
        ) : me ? (
          <NavLink to="/profile" icon="person">
            <bdi>{me.displayName === '' ? me.name : me.displayName}</bdi>
          </NavLink>
        ) : null}
        <ThemeButton />
        <LanguageButton />
      </div>
      {isPaletteOpen && (
        <Suspense>
          <Palette onClose={() => setPaletteOpen(false)} {...(name && { project: name })} />
        </Suspense>
      )}
    </header>
  );
}

function ProjectNav({ name }: { name: ProjectName }) {
  const t = useMessages();
  const section = usePath().split('/')[3] ?? '';
  const isCode = ['', 'files', 'commits', 'refs'].includes(section);
  return (
    <>
      <p className="nav-title">
        <bdi>{name.owner}</bdi> / <bdi>{name.project}</bdi>
      </p>
      <NavLink to={projectAddress(name)} icon="code" isCurrent={isCode}>
        {t.code}
      </NavLink>
      <NavLink
        to={pipelinesAddress(name)}
        icon="pipeline"
        isCurrent={section === 'pipelines' || section === 'pipeline-file'}
      >
        {t.pipelines}
      </NavLink>
      <NavLink to={settingsAddress(name)} icon="settings" isCurrent={section === 'settings'}>
        {t.settings}
      </NavLink>
    </>
  );
}

/** For those who look after this Gantry. */
function SiteNav() {
  const t = useMessages();
  return (
    <>
      <p className="nav-title">{t.site}</p>
      <NavLink to="/site/people" icon="people">
        {t.people}
      </NavLink>
      <NavLink to="/site/audit" icon="audit">
        {t.audit}
      </NavLink>
    </>
  );
}

function NavLink({
  to,
  icon,
  isCurrent,
  children,
}: {
  to: string;
  icon: IconName;
  isCurrent?: boolean;
  children: ReactNode;
}) {
  const path = usePath();
  return (
    <Link to={to} className="nav-link" aria-current={(isCurrent ?? path === to) ? 'page' : undefined}>
      <Icon name={icon} />
      <span>{children}</span>
    </Link>
  );
}

function ThemeButton() {
  const t = useMessages();
  useThemeChoice();
  const isDark = document.documentElement.dataset['theme'] === 'dark';
  return (
    <button type="button" className="nav-link" onClick={() => chooseTheme(isDark ? 'light' : 'dark')}>
      <Icon name={isDark ? 'sun' : 'moon'} />
      <span>{isDark ? t.lightTheme : t.darkTheme}</span>
    </button>
  );
}

/** Named in the language that it leads to: whoever cannot read this one finds it. */
function LanguageButton() {
  const language = useLanguage();
  const other =
    language === 'zh' ? ({ code: 'en', name: 'English' } as const) : ({ code: 'zh', name: '中文' } as const);
  return (
    <button
      type="button"
      className="nav-link"
      lang={other.code === 'zh' ? 'zh-CN' : 'en'}
      onClick={() => void setLanguage(other.code)}
    >
      <Icon name="language" />
      <span>{other.name}</span>
    </button>
  );
}

function BareFooter() {
  return (
    <footer className="bare-footer">
      <ThemeButton />
      <LanguageButton />
    </footer>
  );
}

/** Says when what is shown may be old, and why. */
function ConnectionBar() {
  const t = useMessages();
  const isOnline = useSyncExternalStore(
    (listener) => {
      addEventListener('online', listener);
      addEventListener('offline', listener);
      return () => {
        removeEventListener('online', listener);
        removeEventListener('offline', listener);
      };
    },
    () => navigator.onLine,
  );
  const live = useLiveState();
  if (isOnline && live !== 'polling') return null;
  return (
    <div className={isOnline ? 'connection-bar' : 'connection-bar offline'} role="status">
      {isOnline ? t.polling : t.offline}
    </div>
  );
}
