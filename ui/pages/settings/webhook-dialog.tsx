import { useState } from 'react';
import type { WebhookView } from '../../../src/api/webhooks.ts';
import { newIdempotencyKey } from '../../api.ts';
import { useMessages } from '../../language.ts';
import { FormDialog } from '../../parts/dialog.tsx';
import { fieldOf, TextField } from '../../parts/field.tsx';
import { toast } from '../../parts/toast.tsx';
import type { HolderName } from './holder.ts';
import { createWebhook, updateWebhook } from './webhook-calls.ts';

type WebhookEvent = WebhookView['events'][number];

interface Props {
  readonly holder: HolderName;
  /** Absent for a new one. */
  readonly webhook: WebhookView | undefined;
  readonly onClose: () => void;
  readonly onSecret: (secret: string) => void;
}

/** Makes or changes a webhook. */
export function WebhookDialog({ holder, webhook, onClose, onSecret }: Props) {
  const t = useMessages();
  const [idempotencyKey] = useState(newIdempotencyKey);
  const known = Object.keys(t.webhook.events) as (WebhookEvent | 'ping')[];
  const choices = known.filter((event) => event !== 'ping');
  const save = async (form: FormData): Promise<void> => {
    const url = fieldOf(form, 'url').trim();
    const events = choices.filter((event) => form.get(event) !== null);
    const header = { name: fieldOf(form, 'headerName').trim(), value: fieldOf(form, 'headerValue') };
    const isHeaderGiven = header.name !== '' && header.value !== '';
    const isHeaderDropped = header.name === '' && webhook !== undefined && webhook.headerName !== null;
    const saved = webhook
      ? await updateWebhook(holder, webhook.id, {
          url,
          events,
          ...(isHeaderGiven ? { header } : isHeaderDropped ? { header: null } : {}),
          ...(form.get('renewSecret') === null ? {} : { renewSecret: true }),
        })
      : await createWebhook(holder, { url, events, ...(isHeaderGiven ? { header } : {}) }, idempotencyKey);
    toast(t.webhook.saved);
    if (saved.secret !== null) onSecret(saved.secret);
  };
  return (
    <FormDialog
      title={webhook ? t.webhook.changeTitle : t.webhook.add}
      action={t.save}
      onClose={onClose}
      onSubmit={save}
    >
      <TextField
        label={t.webhook.url}
        name="url"
        type="url"
        required
        autoFocus
        maxLength={2_000}
        defaultValue={webhook?.url}
        className="input mono"
        autoComplete="off"
        spellCheck={false}
        placeholder="https://"
        hint={t.webhook.urlHint}
      />
      <fieldset className="checks">
        <legend>{t.webhook.eventsLegend}</legend>
        {choices.map((event) => (
          <label key={event}>
            <input
              type="checkbox"
              name={event}
              defaultChecked={webhook ? webhook.events.includes(event) : event === 'pipeline.finished'}
            />
            {t.webhook.events[event]}
          </label>
        ))}
      </fieldset>
      <TextField
        label={t.webhook.headerName}
        name="headerName"
        maxLength={100}
        defaultValue={webhook?.headerName ?? ''}
        className="input mono"
        autoComplete="off"
        spellCheck={false}
        placeholder="X-Team"
        hint={t.webhook.headerHint}
      />
      <TextField
        label={t.webhook.headerValue}
        name="headerValue"
        type="password"
        maxLength={4_096}
        className="input mono"
        autoComplete="off"
      />
      {webhook && (
        <fieldset className="checks">
          <legend>{t.webhook.secretTitle}</legend>
          <label>
            <input type="checkbox" name="renewSecret" />
            {t.webhook.renewSecret}
          </label>
        </fieldset>
      )}
    </FormDialog>
  );
}
