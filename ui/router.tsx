import {
  type AnchorHTMLAttributes,
  type ComponentType,
  createElement,
  type ReactNode,
  startTransition,
  useEffect,
  useMemo,
  useReducer,
  useRef,
  useSyncExternalStore,
} from 'react';

export type Params<Path extends string> = Path extends `${string}:${infer Name}/${infer Rest}`
  ? { readonly [K in Name | keyof Params<`/${Rest}`>]: string }
  : Path extends `${string}:${infer Name}`
    ? { readonly [K in Name]: string }
    : Record<never, string>;

export interface Page {
  readonly path: string;
  readonly pattern: RegExp;
  readonly names: readonly string[];
  readonly load: () => Promise<ComponentType<Record<string, string>>>;
  component?: ComponentType<Record<string, string>>;
}

/** The page's component gets the path's parameters as props: `/:owner/:project` → `{ owner, project }`. */
export function page<Path extends string>(path: Path, load: () => Promise<ComponentType<Params<Path>>>): Page {
  const names: string[] = [];
  const source = path.replace(/\/$/, '').replace(/:(\w+)/g, (_, name: string) => {
    names.push(name);
    return '([^/]+)';
  });
  return {
    path,
    pattern: new RegExp(`^${source}/?$`),
    names,
    load: load as unknown as Page['load'],
  };
}

export function href<Path extends string>(path: Path, params: Params<Path>): string {
  return path.replace(/:(\w+)/g, (_, name: string) =>
    encodeURIComponent((params as Record<string, string>)[name] ?? ''),
  );
}

/** Only an address of our own may be gone to after signing in (no `//host`, no `/\host`, no control characters). */
export function safeNext(next: string | null): string {
  if (next === null || !/^\/(?![/\\])[\x21-\x7e]*$/.test(next) || next.includes('\\')) return '/';
  const url = URL.canParse(next, location.origin) ? new URL(next, location.origin) : undefined;
  if (!url || url.origin !== location.origin || url.pathname.startsWith('//')) return '/';
  return `${url.pathname}${url.search}${url.hash}`;
}

let pages: readonly Page[] = [];
const listeners = new Set<() => void>();

const tell = (): void => {
  for (const listener of listeners) listener();
};
const subscribe = (listener: () => void): (() => void) => {
  listeners.add(listener);
  return () => listeners.delete(listener);
};

/** Called once, before the first drawing. The first page that matches counts. */
export function startRouter(all: readonly Page[]): void {
  pages = all;
  history.scrollRestoration = 'manual';
  addEventListener('popstate', () => {
    const isElsewhere = location.pathname !== new URL(shownAddress).pathname;
    if (isElsewhere && !mayLeave()) {
      // The browser has gone there already: the page that was not left stands there again.
      history.pushState({ key: String(performance.now()) }, '', shownAddress);
      return;
    }
    shownAddress = location.href;
    startTransition(tell);
    const saved = scrollPositions.get(entryKey());
    if (saved !== undefined) requestAnimationFrame(() => scrollTo(0, saved));
  });
}

let shownAddress = location.href;
let guard: (() => boolean) | undefined;

/** Until what it answers is called, another page is gone to only when `mayGo` says so. One page at a time has a guard. */
export function guardLeaving(mayGo: () => boolean): () => void {
  guard = mayGo;
  return () => {
    if (guard === mayGo) guard = undefined;
  };
}

function mayLeave(): boolean {
  return guard === undefined || guard();
}

const scrollPositions = new Map<string, number>();

function entryKey(): string {
  const state: unknown = history.state;
  return typeof state === 'object' && state !== null && 'key' in state ? String(state.key) : '';
}

export function go(to: string, { replace = false } = {}): void {
  if (new URL(to, location.href).pathname !== location.pathname && !mayLeave()) return;
  if (!replace) scrollPositions.set(entryKey(), scrollY);
  const state = { key: replace ? entryKey() : String(performance.now()) };
  if (replace) history.replaceState(state, '', to);
  else history.pushState(state, '', to);
  shownAddress = location.href;
  startTransition(tell);
  if (!replace) scrollTo(0, 0);
}

export const usePath = (): string => useSyncExternalStore(subscribe, () => location.pathname);

/** The filter bar's state is the URL: a list can be sent to a colleague. */
export function useSearch(): [URLSearchParams, (change: Readonly<Record<string, string | undefined>>) => void] {
  const search = useSyncExternalStore(subscribe, () => location.search);
  const value = useMemo(() => new URLSearchParams(search), [search]);
  return [value, changeSearch];
}

function changeSearch(change: Readonly<Record<string, string | undefined>>): void {
  const next = new URLSearchParams(location.search);
  for (const [key, entry] of Object.entries(change)) {
    if (entry === undefined || entry === '') next.delete(key);
    else next.set(key, entry);
  }
  go(`${location.pathname}${next.size > 0 ? `?${next}` : ''}${location.hash}`, { replace: true });
}

function match(path: string): { page: Page; params: Record<string, string> } | undefined {
  for (const candidate of pages) {
    const found = candidate.pattern.exec(path);
    if (!found) continue;
    try {
      const params = candidate.names.map((name, i) => [name, decodeURIComponent(found[i + 1] ?? '')]);
      return { page: candidate, params: Object.fromEntries(params) as Record<string, string> };
    } catch (error) {
      // A stray "%" is an address that nothing has.
      if (error instanceof URIError) return undefined;
      throw error;
    }
  }
  return undefined;
}

/** The parameters of the present address, whatever page it is. */
export function useParams(): Readonly<Record<string, string>> {
  const path = usePath();
  return useMemo(() => match(path)?.params ?? {}, [path]);
}

const reloadedKey = 'gantry:reloaded-for-chunk';

/** After a new version is deployed, the chunk that this page names may be gone: load the page anew, once. */
async function load(wanted: Page): Promise<void> {
  try {
    wanted.component ??= await wanted.load();
    sessionStorage.removeItem(reloadedKey);
  } catch (error) {
    if (navigator.onLine && sessionStorage.getItem(reloadedKey) === null) {
      sessionStorage.setItem(reloadedKey, '1');
      location.reload();
      return;
    }
    throw error;
  }
}

interface OutletProps {
  /** Nothing has this address. */
  readonly missing: ReactNode;
  /** The page's code is on its way for more than a moment. */
  readonly pending: ReactNode;
  readonly failed: (retry: () => void) => ReactNode;
}

export function Outlet({ missing, pending, failed }: OutletProps) {
  const path = usePath();
  const found = useMemo(() => match(path), [path]);
  const [, redraw] = useReducer((count: number) => count + 1, 0);
  const broken = useRef<Page>(undefined);

  useEffect(() => {
    if (!found || found.page.component) return;
    load(found.page).then(redraw, () => {
      broken.current = found.page;
      redraw();
    });
  }, [found]);

  if (!found) return missing;
  if (found.page.component) return createElement(found.page.component, { key: found.page.path, ...found.params });
  if (broken.current !== found.page) return pending;
  return failed(() => {
    broken.current = undefined;
    redraw();
    load(found.page).then(redraw, () => {
      broken.current = found.page;
      redraw();
    });
  });
}

/** Loads the code of the page behind an address; what fails here is tried again when it is gone to. */
function prepare(to: string): void {
  const found = match(to.split(/[?#]/)[0] ?? '');
  found?.page.load().then(
    (component) => {
      found.page.component ??= component;
    },
    () => undefined,
  );
}

export function Link({ to, ...rest }: { to: string } & AnchorHTMLAttributes<HTMLAnchorElement>) {
  return (
    <a
      {...rest}
      href={to}
      onMouseEnter={() => prepare(to)}
      onFocus={() => prepare(to)}
      onClick={(event) => {
        rest.onClick?.(event);
        const isPlain = event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey;
        if (event.defaultPrevented || !isPlain || rest.target) return;
        event.preventDefault();
        go(to);
      }}
    />
  );
}
