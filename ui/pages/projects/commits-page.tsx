import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { commitAddress } from '../../addresses.ts';
import { ask, askPages } from '../../api.ts';
import { useMessages } from '../../language.ts';
import { useTopic } from '../../live/live.ts';
import { usePageTitle } from '../../page-state.ts';
import { Answer, EmptyState, Skeleton } from '../../parts/answers.tsx';
import { CommitLink } from '../../parts/commit-link.tsx';
import { Ago } from '../../parts/time.tsx';
import { Link, useSearch } from '../../router.tsx';
import { CodeHeader } from './project-header.tsx';

/** `?at=` branch, tag or commit · `?path=` only commits that touched it. */
export function CommitsPage({ owner, project }: { owner: string; project: string }) {
  const t = useMessages();
  const [search] = useSearch();
  const name = { owner, project };
  const at = search.get('at') ?? undefined;
  const path = search.get('path') ?? undefined;
  const found = useQuery(ask('getProject', { params: name }));
  const isEmpty = found.data?.isEmpty === true;
  const commits = useInfiniteQuery({
    ...askPages('listCommits', {
      params: name,
      query: { limit: 50, ...(at !== undefined && { at }), ...(path !== undefined && { path }) },
    }),
    enabled: !isEmpty,
  });
  usePageTitle(`${t.commits} · ${owner}/${project}`);
  useTopic(`project:${owner}/${project}`);
  const items = isEmpty ? [] : commits.data?.pages.flatMap((page) => page.items);
  return (
    <div className="page">
      <CodeHeader owner={owner} project={project} current="commits" title={t.commits} crumbs={[{ label: t.commits }]} />
      <p className="quiet lead">{t.commitsOf({ at: at ?? found.data?.defaultBranch ?? '', path: path ?? '' })}</p>
      <Answer query={{ ...commits, data: items }} skeleton={<Skeleton rows={10} rowHeight={48} />}>
        {(list) =>
          list.length === 0 ? (
            <EmptyState title={t.noCommits}>
              <p>{t.emptyRepositoryHint}</p>
            </EmptyState>
          ) : (
            <ul className="rows">
              {list.map((commit) => (
                <li key={commit.id} className="commit-row">
                  <Link to={commitAddress(name, commit.id)} className="subject">
                    <bdi>{commit.subject === '' ? t.noMessage : commit.subject}</bdi>
                  </Link>
                  <span className="quiet">
                    <bdi>{commit.authorName}</bdi> · <Ago at={commit.committedAt} />
                  </span>
                  <CommitLink name={name} commit={commit.id} />
                </li>
              ))}
            </ul>
          )
        }
      </Answer>
      {commits.hasNextPage && (
        <button type="button" className="button more" onClick={() => void commits.fetchNextPage()}>
          {t.showMore}
        </button>
      )}
    </div>
  );
}
