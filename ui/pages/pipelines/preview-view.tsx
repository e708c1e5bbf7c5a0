import { useMemo } from 'react';
import type { PipelinePreview } from '../../../src/api/inspection.ts';
import type { StepView, WorkflowView } from '../../../src/api/pipelines.ts';
import { useMessages } from '../../language.ts';
import { StatusMark } from '../../parts/status.tsx';
import { Graph } from './graph.tsx';
import { TraceGroups } from './trace-groups.tsx';
import { Conditions } from './variables-view.tsx';

interface PreviewViewProps {
  readonly preview: PipelinePreview;
  readonly onShowLine: (line: number) => void;
}

const outcomeStatus = { planned: 'passed', nothing: 'skipped', failed: 'failed' } as const;

/** What files would come to at an event: a sentence, the graph, and each rule with the values that it saw. */
export function PreviewView({ preview, onShowLine }: PreviewViewProps) {
  const t = useMessages();
  const { workflows, steps } = useMemo(() => asPipeline(preview), [preview]);
  return (
    <>
      <p className="inspect-bar" role="status">
        <StatusMark status={outcomeStatus[preview.outcome]} bare />
        <b>{t.previewOutcome[preview.outcome]}</b>
        {preview.error !== null && <bdi className="quiet">{preview.error}</bdi>}
      </p>
      {steps.length > 0 && (
        <Graph workflows={workflows} steps={steps} selectedId={undefined} onSelect={({ line }) => onShowLine(line)} />
      )}
      <Conditions conditions={preview.conditions} />
      <TraceGroups entries={preview.decisions} />
    </>
  );
}

/** As if it were a pipeline that waits, so that the same graph shows it. */
function asPipeline(preview: PipelinePreview): {
  readonly workflows: readonly WorkflowView[];
  readonly steps: readonly StepView[];
} {
  const none = { startedAt: null, finishedAt: null, attempt: 1 };
  let id = 0;
  return {
    workflows: preview.workflows.map(({ name, dependsOn, matrix }) => ({
      ...none,
      name,
      dependsOn,
      matrix,
      status: 'queued',
      waitsFor: null,
    })),
    steps: preview.workflows.flatMap((workflow) =>
      workflow.steps.map((step): StepView => {
        id += 1;
        return {
          ...none,
          id,
          workflow: workflow.name,
          name: step.name,
          kind: step.background ?? 'step',
          image: step.image,
          status: step.isSkipped ? 'skipped' : 'ready',
          exitCode: null,
          reason: step.reason,
          dependsOn: step.dependsOn,
          isIgnored: false,
          line: step.line,
          failure: null,
        };
      }),
    ),
  };
}
