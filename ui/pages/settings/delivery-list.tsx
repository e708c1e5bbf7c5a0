import { useInfiniteQuery, useMutation, useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import type { DeliveryView } from '../../../src/api/webhooks.ts';
import { formatClock, formatDuration, useLanguage, useMessages } from '../../language.ts';
import { Answer } from '../../parts/answers.tsx';
import { StatusIcon } from '../../parts/status.tsx';
import { Ago } from '../../parts/time.tsx';
import { toast, toastError } from '../../parts/toast.tsx';
import type { HolderName } from './holder.ts';
import { deliveriesQuery, deliveryQuery, redeliver } from './webhook-calls.ts';

const drawnAs = { waiting: 'queued', delivered: 'passed', failed: 'failed' } as const;
/** While something is about to be tried, it is looked at so often. */
const lookEveryMs = 2_000;
const soonMs = 20_000;

const isSoon = ({ nextAt }: DeliveryView): boolean => nextAt !== null && Date.parse(nextAt) - Date.now() < soonMs;

/** What a webhook was sent, newest first. */
export function DeliveryList({ holder, webhook }: { holder: HolderName; webhook: number }) {
  const t = useMessages();
  const language = useLanguage();
  const deliveries = useInfiniteQuery({
    ...deliveriesQuery(holder, webhook, language),
    refetchInterval: ({ state }) =>
      state.data?.pages.some(({ items }) => items.some(isSoon)) ? lookEveryMs : (false as const),
  });
  return (
    <Answer query={{ ...deliveries, data: deliveries.data?.pages.flatMap(({ items }) => items) }}>
      {(items) =>
        items.length === 0 ? (
          <p className="box-note quiet">{t.webhook.noDeliveries}</p>
        ) : (
          <>
            <ul className="entries deliveries">
              {items.map((delivery) => (
                <DeliveryEntry key={delivery.id} holder={holder} webhook={webhook} delivery={delivery} />
              ))}
            </ul>
            {deliveries.hasNextPage && (
              <button
                type="button"
                className="button more"
                aria-disabled={deliveries.isFetchingNextPage}
                onClick={() => void deliveries.fetchNextPage()}
              >
                {t.showMore}
              </button>
            )}
          </>
        )
      }
    </Answer>
  );
}

interface EntryProps {
  readonly holder: HolderName;
  readonly webhook: number;
  readonly delivery: DeliveryView;
}

function DeliveryEntry({ holder, webhook, delivery }: EntryProps) {
  const t = useMessages();
  const [isOpen, setIsOpen] = useState(false);
  const { id, status, event, messageId, tries, problem, nextAt, createdAt, responseStatus, durationMs } = delivery;
  const again = useMutation({
    mutationFn: () => redeliver(holder, webhook, id),
    onSuccess: () => toast(t.webhook.sentAgain),
    onError: toastError,
  });
  return (
    <li>
      <div className="entry tall">
        <StatusIcon status={drawnAs[status]} />
        <div className="grow">
          <span>
            {t.webhook.statuses[status]} · {t.webhook.events[event]}
          </span>{' '}
          <code className="quiet">{messageId}</code>
          <small className="quiet block">
            <Ago at={createdAt} /> · {t.webhook.tries({ count: tries })}
            {responseStatus !== null && ` · ${responseStatus}`}
            {durationMs !== null && ` · ${durationMs < 1_000 ? `${durationMs} ms` : formatDuration(durationMs)}`}
          </small>
          {problem !== null && <small className="bad block">{problem}</small>}
          {nextAt !== null && tries > 0 && (
            <small className="quiet block">
              {t.webhook.nextTry}: {formatClock(new Date(nextAt))}
            </small>
          )}
        </div>
        <div className="actions">
          <button type="button" className="button small" aria-expanded={isOpen} onClick={() => setIsOpen(!isOpen)}>
            {t.webhook.details}
            <span className="hidden-text"> {messageId}</span>
          </button>
          <button type="button" className="button small" aria-disabled={again.isPending} onClick={() => again.mutate()}>
            {t.webhook.redeliver}
            <span className="hidden-text"> {messageId}</span>
          </button>
        </div>
      </div>
      {isOpen && <Exchange holder={holder} webhook={webhook} delivery={delivery} />}
    </li>
  );
}

function Exchange({ holder, webhook, delivery: { id } }: EntryProps) {
  const t = useMessages();
  const language = useLanguage();
  const found = useQuery(deliveryQuery(holder, webhook, id, language));
  return (
    <Answer query={found}>
      {({ request, response }) => (
        <div className="exchange">
          <h3>{t.webhook.request}</h3>
          <pre tabIndex={0} role="group" aria-label={t.webhook.request}>
            {pretty(request)}
          </pre>
          <h3>{t.webhook.response}</h3>
          {response === null || response === '' ? (
            <p className="quiet">{t.webhook.noResponse}</p>
          ) : (
            <pre tabIndex={0} role="group" aria-label={t.webhook.response}>
              {response}
            </pre>
          )}
        </div>
      )}
    </Answer>
  );
}

function pretty(json: string): string {
  try {
    return JSON.stringify(JSON.parse(json), null, 2);
  } catch {
    return json;
  }
}
