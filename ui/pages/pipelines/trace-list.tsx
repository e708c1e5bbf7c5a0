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

/** Decisions as sentences, each with the rule that made it, and on request with the values that the rule saw. */
export function TraceList({ entries, hasValues = false }: { entries: readonly TraceView[]; hasValues?: boolean }) {
  const t = useMessages();
  return (
    <ol className="trace">
      {entries.map((entry, i) => (
        <li key={i}>
          {entry.verdict === 'noted' ? <span className="dot" /> : <StatusIcon status={look[entry.verdict]} size={14} />}
          <span className="hidden-text">{t.verdict[entry.verdict]}: </span>
          <div className={!hasValues && entry.subject.kind === 'step' ? 'of-step' : undefined}>
            <bdi>{entry.sentence}</bdi>
            <code className="rule">{entry.rule}</code>
            {hasValues && Object.keys(entry.values).length > 0 && (
              <code className="rule">
                {Object.entries(entry.values)
                  .map(([key, value]) => `${key}=${JSON.stringify(value)}`)
                  .join(' ')}
              </code>
            )}
          </div>
        </li>
      ))}
    </ol>
  );
}
