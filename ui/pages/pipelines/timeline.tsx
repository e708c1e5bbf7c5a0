import { useQuery } from '@tanstack/react-query';
import { useEffect } from 'react';
import type { StepTimesView } from '../../../src/api/inspection.ts';
import type { PipelineDetail, StepView } from '../../../src/api/pipelines.ts';
import type { ProjectName } from '../../addresses.ts';
import { ask } from '../../api.ts';
import { formatDuration, useMessages } from '../../language.ts';
import { usePolling } from '../../live/live.ts';
import { Answer } from '../../parts/answers.tsx';
import { isFinal, StatusIcon } from '../../parts/status.tsx';
import { useNow } from '../../parts/time.tsx';

interface Props {
  readonly name: ProjectName;
  readonly pipeline: PipelineDetail;
  readonly selectedId: number | undefined;
  readonly onSelect: (step: StepView) => void;
}

/** Units of the chart from its left to its right edge. */
const chartWidth = 1_000;

/** A step counts as slow from here on; of fewer runs than `fewestSamples` a median says little. */
const slowRatio = 1.5;
const slowByMs = 5_000;
const fewestSamples = 3;

/** One row per step: how long it waited for a place, was prepared and ran, beside what it takes on this branch. */
export function Timeline({ name, pipeline, selectedId, onSelect }: Props) {
  const times = useQuery({
    ...ask('getPipelineTimes', { params: { ...name, number: pipeline.number } }),
    refetchInterval: usePolling(!isFinal(pipeline.status)),
  });
  const states = pipeline.steps.map(({ id, status }) => `${id} ${status}`).join();
  const { refetch } = times;
  useEffect(() => {
    if (states !== '') void refetch();
  }, [states, refetch]);
  return (
    <Answer query={times}>
      {({ steps, branch }) => (
        <Chart times={new Map(steps.map((step) => [step.id, step]))} {...{ pipeline, branch, selectedId, onSelect }} />
      )}
    </Answer>
  );
}

/** Milliseconds since the pipeline was made. */
interface Bar {
  readonly step: StepView;
  readonly ready: number | undefined;
  readonly start: number | undefined;
  readonly run: number | undefined;
  readonly end: number | undefined;
  readonly medianMs: number | null;
  readonly samples: number;
}

interface ChartProps extends Omit<Props, 'name'> {
  readonly times: ReadonlyMap<number, StepTimesView>;
  readonly branch: string;
}

function Chart({ pipeline, times, branch, selectedId, onSelect }: ChartProps) {
  const t = useMessages();
  const { steps, workflows, createdAt } = pipeline;
  const isMoving = steps.some((step) => step.startedAt !== null && step.finishedAt === null);
  const now = useNow(isMoving);
  const origin = Date.parse(createdAt);
  const since = (at: string | null | undefined): number | undefined =>
    at === null || at === undefined ? undefined : Math.max(0, Date.parse(at) - origin);
  const bars = steps.map((step): Bar => {
    const own = times.get(step.id);
    const start = since(step.startedAt);
    return {
      step,
      start,
      ready: since(own?.readyAt),
      run: since(own?.runningAt),
      end: since(step.finishedAt) ?? (start === undefined ? undefined : Math.max(start, now - origin)),
      medianMs: own?.medianMs ?? null,
      samples: own?.samples ?? 0,
    };
  });
  const whole = Math.max(1, ...bars.map(({ end }) => end ?? 0));
  return (
    <>
      <Sums bars={bars} />
      <div className="scroll" role="group" tabIndex={0} aria-label={t.timeline}>
        <table className="timeline">
          <caption className="hidden-text">{t.timeline}</caption>
          <thead>
            <tr>
              <th scope="col">{t.step}</th>
              <th scope="col">
                <span className="hidden-text">{t.timeline}</span>
              </th>
              <th scope="col">{t.waited}</th>
              <th scope="col">{t.prepared}</th>
              <th scope="col">{t.ranFor}</th>
              <th scope="col" title={t.medianHint({ branch })}>
                {t.against}
              </th>
            </tr>
          </thead>
          <tbody>
            {bars.map((bar) => {
              const { step, ready, start, run, end } = bar;
              return (
                <tr key={step.id} aria-selected={step.id === selectedId}>
                  <th scope="row">
                    <button type="button" onClick={() => onSelect(step)}>
                      <StatusIcon status={step.status} size={14} />{' '}
                      <bdi>{workflows.length > 1 ? `${step.workflow}/${step.name}` : step.name}</bdi>
                    </button>
                  </th>
                  <td className="bars">
                    <Bars bar={bar} whole={whole} />
                  </td>
                  <td className="number">{durationOf(ready, start)}</td>
                  <td className="number">{durationOf(start, run)}</td>
                  <td className="number">{durationOf(run ?? start, end)}</td>
                  <td className="number">
                    <Against bar={bar} branch={branch} />
                  </td>
                </tr>
              );
            })}
          </tbody>
        </table>
      </div>
      <p className="legend quiet">
        <i className="queue" /> {t.waitedForPlace} <i className="prepare" /> {t.preparedHint}{' '}
        <i className="run passed" /> {t.ran}
      </p>
    </>
  );
}

function durationOf(from: number | undefined, to: number | undefined): string {
  return from === undefined || to === undefined ? '–' : formatDuration(Math.max(0, to - from));
}

/** For the eye: the columns behind it say the same in numbers. */
function Bars({ bar: { step, ready, start, run, end }, whole }: { bar: Bar; whole: number }) {
  if (start === undefined || end === undefined) return null;
  const x = (ms: number): number => (ms / whole) * chartWidth;
  const least = chartWidth / 400;
  const from = run ?? start;
  return (
    <svg viewBox={`0 0 ${chartWidth} 14`} preserveAspectRatio="none" aria-hidden="true">
      {ready !== undefined && <rect className="queue" x={x(ready)} y="5" width={x(start - ready)} height="4" />}
      {run !== undefined && <rect className="prepare" x={x(start)} y="2" width={x(run - start)} height="10" />}
      <rect className={`run ${step.status}`} x={x(from)} y="0" width={Math.max(least, x(end - from))} height="14" />
    </svg>
  );
}

/** How the step compares with the median of its last passed runs on this branch. */
function Against({ bar: { step, start, end, medianMs, samples }, branch }: { bar: Bar; branch: string }) {
  const t = useMessages();
  if (medianMs === null || start === undefined || end === undefined || !isFinal(step.status)) return <>–</>;
  const took = end - start;
  const ratio = took / Math.max(1, medianMs);
  const isSlow = samples >= fewestSamples && ratio >= slowRatio && took - medianMs >= slowByMs;
  return (
    <span
      className={isSlow ? 'slow' : undefined}
      title={t.medianOf({ median: formatDuration(medianMs), count: samples, branch })}
    >
      {t.timesMedian({ ratio: ratio >= 10 ? String(Math.round(ratio)) : ratio.toFixed(1) })}
    </span>
  );
}

/** Where the time of all steps went. */
function Sums({ bars }: { bars: readonly Bar[] }) {
  const t = useMessages();
  const sum = (length: (bar: Bar) => number): string => formatDuration(bars.reduce((all, bar) => all + length(bar), 0));
  const between = (from: number | undefined, to: number | undefined): number =>
    from === undefined || to === undefined ? 0 : Math.max(0, to - from);
  const isClone = ({ step }: Bar): boolean => step.kind === 'clone';
  const isWork = ({ step }: Bar): boolean => step.kind === 'step';
  return (
    <dl className="sums">
      <div>
        <dt>{t.waited}</dt>
        <dd>{sum((bar) => between(bar.ready, bar.start))}</dd>
      </div>
      <div>
        <dt>{t.prepared}</dt>
        <dd>{sum((bar) => between(bar.start, bar.run))}</dd>
      </div>
      <div>
        <dt>{t.cloned}</dt>
        <dd>{sum((bar) => (isClone(bar) ? between(bar.run ?? bar.start, bar.end) : 0))}</dd>
      </div>
      <div>
        <dt>{t.ranFor}</dt>
        <dd>{sum((bar) => (isWork(bar) ? between(bar.run ?? bar.start, bar.end) : 0))}</dd>
      </div>
    </dl>
  );
}
