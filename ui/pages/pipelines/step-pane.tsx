import { useCallback, useMemo } from 'react';
import type { PipelineDetail, StepView } from '../../../src/api/pipelines.ts';
import { type ProjectName, pipelineAddress } from '../../addresses.ts';
import { useMessages } from '../../language.ts';
import { EmptyState } from '../../parts/answers.tsx';
import { CopyButton } from '../../parts/copy.tsx';
import { isFinal, StatusMark } from '../../parts/status.tsx';
import { Link, useSearch } from '../../router.tsx';
import { LogView } from './log-view.tsx';
import { formatStepAddress, type StepAddress, setStepHash } from './step-address.ts';
import { decisionsOf } from './trace-groups.tsx';

interface StepPaneProps {
  readonly name: ProjectName;
  readonly pipeline: PipelineDetail;
  readonly step: StepView;
  readonly attempts: readonly StepView[];
  readonly address: StepAddress;
  readonly lines: readonly [number, number] | undefined;
  readonly isLatest: boolean;
}

/** The selected step: how it ended, its attempts, and its log. */
export function StepPane({ name, pipeline, step, attempts, address, lines, isLatest }: StepPaneProps) {
  const t = useMessages();
  const here: StepAddress = useMemo(
    () => ({ ...address, ...(!isLatest && { attempt: step.attempt }) }),
    [address.step, address.workflow, isLatest, step.attempt],
  );
  const choose = useCallback(
    (range: readonly [number, number] | undefined): void => setStepHash({ ...here, ...(range && { lines: range }) }),
    [here],
  );
  const hasNoLog = !hasLog(step);
  const [, setSearch] = useSearch();
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
        {step.reusedFrom && !hasNoLog && <OriginalLink name={name} from={step.reusedFrom} className="link" />}
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
      {step.pushed && <PushedImages images={step.pushed} />}
      {hasNoLog ? (
        <EmptyState title={t.noLog({ status: t.status[step.status] })}>
          {step.reason !== null && (
            <p>
              <bdi>{step.reason}</bdi>
            </p>
          )}
          {step.reusedFrom && <OriginalLink name={name} from={step.reusedFrom} className="button" />}
          {step.status === 'skipped' && (
            <button
              type="button"
              className="button"
              onClick={() => setSearch({ tab: 'why', only: undefined, of: decisionsOf(step.workflow, step.name) })}
            >
              {t.showDecision}
            </button>
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

/** What a build has put into registries: by digest, as whoever runs the image names it. */
function PushedImages({ images }: { readonly images: NonNullable<StepView['pushed']> }) {
  const t = useMessages();
  return (
    <ul className="pushed-images" aria-label={t.pushedImages}>
      {images.map(({ name, digest }) => (
        <li key={name}>
          <bdi className="mono">
            {name}
            <span className="quiet">@{digest}</span>
          </bdi>
          <CopyButton text={`${name}@${digest}`} label={t.copyImage} />
        </li>
      ))}
    </ul>
  );
}

interface OriginalLinkProps {
  readonly name: ProjectName;
  readonly from: NonNullable<StepView['reusedFrom']>;
  readonly className: string;
}

/** To the step that ran, and its log. */
function OriginalLink({ name, from, className }: OriginalLinkProps) {
  const t = useMessages();
  return (
    <Link className={className} to={`${pipelineAddress(name, from.number)}${formatStepAddress(from)}`}>
      {t.reusedFrom(from)}
    </Link>
  );
}

/** One that was skipped, or ended before it started, has none. */
export function hasLog({ status, startedAt }: StepView): boolean {
  return status !== 'skipped' && !(isFinal(status) && startedAt === null);
}
