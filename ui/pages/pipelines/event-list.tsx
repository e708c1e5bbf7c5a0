import { useQuery } from '@tanstack/react-query';
import { type ProjectName, pipelineAddress } from '../../addresses.ts';
import { ask } from '../../api.ts';
import { useMessages } from '../../language.ts';
import { usePolling } from '../../live/live.ts';
import { Answer, EmptyState } from '../../parts/answers.tsx';
import { CommitLink } from '../../parts/commit-link.tsx';
import { Icon } from '../../parts/icons.tsx';
import { Ago } from '../../parts/time.tsx';
import { Link } from '../../router.tsx';
import { TraceList } from './trace-list.tsx';

/** What happened to the repository and what came of it: also what started nothing, and why. */
export function EventList({ name }: { name: ProjectName }) {
  const t = useMessages();
  const events = useQuery({ ...ask('listEvents', { params: name }), refetchInterval: usePolling(true) });
  return (
    <Answer query={events}>
      {({ items }) =>
        items.length === 0 ? (
          <EmptyState title={t.noEvents}>
            <p>{t.noEventsHint}</p>
          </EmptyState>
        ) : (
          <ul className="rows">
            {items.map((event, i) => (
              <li key={`${i} ${event.createdAt}`} className="event-row">
                <div className="meta">
                  <Icon
                    name={
                      event.kind === 'tag'
                        ? 'tag'
                        : event.kind === 'cron'
                          ? 'clock'
                          : ['manual', 'promote', 'rollback'].includes(event.kind)
                            ? 'play'
                            : 'commit'
                    }
                  />
                  <b>{t.eventKind[event.kind]}</b>
                  {event.cron !== null && <bdi className="mono">{event.cron}</bdi>}
                  {event.target !== null && <bdi>{t.towards({ target: event.target })}</bdi>}
                  <bdi className="mono">{event.ref.replace(/^refs\/(heads|tags)\//, '')}</bdi>
                  {/^0+$/.test(event.after) ? (
                    <span className="tag">{t.deleted}</span>
                  ) : (
                    <CommitLink name={name} commit={event.after} />
                  )}
                  <span className="quiet">
                    <bdi>{event.personName}</bdi> · <Ago at={event.createdAt} />
                  </span>
                  <span className="spacer" />
                  {event.pipeline === null ? (
                    <span className="quiet">{t.startedNothing}</span>
                  ) : (
                    <Link to={pipelineAddress(name, event.pipeline)} className="link number">
                      {t.pipeline} #{event.pipeline}
                    </Link>
                  )}
                </div>
                {event.pipeline === null && event.why.length > 0 && <TraceList entries={event.why} />}
              </li>
            ))}
          </ul>
        )
      }
    </Answer>
  );
}
