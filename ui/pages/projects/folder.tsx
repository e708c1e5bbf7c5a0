import { useQuery } from '@tanstack/react-query';
import { lazy, Suspense, useCallback } from 'react';
import { commitsAddress, filesAddress, type ProjectName } from '../../addresses.ts';
import { ask, statusOf } from '../../api.ts';
import { formatBytes, useMessages } from '../../language.ts';
import { usePolling } from '../../live/live.ts';
import { Answer, EmptyState, Skeleton } from '../../parts/answers.tsx';
import { CommitLink, shortId } from '../../parts/commit-link.tsx';
import { Icon } from '../../parts/icons.tsx';
import { Ago } from '../../parts/time.tsx';
import { go, Link } from '../../router.tsx';

const Markdown = lazy(() => import('../../parts/markdown.tsx'));

interface Props {
  readonly name: ProjectName;
  /** Branch, tag or commit; absent = the default branch. */
  readonly at: string | undefined;
  readonly defaultBranch: string;
  readonly path: string;
}

const readmeNames = ['readme.md', 'readme.markdown', 'readme', 'readme.txt'];

/** A folder of the repository: its last commit, its entries, and its README. */
export function Folder({ name, at, defaultBranch, path }: Props) {
  const t = useMessages();
  const query = { ...(at !== undefined && { at }), ...(path !== '' && { path }) };
  const tree = useQuery({ ...ask('getTree', { params: name, query }), refetchInterval: usePolling(true) });
  const readme = tree.data?.items
    .filter(({ kind, name: entry }) => kind === 'file' && readmeNames.includes(entry.toLowerCase()))
    .sort((a, b) => readmeNames.indexOf(a.name.toLowerCase()) - readmeNames.indexOf(b.name.toLowerCase()))[0];
  const inside = (entry: string): string => (path === '' ? entry : `${path}/${entry}`);
  return (
    <>
      <section className="box flush">
        <div className="box-head">
          <RevisionSelect name={name} at={at} defaultBranch={defaultBranch} path={path} />
          <LastCommit name={name} at={at ?? defaultBranch} path={path} />
        </div>
        <Answer query={tree} skeleton={<Skeleton rows={8} rowHeight={34} />}>
          {({ items }) =>
            items.length === 0 ? (
              <EmptyState title={t.emptyFolder} />
            ) : (
              <ul className="entries">
                {path !== '' && (
                  <li>
                    <Link to={filesAddress(name, at, path.split('/').slice(0, -1).join('/'))} className="entry">
                      <Icon name="folder" />
                      <span>..</span>
                      <span className="hidden-text">{t.folderAbove}</span>
                    </Link>
                  </li>
                )}
                {items.map((entry) => (
                  <li key={entry.name}>
                    {entry.kind === 'submodule' ? (
                      <span className="entry">
                        <Icon name="link" />
                        <bdi>{entry.name}</bdi>
                        <small className="quiet">{t.submodule}</small>
                      </span>
                    ) : (
                      <Link
                        to={
                          entry.kind === 'folder'
                            ? filesAddress(name, at, inside(entry.name))
                            : `${filesAddress(name, at, inside(entry.name))}&view=file`
                        }
                        className="entry"
                      >
                        <Icon name={entry.kind === 'folder' ? 'folder' : entry.kind === 'link' ? 'link' : 'file'} />
                        <bdi>{entry.name}</bdi>
                        {entry.sizeBytes !== null && (
                          <small className="quiet number">{formatBytes(entry.sizeBytes)}</small>
                        )}
                      </Link>
                    )}
                  </li>
                ))}
              </ul>
            )
          }
        </Answer>
      </section>
      {readme && <Readme name={name} at={at} path={inside(readme.name)} folder={path} />}
    </>
  );
}

function Readme({
  name,
  at,
  path,
  folder,
}: {
  name: ProjectName;
  at: string | undefined;
  path: string;
  folder: string;
}) {
  const file = useQuery(ask('getFile', { params: name, query: { path, ...(at !== undefined && { at }) } }));
  const resolveLink = useRepositoryLinks(name, at, folder);
  if (file.error && statusOf(file.error) === 413) return null;
  return (
    <section className="box flush readme">
      <h2 className="box-head">
        <Icon name="file" size={14} /> <bdi>{path}</bdi>
      </h2>
      <Answer query={file}>
        {({ text }) =>
          text === null ? null : /\.(md|markdown)$/i.test(path) ? (
            <Suspense fallback={<Skeleton />}>
              <Markdown text={text} resolveLink={resolveLink} />
            </Suspense>
          ) : (
            <pre className="plain-text" tabIndex={0}>
              {text}
            </pre>
          )
        }
      </Answer>
    </section>
  );
}

/** Leads addresses inside a document, relative to its folder, to the pages of the repository. */
export function useRepositoryLinks(
  name: ProjectName,
  at: string | undefined,
  folder: string,
): (address: string) => string | undefined {
  const { owner, project } = name;
  return useCallback(
    (address) => {
      const base = new URL(`https://repository.invalid/${folder === '' ? '' : `${folder}/`}`);
      if (!URL.canParse(address, base)) return undefined;
      const url = new URL(address, base);
      if (url.origin !== base.origin) return undefined;
      try {
        const path = decodeURIComponent(url.pathname.slice(1)).replace(/\/$/, '');
        const isFile = /\.[^/]+$/.test(path);
        const to = filesAddress({ owner, project }, at, path);
        return isFile ? `${to}&view=file` : to;
      } catch (error) {
        if (error instanceof URIError) return undefined;
        throw error;
      }
    },
    [owner, project, at, folder],
  );
}

/** Branches and tags; the same folder is shown at the one chosen. */
function RevisionSelect({ name, at, defaultBranch, path }: Props) {
  const t = useMessages();
  const refs = useQuery(ask('listRefs', { params: name }));
  const value = at ?? defaultBranch;
  const names = refs.data?.items ?? [];
  const isListed = names.some((ref) => ref.name === value);
  return (
    <select
      className="input small"
      aria-label={t.branchOrTag}
      value={value}
      onChange={(event) =>
        go(filesAddress(name, event.target.value === defaultBranch ? undefined : event.target.value, path))
      }
    >
      {!isListed && <option value={value}>{/^[0-9a-f]{40}$/.test(value) ? shortId(value) : value}</option>}
      {(['branch', 'tag'] as const).map((kind) => {
        const some = names.filter((ref) => ref.kind === kind);
        return some.length === 0 ? null : (
          <optgroup key={kind} label={kind === 'branch' ? t.branches : t.tags}>
            {some.map((ref) => (
              <option key={ref.ref} value={ref.name}>
                {ref.name}
              </option>
            ))}
          </optgroup>
        );
      })}
    </select>
  );
}

function LastCommit({ name, at, path }: { name: ProjectName; at: string; path: string }) {
  const t = useMessages();
  const commits = useQuery(ask('listCommits', { params: name, query: { at, limit: 1, ...(path !== '' && { path }) } }));
  const commit = commits.data?.items[0];
  if (!commit) return null;
  return (
    <div className="last-commit">
      <bdi className="subject">{commit.subject}</bdi>
      <span className="quiet">
        <bdi>{commit.authorName}</bdi>
      </span>
      <CommitLink name={name} commit={commit.id} />
      <span className="quiet">
        <Ago at={commit.committedAt} />
      </span>
      <Link to={commitsAddress(name, at, path === '' ? undefined : path)} className="link">
        {t.history}
      </Link>
    </div>
  );
}
