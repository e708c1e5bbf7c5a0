import { useQuery } from '@tanstack/react-query';
import { lazy, type ReactNode, Suspense, useMemo, useState } from 'react';
import type { PipelineDetail, StepView } from '../../../src/api/pipelines.ts';
import { filesAddress, type ProjectName } from '../../addresses.ts';
import { ask } from '../../api.ts';
import { useMessages } from '../../language.ts';
import { usePolling } from '../../live/live.ts';
import { Answer, EmptyState, Skeleton } from '../../parts/answers.tsx';
import { Segmented } from '../../parts/field.tsx';
import { isFinal, type Status, StatusMark } from '../../parts/status.tsx';
import { Link, useSearch } from '../../router.tsx';
import { Graph } from './graph.tsx';
import { TraceGroups } from './trace-groups.tsx';

// Asked for when their tab is: the failing line must not wait for them.
const Timeline = lazy(() => import('./timeline.tsx').then((it) => ({ default: it.Timeline })));
const ArtifactsView = lazy(() => import('./artifacts-view.tsx').then((it) => ({ default: it.ArtifactsView })));
const VariablesView = lazy(() => import('./variables-view.tsx').then((it) => ({ default: it.VariablesView })));
const YamlView = lazy(() => import('./yaml-view.tsx').then((it) => ({ default: it.YamlView })));

/** One workflow of more steps is a picture of nothing: the list of steps is shown instead, and the graph on demand. */
const graphSteps = 60;

type View = 'graph' | 'timeline' | 'artifacts' | 'why' | 'variables' | 'yaml' | 'details';

interface OverviewProps {
  readonly name: ProjectName;
  readonly pipeline: PipelineDetail;
  readonly selectedId: number | undefined;
  readonly onSelect: (step: StepView) => void;
}

/** The pipeline as a graph, as a timeline, as the decisions that made it, and its facts. */
export function Overview({ name, pipeline, selectedId, onSelect }: OverviewProps) {
  const t = useMessages();
  const [search, setSearch] = useSearch();
  const { steps, workflows } = pipeline;
  const views: View[] =
    steps.length > 0
      ? ['graph', 'timeline', 'artifacts', 'why', 'variables', 'yaml', 'details']
      : ['why', 'yaml', 'details'];
  const view = views.find((one) => one === search.get('tab')) ?? views[0] ?? 'why';
  const [isGraphWanted, setGraphWanted] = useState(false);
  // Several workflows fold.
  const isLarge = workflows.length === 1 && steps.length > graphSteps;
  let body: ReactNode;
  if (view === 'graph')
    body =
      isGraphWanted || !isLarge ? (
        <Graph workflows={workflows} steps={steps} selectedId={selectedId} onSelect={onSelect} />
      ) : (
        <EmptyState title={t.graphIsLarge({ count: steps.length })}>
          <button type="button" className="button" onClick={() => setGraphWanted(true)}>
            {t.showGraph}
          </button>
        </EmptyState>
      );
  else if (view === 'timeline')
    body = <Timeline name={name} pipeline={pipeline} selectedId={selectedId} onSelect={onSelect} />;
  else if (view === 'artifacts') body = <ArtifactsView name={name} pipeline={pipeline} />;
  else if (view === 'why') body = <Why name={name} pipeline={pipeline} />;
  else if (view === 'variables')
    body = <VariablesView name={name} pipeline={pipeline} selectedId={selectedId} onSelect={onSelect} />;
  else if (view === 'yaml') body = <YamlView name={name} pipeline={pipeline} />;
  else body = <Details name={name} pipeline={pipeline} />;
  return (
    <section className="box flush overview">
      <div className="box-head">
        <Segmented
          label={t.view}
          value={view}
          onChange={(next) => setSearch({ tab: next === 'graph' ? undefined : next, of: undefined, only: undefined })}
          options={views.map((value) => ({ value, label: t.pipelineView[value] }))}
        />
        <span className="spacer" />
        <Counts steps={steps} />
      </div>
      <Suspense fallback={<Skeleton />}>{body}</Suspense>
    </section>
  );
}

const countOrder: readonly Status[] = [
  'passed',
  'failed',
  'infrastructure',
  'running',
  'waiting',
  'cancelled',
  'skipped',
];

function Counts({ steps }: { steps: readonly StepView[] }) {
  const t = useMessages();
  const counts = useMemo(() => {
    const found = new Map<Status, number>();
    for (const { status } of steps) {
      const one = status === 'starting' ? 'running' : status === 'ready' ? 'waiting' : status;
      found.set(one, (found.get(one) ?? 0) + 1);
    }
    return countOrder.flatMap((status) => {
      const count = found.get(status);
      return count === undefined ? [] : [{ status, count }];
    });
  }, [steps]);
  return (
    <ul className="counts">
      {counts.map(({ status, count }) => (
        <li key={status} title={`${t.status[status]} ${count}`}>
          <StatusMark status={status} bare /> <b className="number">{count}</b>
        </li>
      ))}
    </ul>
  );
}

function Why({ name, pipeline }: { name: ProjectName; pipeline: PipelineDetail }) {
  const t = useMessages();
  const why = useQuery({
    ...ask('explainPipeline', { params: { ...name, number: pipeline.number } }),
    refetchInterval: usePolling(!isFinal(pipeline.status)),
  });
  return (
    <Answer query={why}>
      {({ items }) => (items.length === 0 ? <EmptyState title={t.noTrace} /> : <TraceGroups entries={items} />)}
    </Answer>
  );
}

function Details({ name, pipeline }: { name: ProjectName; pipeline: PipelineDetail }) {
  const t = useMessages();
  const parameters = Object.entries(pipeline.parameters);
  return (
    <div className="box-body">
      <dl className="facts">
        <dt>{t.commit}</dt>
        <dd>
          <code className="wrap">{pipeline.commit}</code>
        </dd>
        <dt>{t.ref}</dt>
        <dd>
          <bdi className="mono wrap">{pipeline.ref}</bdi>
        </dd>
        {pipeline.path !== '' && (
          <>
            <dt>{t.pipelineFile}</dt>
            <dd>
              <Link className="link" to={`${filesAddress(name, pipeline.commit, pipeline.path)}&view=file`}>
                <code>{pipeline.path}</code>
              </Link>
            </dd>
          </>
        )}
        {parameters.length > 0 && (
          <>
            <dt>{t.parameters}</dt>
            <dd>
              {parameters.map(([key, value]) => (
                <div key={key}>
                  <code className="wrap">
                    {key}={value}
                  </code>
                </div>
              ))}
            </dd>
          </>
        )}
        <dt>{t.message}</dt>
        <dd>
          <pre className="commit-message" tabIndex={0}>
            {pipeline.message}
          </pre>
        </dd>
      </dl>
    </div>
  );
}
