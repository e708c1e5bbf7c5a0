import { useMutation, useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import type { WebhookView } from '../../../src/api/webhooks.ts';
import { useMessages } from '../../language.ts';
import { Answer, EmptyState } from '../../parts/answers.tsx';
import { CommandLine } from '../../parts/copy.tsx';
import { FormDialog } from '../../parts/dialog.tsx';
import { Icon } from '../../parts/icons.tsx';
import { Ago } from '../../parts/time.tsx';
import { toast, toastError } from '../../parts/toast.tsx';
import { useSearch } from '../../router.tsx';
import { DeliveryList } from './delivery-list.tsx';
import { type HolderName, holderOption } from './holder.ts';
import { SecretNotice } from './secret-notice.tsx';
import { removeWebhook, testWebhook, updateWebhook, webhooksQuery } from './webhook-calls.ts';
import { WebhookDialog } from './webhook-dialog.tsx';

/** Whom events are told to. `?webhook=` opens what one of them was sent. */
export function WebhookSettings({ holder }: { holder: HolderName }) {
  const t = useMessages();
  const webhooks = useQuery(webhooksQuery(holder));
  const [search, changeSearch] = useSearch();
  const [changing, setChanging] = useState<WebhookView | 'new'>();
  const [removing, setRemoving] = useState<WebhookView>();
  const [secret, setSecret] = useState<string>();
  const opened = Number(search.get('webhook') ?? 0);
  const toggle = (id: number): void => changeSearch({ webhook: opened === id ? undefined : String(id) });
  return (
    <section className="box flush">
      <div className="box-head">
        <h2>{t.webhook.outgoing}</h2>
        <span className="spacer" />
        <button type="button" className="button small" onClick={() => setChanging('new')}>
          {t.webhook.add}
        </button>
      </div>
      <Answer query={webhooks}>
        {({ items }) =>
          items.length === 0 ? (
            <EmptyState title={t.webhook.none}>
              <p>{t.webhook.hint}</p>
              <CommandLine
                command={`gantry webhook create https://example.org/hook --event push ${holderOption(holder)}`}
              />
            </EmptyState>
          ) : (
            <ul className="entries">
              {items.map((webhook) => (
                <WebhookEntry
                  key={webhook.id}
                  holder={holder}
                  webhook={webhook}
                  isOpen={opened === webhook.id}
                  onToggle={() => toggle(webhook.id)}
                  onChange={() => setChanging(webhook)}
                  onRemove={() => setRemoving(webhook)}
                />
              ))}
            </ul>
          )
        }
      </Answer>
      <p className="box-note quiet">{t.webhook.note}</p>
      {changing !== undefined && (
        <WebhookDialog
          holder={holder}
          webhook={changing === 'new' ? undefined : changing}
          onClose={() => setChanging(undefined)}
          onSecret={setSecret}
        />
      )}
      {secret !== undefined && <SecretNotice secret={secret} onClose={() => setSecret(undefined)} />}
      {removing && (
        <FormDialog
          title={t.webhook.removeTitle}
          description={t.webhook.removeHint({ url: removing.url })}
          action={t.remove}
          isDangerous
          onClose={() => setRemoving(undefined)}
          onSubmit={async () => {
            await removeWebhook(holder, removing.id);
            toast(t.webhook.removed);
          }}
        />
      )}
    </section>
  );
}

interface EntryProps {
  readonly holder: HolderName;
  readonly webhook: WebhookView;
  readonly isOpen: boolean;
  readonly onToggle: () => void;
  readonly onChange: () => void;
  readonly onRemove: () => void;
}

function WebhookEntry({ holder, webhook, isOpen, onToggle, onChange, onRemove }: EntryProps) {
  const t = useMessages();
  const { id, url, events, isEnabled, failingSince, disabledReason } = webhook;
  const change = useMutation({
    mutationFn: () => updateWebhook(holder, id, { isEnabled: !isEnabled }),
    onError: toastError,
  });
  const test = useMutation({
    mutationFn: () => testWebhook(holder, id),
    onSuccess: () => {
      toast(t.webhook.testSent);
      if (!isOpen) onToggle();
    },
    onError: toastError,
  });
  return (
    <li className="webhook">
      <div className="entry tall">
        <Icon name="link" />
        <div className="grow">
          <b className="mono">
            <bdi>{url}</bdi>
          </b>{' '}
          {!isEnabled && <span className="tag">{t.switchedOff}</span>}
          <small className="quiet block">{events.map((event) => t.webhook.events[event]).join(' · ')}</small>
          {disabledReason !== null && <small className="bad block">{t.webhook.disabled[disabledReason]}</small>}
          {isEnabled && failingSince !== null && (
            <small className="bad block">
              {t.webhook.failing} <Ago at={failingSince} />
            </small>
          )}
        </div>
        <div className="actions">
          <button type="button" className="button small" aria-expanded={isOpen} onClick={onToggle}>
            {t.webhook.deliveries}
            <span className="hidden-text"> {url}</span>
          </button>
          <button type="button" className="button small" aria-disabled={test.isPending} onClick={() => test.mutate()}>
            {t.webhook.test}
            <span className="hidden-text"> {url}</span>
          </button>
          <button
            type="button"
            className="button small"
            aria-disabled={change.isPending}
            onClick={() => change.mutate()}
          >
            {isEnabled ? t.switchOff : t.switchOn}
            <span className="hidden-text"> {url}</span>
          </button>
          <button type="button" className="button small" onClick={onChange}>
            {t.change}
            <span className="hidden-text"> {url}</span>
          </button>
          <button type="button" className="button small danger" onClick={onRemove}>
            {t.remove}
            <span className="hidden-text"> {url}</span>
          </button>
        </div>
      </div>
      {isOpen && <DeliveryList holder={holder} webhook={id} />}
    </li>
  );
}
