import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { lazy, Suspense, useState } from 'react';
import type { PipelineView } from '../../../src/api/pipelines.ts';
import { type ProjectName, pipelineAddress, pipelineFileAddress, projectAddress } from '../../addresses.ts';
import { ask, askPages } from '../../api.ts';
import { useMessages } from '../../language.ts';
import { usePolling, useTopic } from '../../live/live.ts';
import { usePageTitle } from '../../page-state.ts';
import { Answer, EmptyState, Skeleton } from '../../parts/answers.tsx';
import { Breadcrumb } from '../../parts/breadcrumb.tsx';
import { CommitLink, RefLabel } from '../../parts/commit-link.tsx';
import { Segmented } from '../../parts/field.tsx';
import { Icon } from '../../parts/icons.tsx';
import { StatusMark } from '../../parts/status.tsx';
import { Ago, Duration } from '../../parts/time.tsx';
import { Link, useSearch } from '../../router.tsx';
import { isAtLeast } from '../../session.ts';
import { ApprovalList } from './approval-card.tsx';
import { EventList } from './event-list.tsx';

const StartPipelineDialog = lazy(() =>
  import('./start-pipeline-dialog.tsx').then((it) => ({ default: it.StartPipelineDialog })),
);

const statuses = ['running', 'queued', 'blocked', 'passed', 'failed', 'cancelled', 'infrastructure'] as const;
const events = ['push', 'tag', 'pull_request', 'manual', 'promote', 'rollback', 'cron'] as const;

const views = ['pipelines', 'events', 'approvals'] as const;

/** The filters are the address: a list can be sent to a colleague. */
export function PipelineListPage({ owner, project }: { owner: string; project: string }) {
  const t = useMessages();
  const name = { owner, project };
  const [search, setSearch] = useSearch();
  const [isStarting, setStarting] = useState(false);
  const found = useQuery(ask('getProject', { params: name }));
  const view = views.find((one) => one === search.get('view')) ?? 'pipelines';
  usePageTitle(`${t.pipelines} · ${owner}/${project}`);
  useTopic(`project:${owner}/${project}`);
  return (
    <div className="page">
      <Breadcrumb
        crumbs={[
          { label: owner, to: `/${encodeURIComponent(owner)}` },
          { label: project, to: projectAddress(name) },
          { label: t.pipelines },
        ]}
      />
      <div className="page-head">
        <h1>{t.pipelines}</h1>
        <div className="actions">
          <Link to={pipelineFileAddress(name)} className="button">
            {t.pipelineFile}
          </Link>
          {isAtLeast(found.data?.role, 'write') && found.data?.isArchived === false && (
            <button type="button" className="button primary" onClick={() => setStarting(true)}>
              <Icon name="play" size={12} />
              {t.runPipeline}
            </button>
          )}
        </div>
      </div>
      <div className="filters">
        <Segmented
          label={t.view}
          value={view}
          onChange={(next) => setSearch({ view: next === 'pipelines' ? undefined : next })}
          options={[
            { value: 'pipelines', label: t.pipelines },
            { value: 'events', label: t.events },
            { value: 'approvals', label: t.approvals },
          ]}
        />
        {view === 'pipelines' && <Filters name={name} />}
      </div>
      {view === 'events' && <EventList name={name} />}
      {view === 'approvals' && <ApprovalList name={name} />}
      {view === 'pipelines' && <Pipelines name={name} isEmpty={found.data?.isEmpty === true} />}
      {isStarting && found.data && (
        <Suspense>
          <StartPipelineDialog
            name={name}
            defaultBranch={found.data.defaultBranch}
            onClose={() => setStarting(false)}
          />
        </Suspense>
      )}
    </div>
  );
}

function Filters({ name }: { name: ProjectName }) {
  const t = useMessages();
  const [search, setSearch] = useSearch();
  const refs = useQuery(ask('listRefs', { params: name }));
  const branch = search.get('branch') ?? '';
  const branches = [
    ...new Set([...(refs.data?.items ?? []).filter(({ kind }) => kind !== 'other').map((ref) => ref.name), branch]),
  ].filter((one) => one !== '');
  return (
    <>
      <select
        className="input small"
        aria-label={t.statusLabel}
        value={search.get('status') ?? ''}
        onChange={(event) => setSearch({ status: event.target.value })}
      >
        <option value="">{t.anyStatus}</option>
        {statuses.map((status) => (
          <option key={status} value={status}>
            {t.status[status]}
          </option>
        ))}
      </select>
      <select
        className="input small"
        aria-label={t.branchOrTag}
        value={branch}
        onChange={(event) => setSearch({ branch: event.target.value })}
      >
        <option value="">{t.anyBranch}</option>
        {branches.map((one) => (
          <option key={one}>{one}</option>
        ))}
      </select>
      <select
        className="input small"
        aria-label={t.event}
        value={search.get('event') ?? ''}
        onChange={(event) => setSearch({ event: event.target.value })}
      >
        <option value="">{t.anyEvent}</option>
        {events.map((event) => (
          <option key={event} value={event}>
            {t.eventKind[event]}
          </option>
        ))}
      </select>
    </>
  );
}

function Pipelines({ name, isEmpty }: { name: ProjectName; isEmpty: boolean }) {
  const t = useMessages();
  const [search, setSearch] = useSearch();
  const status = statuses.find((one) => one === search.get('status'));
  const event = events.find((one) => one === search.get('event'));
  const branch = search.get('branch') ?? '';
  const isFiltered = status !== undefined || event !== undefined || branch !== '';
  const pipelines = useInfiniteQuery({
    ...askPages('listPipelines', {
      params: name,
      query: { limit: 30, ...(status && { status }), ...(event && { event }), ...(branch !== '' && { branch }) },
    }),
    refetchInterval: usePolling(true),
    placeholderData: (before) => before,
  });
  const items = pipelines.data?.pages.flatMap((page) => page.items);
  return (
    <>
      <Answer query={{ ...pipelines, data: items }} skeleton={<Skeleton rows={8} rowHeight={58} />}>
        {(list) =>
          list.length > 0 ? (
            <ul className="rows">
              {list.map((pipeline) => (
                <PipelineRow key={pipeline.number} name={name} pipeline={pipeline} />
              ))}
            </ul>
          ) : isFiltered ? (
            <EmptyState title={t.noPipelineMatches}>
              <button
                type="button"
                className="button"
                onClick={() => setSearch({ status: undefined, event: undefined, branch: undefined })}
              >
                {t.clearFilters}
              </button>
            </EmptyState>
          ) : (
            <EmptyState title={t.noPipelineYet}>
              <p>{isEmpty ? t.emptyRepositoryHint : t.noPipelineHint}</p>
              {!isEmpty && (
                <button type="button" className="button" onClick={() => setSearch({ view: 'events' })}>
                  {t.seeWhy}
                </button>
              )}
            </EmptyState>
          )
        }
      </Answer>
      {pipelines.hasNextPage && (
        <button type="button" className="button more" onClick={() => void pipelines.fetchNextPage()}>
          {t.showMore}
        </button>
      )}
    </>
  );
}

function PipelineRow({ name, pipeline }: { name: ProjectName; pipeline: PipelineView }) {
  const t = useMessages();
  return (
    <li className="pipeline-row">
      <StatusMark status={pipeline.status} />
      <div className="pipeline-what">
        <Link to={pipelineAddress(name, pipeline.number)} className="subject">
          <span className="number">#{pipeline.number}</span>{' '}
          <b>
            <bdi>{pipeline.subject === '' ? t.noMessage : pipeline.subject}</bdi>
          </b>
        </Link>
        <small className="quiet meta">
          <RefLabel name={name} branch={pipeline.branch} isTag={pipeline.event === 'tag'} />
          <CommitLink name={name} commit={pipeline.commit} />
          <span>
            <bdi>{pipeline.personName}</bdi> · {t.eventKind[pipeline.event]}
          </span>
        </small>
      </div>
      <small className="quiet pipeline-when">
        <Ago at={pipeline.createdAt} />
        <Duration from={pipeline.startedAt} to={pipeline.finishedAt} />
      </small>
    </li>
  );
}
