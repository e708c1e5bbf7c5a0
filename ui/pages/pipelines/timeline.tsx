import type { StepView } from '../../../src/api/pipelines.ts';
import { formatDuration, useMessages } from '../../language.ts';
import { isFinal, StatusIcon } from '../../parts/status.tsx';
import { useNow } from '../../parts/time.tsx';

interface Props {
  readonly steps: readonly StepView[];
  /** When the pipeline was made: the left edge. */
  readonly createdAt: string;
  readonly selectedId: number | undefined;
  readonly onSelect: (step: StepView) => void;
}

/** One row per step: how long it waited for those before it, and how long it ran. */
export function Timeline({ steps, createdAt, selectedId, onSelect }: Props) {
  const t = useMessages();
  const isMoving = steps.some((step) => step.startedAt !== null && step.finishedAt === null);
  const now = useNow(isMoving);
  const origin = Date.parse(createdAt);
  const bars = steps.map((step) => {
    const start = step.startedAt === null ? undefined : Date.parse(step.startedAt) - origin;
    const end =
      step.finishedAt === null
        ? start === undefined
          ? undefined
          : now - origin
        : Date.parse(step.finishedAt) - origin;
    // Since when nothing but a free place kept it from starting.
    const needs = steps.filter((other) => other.workflow === step.workflow && step.dependsOn.includes(other.name));
    const ready = Math.max(
      0,
      ...needs.map(({ finishedAt }) => (finishedAt === null ? 0 : Date.parse(finishedAt) - origin)),
    );
    return { step, start, end, ready: Math.min(ready, start ?? ready) };
  });
  const whole = Math.max(1, ...bars.map(({ end }) => end ?? 0));
  const percent = (ms: number): string => `${(ms / whole) * 100}%`;
  return (
    <div className="scroll" role="group" tabIndex={0} aria-label={t.timeline}>
      <table className="timeline">
        <caption className="hidden-text">{t.timeline}</caption>
        <thead className="hidden-text">
          <tr>
            <th scope="col">{t.step}</th>
            <th scope="col">{t.timeline}</th>
            <th scope="col">{t.duration}</th>
          </tr>
        </thead>
        <tbody>
          {bars.map(({ step, start, end, ready }) => (
            <tr key={step.id} aria-selected={step.id === selectedId}>
              <th scope="row">
                <button type="button" onClick={() => onSelect(step)}>
                  <StatusIcon status={step.status} size={14} /> <bdi>{step.name}</bdi>
                </button>
              </th>
              <td className="bars">
                {start !== undefined && end !== undefined && (
                  <div
                    title={t.timelineBar({ waited: formatDuration(start - ready), ran: formatDuration(end - start) })}
                  >
                    <i className="queue" style={{ left: percent(ready), width: percent(start - ready) }} />
                    <i
                      className={`run ${step.status}`}
                      style={{ left: percent(start), width: percent(Math.max(end - start, whole / 400)) }}
                    />
                  </div>
                )}
              </td>
              <td className="number">
                {start !== undefined && end !== undefined && isFinal(step.status) ? formatDuration(end - start) : '–'}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      <p className="legend quiet">
        <i className="queue" /> {t.waitedForPlace} <i className="run passed" /> {t.ran}
      </p>
    </div>
  );
}
