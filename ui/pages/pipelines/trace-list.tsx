import type { TraceView } from '../../../src/api/pipelines.ts';
import { useMessages } from '../../language.ts';
import { type Status, StatusIcon } from '../../parts/status.tsx';

const look: Record<TraceView['verdict'], Status> = {
  ran: 'passed',
  skipped: 'skipped',
  waiting: 'waiting',
  blocked: 'blocked',
  failed: 'failed',
  noted: 'ready',
};

/** Decisions as sentences, each with the rule that made it. */
export function TraceList({ entries }: { entries: readonly TraceView[] }) {
  const t = useMessages();
  return (
    <ol className="trace">
      {entries.map((entry, i) => (
        <li key={i}>
          {entry.verdict === 'noted' ? <span className="dot" /> : <StatusIcon status={look[entry.verdict]} size={14} />}
          <span className="hidden-text">{t.verdict[entry.verdict]}: </span>
          <div className={entry.subject.kind === 'step' ? 'of-step' : undefined}>
            <bdi>{entry.sentence}</bdi>
            <code className="rule">{entry.rule}</code>
          </div>
        </li>
      ))}
    </ol>
  );
}
