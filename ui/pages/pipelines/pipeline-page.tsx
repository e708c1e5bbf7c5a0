import { useMutation, useQuery } from '@tanstack/react-query';
import { type ReactNode, useCallback, useEffect, useMemo, useRef, useState } from 'react';
import type { PipelineDetail, StepView } from '../../../src/api/pipelines.ts';
import { filesAddress, type ProjectName, pipelinesAddress, projectAddress } from '../../addresses.ts';
import { ask, call, newIdempotencyKey, refresh } from '../../api.ts';
import { useMessages } from '../../language.ts';
import { usePolling, useTopic } from '../../live/live.ts';
import { usePageTitle } from '../../page-state.ts';
import { Answer, EmptyState, Skeleton } from '../../parts/answers.tsx';
import { Breadcrumb } from '../../parts/breadcrumb.tsx';
import { CommitLink, RefLabel } from '../../parts/commit-link.tsx';
import { Segmented } from '../../parts/field.tsx';
import { isBad, isFinal, type Status, StatusIcon, StatusMark } from '../../parts/status.tsx';
import { Ago, Duration } from '../../parts/time.tsx';
import { toast, toastError } from '../../parts/toast.tsx';
import { Link, useSearch } from '../../router.tsx';
import { isAtLeast } from '../../session.ts';
import { CompileErrorCard, FailureCard } from './failure-card.tsx';
import { Graph } from './graph.tsx';
import { LogView } from './log-view.tsx';
import { parseStepAddress, type StepAddress, setStepHash, useStepHash } from './step-address.ts';
import { Timeline } from './timeline.tsx';
import { TraceList } from './trace-list.tsx';

/** Above this a graph is a picture of nothing: the list of steps is shown instead, and the graph on demand. */
const graphSteps = 60;

export function PipelinePage(params: { owner: string; project: string; number: string }) {
  const t = useMessages();
  const name = { owner: params.owner, project: params.project };
  const number = Number(params.number);
  const [mayChange, setMayChange] = useState(true);
  const pipeline = useQuery({
    ...ask('getPipeline', { params: { ...name, number } }),
    refetchInterval: usePolling(mayChange),
    enabled: Number.isInteger(number) && number > 0,
  });
  const status = pipeline.data?.status;
  useEffect(() => setMayChange(status === undefined || !isFinal(status)), [status]);
  useTopic(`pipeline:${name.owner}/${name.project}/${number}`);
  usePageTitle(`#${params.number} ${pipeline.data?.subject ?? ''} · ${name.owner}/${name.project}`, status);
  return (
    <div className="page">
      <Breadcrumb
        crumbs={[
          { label: name.owner, to: `/${encodeURIComponent(name.owner)}` },
          { label: name.project, to: projectAddress(name) },
          { label: t.pipelines, to: pipelinesAddress(name) },
          { label: `#${params.number}` },
        ]}
      />
      <Answer query={pipeline} heading="h1" skeleton={<Skeleton rows={10} />}>
        {(data) => <Pipeline name={name} pipeline={data} />}
      </Answer>
    </div>
  );
}

function Pipeline({ name, pipeline }: { name: ProjectName; pipeline: PipelineDetail }) {
  const t = useMessages();
  const { steps, workflows } = pipeline;
  const address = parseStepAddress(useStepHash());
  const isMany = workflows.length > 1;
  const attempts = useQuery({
    ...ask('listStepAttempts', { params: { ...name, number: pipeline.number } }),
    enabled: workflows.some(({ attempt }) => attempt > 1),
  });

  const failed = steps.filter((step) => isBad(step.status) && !step.isIgnored);
  const chosen = address && steps.find((step) => isAt(step, address));
  const latest = chosen ?? chooseStep(steps);
  const shown =
    address?.attempt === undefined
      ? latest
      : (attempts.data?.items.find((step) => isAt(step, address) && step.attempt === address.attempt) ?? latest);

  const addressOf = useCallback(
    (step: StepView): StepAddress => ({ step: step.name, ...(isMany && { workflow: step.workflow }) }),
    [isMany],
  );
  const select = useCallback((step: StepView): void => setStepHash(addressOf(step)), [addressOf]);
  const logBox = useRef<HTMLDivElement>(null);
  const openLine = (step: StepView, line: number | undefined): void => {
    setStepHash({ ...addressOf(step), ...(line !== undefined && { lines: [line, line] as const }) });
    logBox.current?.scrollIntoView({ block: 'start', behavior: 'smooth' });
    logBox.current?.querySelector<HTMLElement>('.log-view')?.focus({ preventScroll: true });
  };
  const firstFailed = failed.find((step) => step.failure) ?? failed[0];
  const waiting = workflows.filter(({ waitsFor }) => waitsFor !== null);

  return (
    <>
      <Head name={name} pipeline={pipeline} />
      <Announcement number={pipeline.number} status={pipeline.status} />
      <CompileErrorCard name={name} pipeline={pipeline} />
      {firstFailed && <FailureCard name={name} pipeline={pipeline} step={firstFailed} onOpenLine={openLine} />}
      {failed.length > 1 && (
        <p className="also-failed">
          <span className="quiet">{t.alsoFailed}</span>
          {failed
            .filter((step) => step !== firstFailed)
            .map((step) => (
              <button type="button" key={step.id} className="link" onClick={() => openLine(step, step.failure?.line)}>
                <StatusIcon status={step.status} size={14} />{' '}
                <bdi>{isMany ? `${step.workflow}/${step.name}` : step.name}</bdi>
              </button>
            ))}
        </p>
      )}
      {waiting.map((workflow) => (
        <p key={workflow.name} className="notice">
          <StatusIcon status={workflow.status} />
          <span>
            <b>
              <bdi>{workflow.name}</bdi>
            </b>{' '}
            <bdi>{workflow.waitsFor}</bdi>
          </span>
        </p>
      ))}
      <Overview name={name} pipeline={pipeline} selectedId={latest?.id} onSelect={select} />
      {steps.length > 0 && (
        <div className="box flush steps-and-log" ref={logBox}>
          <StepList pipeline={pipeline} selectedId={latest?.id} onSelect={select} />
          {shown && (
            <StepPane
              key={shown.id}
              name={name}
              pipeline={pipeline}
              step={shown}
              attempts={attempts.data?.items.filter((step) => isAt(step, addressOf(shown))) ?? []}
              address={addressOf(shown)}
              lines={chosen ? address?.lines : undefined}
              isLatest={shown.id === latest?.id}
            />
          )}
        </div>
      )}
    </>
  );
}

function isAt(step: StepView, address: StepAddress): boolean {
  return step.name === address.step && (address.workflow === undefined || step.workflow === address.workflow);
}

/** What one came to see: what failed, what runs, or else what ran last. */
function chooseStep(steps: readonly StepView[]): StepView | undefined {
  return (
    steps.find((step) => step.status === 'failed' && !step.isIgnored) ??
    steps.find((step) => isBad(step.status)) ??
    steps.find((step) => step.status === 'running') ??
    steps.find((step) => step.status === 'starting') ??
    // Between two steps, the one that comes next: its image may be on its way already.
    steps.find((step) => !isFinal(step.status)) ??
    steps.findLast((step) => step.status === 'passed' && step.name !== 'clone') ??
    steps[0]
  );
}

function Head({ name, pipeline }: { name: ProjectName; pipeline: PipelineDetail }) {
  const t = useMessages();
  const project = useQuery(ask('getProject', { params: name }));
  const mayRun = isAtLeast(project.data?.role, 'write') && project.data?.isArchived !== true;
  const attempt = Math.max(1, ...pipeline.workflows.map((workflow) => workflow.attempt));
  return (
    <>
      <div className="page-head">
        <h1>
          <bdi>{pipeline.subject === '' ? t.noMessage : pipeline.subject}</bdi>
        </h1>
        {mayRun && <Actions name={name} pipeline={pipeline} />}
      </div>
      <div className="meta pipeline-meta">
        <StatusMark status={pipeline.status} pill />
        <RefLabel name={name} branch={pipeline.branch} isTag={pipeline.event === 'tag'} />
        <CommitLink name={name} commit={pipeline.commit} />
        <span>
          <bdi>{pipeline.authorName}</bdi> · {t.eventKind[pipeline.event]}
          {pipeline.personName !== pipeline.authorName && (
            <>
              {' '}
              {t.by} <bdi>{pipeline.personName}</bdi>
            </>
          )}
        </span>
        <Ago at={pipeline.createdAt} />
        {pipeline.startedAt !== null && (
          <span>
            {t.duration}{' '}
            <b>
              <Duration from={pipeline.startedAt} to={pipeline.finishedAt} />
            </b>
          </span>
        )}
        {attempt > 1 && <span>{t.attempt({ number: attempt })}</span>}
      </div>
    </>
  );
}

/** A double click does one thing: while it is sent the buttons wait, and a repetition carries the same key. */
function Actions({ name, pipeline }: { name: ProjectName; pipeline: PipelineDetail }) {
  const t = useMessages();
  const params = { ...name, number: pipeline.number };
  const keys = useRef(new Map<string, string>());
  /** Set with the click itself: the second of a double click comes before anything is drawn. */
  const isSending = useRef(false);
  const settled = async (): Promise<void> => {
    isSending.current = false;
    await refresh('getPipeline', 'listPipelines', 'explainPipeline');
  };
  const once = (send: () => void): void => {
    if (isSending.current) return;
    isSending.current = true;
    send();
  };
  const rerun = useMutation({
    mutationFn: (only: 'all' | 'failed') => {
      const key = keys.current.get(only) ?? newIdempotencyKey();
      keys.current.set(only, key);
      return call('rerunPipeline', { params, body: { only }, idempotencyKey: key });
    },
    onSuccess: (_, only) => {
      keys.current.delete(only);
      toast(t.rerunStarted({ number: pipeline.number }));
    },
    onError: toastError,
    onSettled: settled,
  });
  const cancel = useMutation({
    mutationFn: () => call('cancelPipeline', { params }),
    onSuccess: () => toast(t.cancelAsked({ number: pipeline.number })),
    onError: toastError,
    onSettled: settled,
  });
  const isBusy = rerun.isPending || cancel.isPending;
  if (!isFinal(pipeline.status))
    return (
      <div className="actions">
        <button
          type="button"
          className="button danger"
          aria-disabled={isBusy}
          onClick={() => once(() => cancel.mutate())}
        >
          {t.cancelPipeline}
        </button>
      </div>
    );
  const hasFailed = pipeline.status !== 'passed' && pipeline.workflows.some(({ status }) => status === 'passed');
  return (
    <div className="actions">
      <button
        type="button"
        className={
          pipeline.status === 'passed' || pipeline.workflows.length === 0
            ? 'button'
            : hasFailed
              ? 'button'
              : 'button primary'
        }
        aria-disabled={isBusy}
        onClick={() => once(() => rerun.mutate('all'))}
      >
        {t.rerunAll}
      </button>
      {hasFailed && (
        <button
          type="button"
          className="button primary"
          aria-disabled={isBusy}
          onClick={() => once(() => rerun.mutate('failed'))}
        >
          {t.rerunFailed}
        </button>
      )}
    </div>
  );
}

/** The one polite live region of the page: says when the state changes, and nothing at first. */
function Announcement({ number, status }: { number: number; status: PipelineDetail['status'] }) {
  const t = useMessages();
  const [text, setText] = useState('');
  const before = useRef(status);
  useEffect(() => {
    if (before.current === status) return;
    before.current = status;
    setText(`#${number} ${t.status[status]}`);
  }, [number, status, t]);
  return (
    <div className="hidden-text" role="status">
      {text}
    </div>
  );
}

type View = 'graph' | 'timeline' | 'why' | 'details';

interface OverviewProps {
  readonly name: ProjectName;
  readonly pipeline: PipelineDetail;
  readonly selectedId: number | undefined;
  readonly onSelect: (step: StepView) => void;
}

function Overview({ name, pipeline, selectedId, onSelect }: OverviewProps) {
  const t = useMessages();
  const [search, setSearch] = useSearch();
  const { steps, workflows } = pipeline;
  const views: View[] = steps.length > 0 ? ['graph', 'timeline', 'why', 'details'] : ['why', 'details'];
  const view = views.find((one) => one === search.get('tab')) ?? views[0] ?? 'why';
  const [isGraphWanted, setGraphWanted] = useState(steps.length <= graphSteps);
  let body: ReactNode;
  if (view === 'graph')
    body =
      isGraphWanted || steps.length <= graphSteps ? (
        <Graph workflows={workflows} steps={steps} selectedId={selectedId} onSelect={onSelect} />
      ) : (
        <EmptyState title={t.graphIsLarge({ count: steps.length })}>
          <button type="button" className="button" onClick={() => setGraphWanted(true)}>
            {t.showGraph}
          </button>
        </EmptyState>
      );
  else if (view === 'timeline')
    body = <Timeline steps={steps} createdAt={pipeline.createdAt} selectedId={selectedId} onSelect={onSelect} />;
  else if (view === 'why') body = <Why name={name} pipeline={pipeline} />;
  else body = <Details name={name} pipeline={pipeline} />;
  return (
    <section className="box flush overview">
      <div className="box-head">
        <Segmented
          label={t.view}
          value={view}
          onChange={(next) => setSearch({ tab: next === 'graph' ? undefined : next })}
          options={views.map((value) => ({ value, label: t.pipelineView[value] }))}
        />
        <span className="spacer" />
        <Counts steps={steps} />
      </div>
      {body}
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
      {({ items }) => (items.length === 0 ? <EmptyState title={t.noTrace} /> : <TraceList entries={items} />)}
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

function StepList({
  pipeline,
  selectedId,
  onSelect,
}: {
  pipeline: PipelineDetail;
  selectedId: number | undefined;
  onSelect: (step: StepView) => void;
}) {
  const t = useMessages();
  const isMany = pipeline.workflows.length > 1;
  return (
    <nav className="step-list" aria-label={t.steps} tabIndex={0}>
      {pipeline.workflows.map((workflow) => (
        <div key={workflow.name}>
          {isMany && (
            <h3>
              <StatusMark status={workflow.status} bare /> <bdi>{workflow.name}</bdi>
            </h3>
          )}
          <ul>
            {pipeline.steps
              .filter((step) => step.workflow === workflow.name)
              .map((step) => (
                <li key={step.id}>
                  <button
                    type="button"
                    aria-current={step.id === selectedId ? 'step' : undefined}
                    onClick={() => onSelect(step)}
                  >
                    <StatusMark status={step.status} bare />
                    <bdi className="name">{step.name}</bdi>
                    {step.isIgnored && isBad(step.status) && <span className="tag">{t.ignored}</span>}
                    <em>
                      <Duration from={step.startedAt} to={step.finishedAt} />
                    </em>
                  </button>
                </li>
              ))}
          </ul>
        </div>
      ))}
    </nav>
  );
}

interface StepPaneProps {
  readonly name: ProjectName;
  readonly pipeline: PipelineDetail;
  readonly step: StepView;
  readonly attempts: readonly StepView[];
  readonly address: StepAddress;
  readonly lines: readonly [number, number] | undefined;
  readonly isLatest: boolean;
}

function StepPane({ name, pipeline, step, attempts, address, lines, isLatest }: StepPaneProps) {
  const t = useMessages();
  const here: StepAddress = useMemo(
    () => ({ ...address, ...(!isLatest && { attempt: step.attempt }) }),
    [address.step, address.workflow, isLatest, step.attempt],
  );
  const choose = useCallback(
    (range: readonly [number, number] | undefined): void => setStepHash({ ...here, ...(range && { lines: range }) }),
    [here],
  );
  const hasNoLog = step.status === 'skipped' || (isFinal(step.status) && step.startedAt === null);
  return (
    <div className="step-pane">
      <div className="step-head">
        <StatusMark status={step.status} />
        <b>
          <bdi>{step.name}</bdi>
        </b>
        {step.image !== '' && <bdi className="mono quiet">{step.image}</bdi>}
        {step.exitCode !== null && step.exitCode !== 0 && (
          <span className="quiet number">{t.exitCode({ code: step.exitCode })}</span>
        )}
        {step.reason !== null && <bdi className="quiet">{step.reason}</bdi>}
        <span className="spacer" />
        {attempts.length > 1 && (
          <select
            className="input small"
            aria-label={t.attemptLabel}
            value={step.attempt}
            onChange={(event) => {
              const attempt = Number(event.target.value);
              const newest = Math.max(...attempts.map((one) => one.attempt));
              setStepHash({ ...address, ...(attempt !== newest && { attempt }) });
            }}
          >
            {attempts.map((one) => (
              <option key={one.id} value={one.attempt}>
                {t.attempt({ number: one.attempt })} · {t.status[one.status]}
              </option>
            ))}
          </select>
        )}
      </div>
      {hasNoLog ? (
        <EmptyState title={t.noLog({ status: t.status[step.status] })}>
          {step.reason !== null && (
            <p>
              <bdi>{step.reason}</bdi>
            </p>
          )}
        </EmptyState>
      ) : (
        <LogView
          address={{ ...name, number: pipeline.number, stepId: step.id }}
          step={step}
          lines={lines}
          onChoose={choose}
        />
      )}
    </div>
  );
}
