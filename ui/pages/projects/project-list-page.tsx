import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { lazy, Suspense, useEffect, useState } from 'react';
import type { ProjectView } from '../../../src/api/projects.ts';
import { organisationSettingsAddress, pipelineAddress, projectAddress } from '../../addresses.ts';
import { ask, askPages } from '../../api.ts';
import { useMessages } from '../../language.ts';
import { usePolling, useTopic } from '../../live/live.ts';
import { usePageTitle } from '../../page-state.ts';
import { Answer, EmptyState, Skeleton } from '../../parts/answers.tsx';
import { CommandLine } from '../../parts/copy.tsx';
import { Icon } from '../../parts/icons.tsx';
import { StatusMark } from '../../parts/status.tsx';
import { Ago } from '../../parts/time.tsx';
import { Link, useSearch } from '../../router.tsx';
import { signInAddress, useMe } from '../../session.ts';
import { VisibilityMark } from './project-header.tsx';

const CreateProjectDialog = lazy(() =>
  import('./create-project-dialog.tsx').then((it) => ({ default: it.CreateProjectDialog })),
);

const typingPauseMs = 200;

/** All projects that one may see; at `/:owner`, those of a person or an organisation. */
export function ProjectListPage({ owner }: { owner?: string }) {
  const t = useMessages();
  const me = useMe();
  const [search, setSearch] = useSearch();
  const query = search.get('q') ?? '';
  const [typed, setTyped] = useState(query);
  const [isCreating, setCreating] = useState(false);
  usePageTitle(owner ?? t.projects);
  useTopic('projects');

  const projects = useInfiniteQuery({
    ...askPages('listProjects', {
      query: { limit: 50, ...(query !== '' && { query }), ...(owner !== undefined && { owner }) },
    }),
    refetchInterval: usePolling(true),
    placeholderData: (before) => before,
  });

  const organisations = useQuery({ ...ask('listOrganisations'), enabled: owner !== undefined && Boolean(me) });
  const isOrganisation = organisations.data?.items.some(({ name }) => name === owner) ?? false;

  useEffect(() => {
    if (typed === query) return undefined;
    const timer = setTimeout(() => setSearch({ q: typed.trim() }), typingPauseMs);
    return () => clearTimeout(timer);
  }, [typed, query, setSearch]);

  const items = projects.data?.pages.flatMap((page) => page.items);
  return (
    <div className="page">
      <div className="page-head">
        <h1>{owner === undefined ? t.projects : t.projectsOf({ owner })}</h1>
        <div className="actions">
          {owner !== undefined && isOrganisation && me && (
            <Link to={organisationSettingsAddress(owner)} className="button">
              {t.settings}
            </Link>
          )}
          {me && (
            <button type="button" className="button primary" onClick={() => setCreating(true)}>
              {t.newProject}
            </button>
          )}
          {me === null && (
            <Link to={signInAddress()} className="button primary">
              {t.signIn}
            </Link>
          )}
        </div>
      </div>
      <div className="filters">
        <label className="search-field">
          <Icon name="search" size={14} />
          <span className="hidden-text">{t.searchProjects}</span>
          <input
            type="search"
            className="input"
            placeholder={t.searchProjects}
            value={typed}
            onChange={(event) => setTyped(event.target.value)}
          />
        </label>
      </div>
      <Answer query={{ ...projects, data: items }} skeleton={<Skeleton rows={6} rowHeight={58} />}>
        {(list) =>
          list.length === 0 ? (
            query === '' && owner !== undefined && owner !== me?.name ? (
              <EmptyState title={t.noProjectsOf({ owner })}>
                <p>{t.notFoundHint}</p>
              </EmptyState>
            ) : query === '' ? (
              <NoProjects name={me?.name} onCreate={() => setCreating(true)} />
            ) : (
              <EmptyState title={t.nothingFound({ query })}>
                <button type="button" className="button" onClick={() => setTyped('')}>
                  {t.clearSearch}
                </button>
              </EmptyState>
            )
          ) : (
            <ul className="rows">
              {list.map((project) => (
                <ProjectRow key={project.slug} project={project} />
              ))}
            </ul>
          )
        }
      </Answer>
      {projects.hasNextPage && (
        <button type="button" className="button more" onClick={() => void projects.fetchNextPage()}>
          {t.showMore}
        </button>
      )}
      {isCreating && me && (
        <Suspense>
          <CreateProjectDialog me={me} owner={owner} onClose={() => setCreating(false)} />
        </Suspense>
      )}
    </div>
  );
}

function ProjectRow({ project }: { project: ProjectView }) {
  const t = useMessages();
  const name = { owner: project.owner, project: project.name };
  const pipeline = project.latestPipeline;
  return (
    <li className="project-row">
      <div className="project-title">
        <Link to={projectAddress(name)}>
          <span className="quiet">
            <bdi>{project.owner}</bdi> /{' '}
          </span>
          <b>
            <bdi>{project.name}</bdi>
          </b>
        </Link>
        <VisibilityMark visibility={project.visibility} />
        {project.isArchived && <span className="tag">{t.archived}</span>}
        {project.description !== '' && (
          <p className="quiet">
            <bdi>{project.description}</bdi>
          </p>
        )}
      </div>
      {pipeline ? (
        <Link to={pipelineAddress(name, pipeline.number)} className="project-pipeline">
          <StatusMark status={pipeline.status} />
          <span className="subject">
            <span className="number">#{pipeline.number}</span> <bdi>{pipeline.subject}</bdi>
          </span>
          <small className="quiet">
            <Ago at={pipeline.finishedAt ?? pipeline.startedAt ?? pipeline.createdAt} />
          </small>
        </Link>
      ) : (
        <small className="project-pipeline quiet">{project.isEmpty ? t.nothingPushed : t.noPipelineYet}</small>
      )}
    </li>
  );
}

function NoProjects({ name, onCreate }: { name: string | undefined; onCreate: () => void }) {
  const t = useMessages();
  if (name === undefined)
    return (
      <EmptyState title={t.noPublicProjects}>
        <p>{t.noPublicProjectsHint}</p>
      </EmptyState>
    );
  return (
    <EmptyState title={t.noProjects}>
      <p>{t.noProjectsHint}</p>
      <ol className="steps">
        <li>
          <b>{t.firstCreate}</b>
          <div className="row">
            <button type="button" className="button" onClick={onCreate}>
              {t.newProject}
            </button>
            <span className="quiet">{t.orFromTerminal}</span>
          </div>
          <CommandLine command={`gantry project create ${name}/hello`} />
        </li>
        <li>
          <b>{t.thenPush}</b>
          <CommandLine
            command={`git push ${location.protocol}//${name}@${location.host}/${name}/hello.git HEAD:main`}
          />
        </li>
        <li>
          <b>{t.thenWatch}</b>
        </li>
      </ol>
    </EmptyState>
  );
}
