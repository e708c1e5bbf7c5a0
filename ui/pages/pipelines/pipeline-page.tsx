import { useQuery } from '@tanstack/react-query';
import { useCallback, useEffect, useRef, useState } from 'react';
import type { PipelineDetail, StepView } from '../../../src/api/pipelines.ts';
import { type ProjectName, pipelinesAddress, projectAddress } from '../../addresses.ts';
import { ask } from '../../api.ts';
import { useMessages } from '../../language.ts';
import { usePolling, useTopic } from '../../live/live.ts';
import { usePageTitle } from '../../page-state.ts';
import { Answer, Skeleton } from '../../parts/answers.tsx';
import { Breadcrumb } from '../../parts/breadcrumb.tsx';
import { isBad, isFinal, StatusIcon } from '../../parts/status.tsx';
import { ApprovalCard } from './approval-card.tsx';
import { chooseStep, isAt } from './choose-step.ts';
import { CompileErrorCard, FailureCard } from './failure-card.tsx';
import { aimOf, expectLog } from './log-feed.ts';
import { Overview } from './overview.tsx';
import { PipelineHead } from './pipeline-head.tsx';
import { parseStepAddress, type StepAddress, setStepHash, useStepHash } from './step-address.ts';
import { StepList } from './step-list.tsx';
import { hasLog, StepPane } from './step-pane.tsx';

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
  const { owner, project } = name;
  /** What a step's log will show first is asked for before the step is drawn. */
  const approach = useCallback(
    (step: StepView): void => {
      if (isFinal(step.status) && hasLog(step))
        expectLog({ owner, project, number: pipeline.number, stepId: step.id }, aimOf(step));
    },
    [owner, project, pipeline.number],
  );
  const selectedId = latest?.id;
  const select = useCallback(
    (step: StepView): void => {
      if (step.id !== selectedId) approach(step);
      setStepHash(addressOf(step));
    },
    [addressOf, approach, selectedId],
  );
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
      <PipelineHead name={name} pipeline={pipeline} />
      {pipeline.approval === 'waiting' && !isFinal(pipeline.status) && (
        <ApprovalCard name={name} number={pipeline.number} />
      )}
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
      <Overview name={name} pipeline={pipeline} selectedId={selectedId} onSelect={select} />
      {steps.length > 0 && (
        <div className="box flush steps-and-log" ref={logBox}>
          <StepList
            pipeline={pipeline}
            selectedId={selectedId}
            onSelect={select}
            onApproach={(step) => {
              if (step.id !== selectedId) approach(step);
            }}
          />
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
