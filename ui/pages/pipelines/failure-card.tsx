import type { PipelineDetail, StepView } from '../../../src/api/pipelines.ts';
import { filesAddress, type ProjectName } from '../../addresses.ts';
import { useMessages } from '../../language.ts';
import { CopyButton } from '../../parts/copy.tsx';
import { StatusIcon } from '../../parts/status.tsx';
import { Link } from '../../router.tsx';
import { plainText, segments } from './ansi.ts';
import { IncludedPlace } from './included-place.tsx';
import { hasLog } from './step-pane.tsx';

interface Props {
  readonly name: ProjectName;
  readonly pipeline: PipelineDetail;
  readonly step: StepView;
  readonly onOpenLine: (step: StepView, line: number | undefined) => void;
}

/** What failed, in the words of its own log, before anything else. */
export function FailureCard({ name, pipeline, step, onOpenLine }: Props) {
  const t = useMessages();
  const { failure } = step;
  const headline = failure?.lines.find(({ number }) => number === failure.line);
  const said = headline ? plainText(headline.text).trim() : (step.reason ?? '');
  const stepName = pipeline.workflows.length > 1 ? `${step.workflow}/${step.name}` : step.name;
  const command = `gantry logs ${pipeline.number} ${quoted(stepName)} --project ${name.owner}/${name.project}`;
  return (
    <section className={`failure-card ${step.status}`} aria-label={t.failure}>
      <h2>
        <StatusIcon status={step.status} />
        <span>
          <bdi>{step.status === 'failed' ? t.stepFailed({ step: stepName }) : t.stepLost({ step: stepName })}</bdi>
          {said !== '' && (
            <>
              {t.colon}
              <bdi>{said.slice(0, 300)}</bdi>
            </>
          )}
        </span>
      </h2>
      {failure && (
        <pre tabIndex={0} role="group" aria-label={t.failureLines}>
          {failure.lines.map(({ number, text }) => (
            <div key={number} className={number === failure.line ? 'hot' : undefined}>
              <span className="line-number" aria-hidden="true">
                {number}
              </span>
              {segments(text.slice(0, 2_000)).map((part, i) => (
                <span key={i}>{part.text}</span>
              ))}
            </div>
          ))}
        </pre>
      )}
      <div className="failure-facts">
        {hasLog(step) && (
          <button type="button" className="link" onClick={() => onOpenLine(step, failure?.line)}>
            {failure ? t.openLogAt({ line: failure.line }) : t.openLog}
          </button>
        )}
        {step.exitCode !== null && <span className="number">{t.exitCode({ code: step.exitCode })}</span>}
        {step.reason !== null && said !== step.reason && <bdi>{step.reason}</bdi>}
        {step.attempt > 1 && <span>{t.attempt({ number: step.attempt })}</span>}
        <Link to={filesAddress(name, pipeline.commit, pipeline.path, step.line).replace('#', '&view=file#')}>
          <code>
            {pipeline.path}:{step.line}
          </code>
        </Link>
        {hasLog(step) && (
          <span className="copyable">
            <code>{command}</code>
            <CopyButton text={command} label={t.copy} />
          </span>
        )}
      </div>
    </section>
  );
}

/** A pipeline file that could not be read: its own card, with the place. */
export function CompileErrorCard({ name, pipeline }: { name: ProjectName; pipeline: PipelineDetail }) {
  const t = useMessages();
  const { error } = pipeline;
  if (!error) return null;
  const path = error.path ?? pipeline.path;
  const place = [path, error.line, error.column].filter((part) => part !== null && part !== '').join(':');
  return (
    <section className="failure-card failed" aria-label={t.failure}>
      <h2>
        <StatusIcon status="failed" />
        <span>{t.pipelineFileInvalid}</span>
      </h2>
      <pre tabIndex={0} role="group" aria-label={t.failureLines}>
        {error.message}
      </pre>
      {error.included && <IncludedPlace path={path} place={error.included} />}
      <div className="failure-facts">
        {path !== '' && (
          <Link
            className="link"
            to={`${filesAddress(name, pipeline.commit, path)}&view=file${error.line === null ? '' : `#L${error.line}`}`}
          >
            <code>{place}</code>
          </Link>
        )}
        <span className="copyable">
          <code>gantry lint</code>
          <CopyButton text="gantry lint" label={t.copy} />
        </span>
      </div>
    </section>
  );
}

function quoted(word: string): string {
  return /^[\w./@:+-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
