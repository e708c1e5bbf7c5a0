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
import { type IdleAxis, idleAxis } from './idle-axis.ts';

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

/**
 * One row per step: how long it waited for a place and for its image, was prepared, had its cache restored, ran and had its
 * cache saved, beside what it takes on this branch.
 */
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
  /** Lengths, in milliseconds. */
  readonly pullMs: number;
  readonly restoreMs: number;
  readonly saveMs: number;
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
      // What was fetched before its turn kept it from nothing.
      pullMs: Math.min(own?.pullMs ?? 0, own?.waitedMs ?? 0),
      restoreMs: own?.restoreMs ?? 0,
      saveMs: own?.saveMs ?? 0,
      medianMs: own?.medianMs ?? null,
      samples: own?.samples ?? 0,
    };
  });
  const axis = idleAxis(
    bars.flatMap(({ ready, start, end }) =>
      start === undefined || end === undefined ? [] : [{ from: ready ?? start, to: end }],
    ),
  );
  const whole = Math.max(1, ...bars.map(({ end }) => axis.place(end ?? 0)));
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
              <th scope="col" title={t.pulledHint}>
                {t.pulledFor}
              </th>
              <th scope="col">{t.prepared}</th>
              <th scope="col" title={t.restoredHint}>
                {t.restoredFor}
              </th>
              <th scope="col">{t.ranFor}</th>
              <th scope="col" title={t.savedHint}>
                {t.savedFor}
              </th>
              <th scope="col" title={t.medianHint({ branch })}>
                {t.against}
              </th>
            </tr>
          </thead>
          <tbody>
            {bars.map((bar) => {
              const { step } = bar;
              return (
                <tr key={step.id} aria-selected={step.id === selectedId}>
                  <th scope="row">
                    <button type="button" onClick={() => onSelect(step)}>
                      <StatusIcon status={step.status} size={14} />{' '}
                      <bdi>{workflows.length > 1 ? `${step.workflow}/${step.name}` : step.name}</bdi>
                    </button>
                  </th>
                  <td className="bars">
                    <Bars bar={bar} axis={axis} whole={whole} />
                  </td>
                  {columns.map((column) => (
                    <td key={column} className="number">
                      {durationText(lengthOf(bar, column))}
                    </td>
                  ))}
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
        <i className="queue" /> {t.waitedForPlace} <i className="pull" /> {t.imageFetched} <i className="prepare" />{' '}
        {t.preparedHint} <i className="run passed" /> {t.ran}
        {axis.cuts.length > 0 && (
          <>
            {' '}
            <i className="cut" /> {t.idleLeftOut}
          </>
        )}
      </p>
    </>
  );
}

/** What the time of a step went into, in the order in which it comes. */
const columns = ['waited', 'pulled', 'prepared', 'restored', 'ran', 'saved'] as const;
type Column = (typeof columns)[number];

/** In milliseconds; `undefined` = it did not come to that. */
function lengthOf({ ready, start, run, end, pullMs, restoreMs, saveMs }: Bar, column: Column): number | undefined {
  const between = (from: number | undefined, to: number | undefined, without = 0): number | undefined =>
    from === undefined || to === undefined ? undefined : Math.max(0, to - from - without);
  switch (column) {
    case 'waited':
      return between(ready, start, pullMs);
    case 'pulled':
      return pullMs || undefined;
    case 'prepared':
      return between(start, run);
    case 'restored':
      return restoreMs || undefined;
    case 'ran':
      return between(run ?? start, end, restoreMs + saveMs);
    case 'saved':
      return saveMs || undefined;
  }
}

function durationText(ms: number | undefined): string {
  return ms === undefined ? '–' : formatDuration(ms);
}

/** For the eye: the columns behind it say the same in numbers. */
function Bars({
  bar: { step, ready, start, run, end, pullMs },
  axis: { place, cuts },
  whole,
}: {
  bar: Bar;
  axis: IdleAxis;
  whole: number;
}) {
  if (start === undefined || end === undefined) return null;
  const x = (ms: number): number => (place(ms) / whole) * chartWidth;
  const width = (from: number, to: number): number => x(to) - x(from);
  const least = chartWidth / 400;
  const from = run ?? start;
  // Of the wait the image is the last part: a step that has its image starts.
  const pull = Math.max(ready ?? start, start - pullMs);
  return (
    <svg viewBox={`0 0 ${chartWidth} 14`} preserveAspectRatio="none" aria-hidden="true">
      {ready !== undefined && <rect className="queue" x={x(ready)} y="5" width={width(ready, pull)} height="4" />}
      {pull < start && <rect className="pull" x={x(pull)} y="3" width={width(pull, start)} height="8" />}
      {run !== undefined && <rect className="prepare" x={x(start)} y="2" width={width(start, run)} height="10" />}
      <rect className={`run ${step.status}`} x={x(from)} y="0" width={Math.max(least, width(from, end))} height="14" />
      {cuts.map((at) => (
        <line key={at} className="cut" x1={(at / whole) * chartWidth} x2={(at / whole) * chartWidth} y1="0" y2="14" />
      ))}
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
  const sum = (column: Column, of: readonly Bar[] = bars): string =>
    formatDuration(of.reduce((all, bar) => all + (lengthOf(bar, column) ?? 0), 0));
  const isClone = ({ step }: Bar): boolean => step.kind === 'clone';
  const isWork = ({ step }: Bar): boolean => step.kind === 'step';
  const sums: readonly [label: string, text: string][] = [
    [t.waited, sum('waited')],
    [t.pulledFor, sum('pulled')],
    [t.prepared, sum('prepared')],
    [t.cloned, sum('ran', bars.filter(isClone))],
    [t.restoredFor, sum('restored')],
    [t.ranFor, sum('ran', bars.filter(isWork))],
    [t.savedFor, sum('saved')],
  ];
  return (
    <dl className="sums">
      {sums.map(([label, text]) => (
        <div key={label}>
          <dt>{label}</dt>
          <dd>{text}</dd>
        </div>
      ))}
    </dl>
  );
}
