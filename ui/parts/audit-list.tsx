import type { ClientResult } from '../../src/api/client.ts';
import { formatClock, useMessages } from '../language.ts';
import { Icon } from './icons.tsx';
import { Ago } from './time.tsx';

type Entry = ClientResult<'listProjectAudit'>['items'][number] & { readonly remoteAddress?: string };

/** Records of the audit in words; what they hold beyond that opens below them. */
export function AuditList({ entries, showsSubject }: { entries: readonly Entry[]; showsSubject: boolean }) {
  return (
    <ul className="rows audit-list">
      {entries.map((entry) => (
        <AuditRow key={entry.sequence} entry={entry} showsSubject={showsSubject} />
      ))}
    </ul>
  );
}

function AuditRow({ entry, showsSubject }: { entry: Entry; showsSubject: boolean }) {
  const t = useMessages();
  const { sequence, actor, action, subject, at, remoteAddress, requestId, details, hash } = entry;
  const isRefused = action.endsWith(':refused');
  const base = action.replace(/:refused$/, '');
  const known: Readonly<Record<string, string>> = t.auditAction;
  const words = known[action] ?? known[base] ?? base;
  const repeated = details['repeated'];
  return (
    <li>
      <details>
        <summary>
          <Icon name="chevron" size={12} />
          <span className="audit-what">
            <b>
              <bdi>{actor}</bdi>
            </b>{' '}
            {isRefused ? t.wasRefused({ action: words }) : words}{' '}
            {showsSubject && <bdi className="mono">{subject}</bdi>}{' '}
            {isRefused && <span className="tag bad">{t.refused}</span>}{' '}
            {typeof repeated === 'number' && <span className="tag">{t.repeated({ count: repeated })}</span>}
          </span>
          <small className="quiet">
            <Ago at={at} />
          </small>
        </summary>
        <dl className="facts">
          <dt>{t.when}</dt>
          <dd>{formatClock(new Date(at))}</dd>
          <dt>{t.auditWhat}</dt>
          <dd>
            <code>{action}</code> <bdi className="mono">{subject}</bdi>
          </dd>
          {remoteAddress !== undefined && (
            <>
              <dt>{t.deviceFrom}</dt>
              <dd>{remoteAddress}</dd>
            </>
          )}
          {Object.entries(details).map(([name, value]) => (
            <Detail key={name} name={name} value={value} />
          ))}
          <dt>{t.requestId}</dt>
          <dd>
            <code>{requestId}</code>
          </dd>
          <dt>{t.record({ sequence })}</dt>
          <dd>
            <code>{hash}</code>
          </dd>
        </dl>
      </details>
    </li>
  );
}

/** A name that the record gives itself: it is code, and not translated. */
function Detail({ name, value }: { name: string; value: unknown }) {
  return (
    <>
      <dt>
        <code>{name}</code>
      </dt>
      <dd>
        <code>{typeof value === 'string' ? value : JSON.stringify(value)}</code>
      </dd>
    </>
  );
}
