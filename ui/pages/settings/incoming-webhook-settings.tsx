import { useMutation, useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import type { IncomingWebhookView } from '../../../src/api/webhooks.ts';
import type { ProjectName } from '../../addresses.ts';
import { ask, call, refresh } from '../../api.ts';
import { useMessages } from '../../language.ts';
import { Answer, EmptyState } from '../../parts/answers.tsx';
import { CommandLine } from '../../parts/copy.tsx';
import { FormDialog } from '../../parts/dialog.tsx';
import { Icon } from '../../parts/icons.tsx';
import { Ago } from '../../parts/time.tsx';
import { toast, toastError } from '../../parts/toast.tsx';
import { IncomingWebhookDialog } from './incoming-webhook-dialog.tsx';
import { SecretNotice } from './secret-notice.tsx';

/** Addresses to which other systems send what starts a pipeline. */
export function IncomingWebhookSettings({ name }: { name: ProjectName }) {
  const t = useMessages();
  const hooks = useQuery(ask('listIncomingWebhooks', { params: name }));
  const [changing, setChanging] = useState<IncomingWebhookView | 'new'>();
  const [removing, setRemoving] = useState<IncomingWebhookView>();
  const [secret, setSecret] = useState<string>();
  return (
    <section className="box flush">
      <div className="box-head">
        <h2>{t.webhook.incoming}</h2>
        <span className="spacer" />
        <button type="button" className="button small" onClick={() => setChanging('new')}>
          {t.webhook.addIncoming}
        </button>
      </div>
      <Answer query={hooks}>
        {({ items }) =>
          items.length === 0 ? (
            <EmptyState title={t.webhook.noneIncoming}>
              <p>{t.webhook.incomingHint}</p>
              <CommandLine
                command={`gantry webhook create --incoming deploy --branch main --project ${name.owner}/${name.project}`}
              />
            </EmptyState>
          ) : (
            <ul className="entries">
              {items.map((hook) => (
                <IncomingEntry
                  key={hook.name}
                  name={name}
                  hook={hook}
                  onChange={() => setChanging(hook)}
                  onRemove={() => setRemoving(hook)}
                />
              ))}
            </ul>
          )
        }
      </Answer>
      <p className="box-note quiet">{t.webhook.incomingNote}</p>
      {changing !== undefined && (
        <IncomingWebhookDialog
          name={name}
          hook={changing === 'new' ? undefined : changing}
          onClose={() => setChanging(undefined)}
          onSecret={setSecret}
        />
      )}
      {secret !== undefined && <SecretNotice secret={secret} onClose={() => setSecret(undefined)} />}
      {removing && (
        <FormDialog
          title={t.webhook.removeTitle}
          description={t.webhook.removeIncomingHint({ name: removing.name })}
          action={t.remove}
          isDangerous
          onClose={() => setRemoving(undefined)}
          onSubmit={async () => {
            await call('removeIncomingWebhook', { params: { ...name, name: removing.name } });
            toast(t.webhook.removed);
            await refresh('listIncomingWebhooks');
          }}
        />
      )}
    </section>
  );
}

interface EntryProps {
  readonly name: ProjectName;
  readonly hook: IncomingWebhookView;
  readonly onChange: () => void;
  readonly onRemove: () => void;
}

function IncomingEntry({ name, hook, onChange, onRemove }: EntryProps) {
  const t = useMessages();
  const change = useMutation({
    mutationFn: () =>
      call('updateIncomingWebhook', {
        params: { ...name, name: hook.name },
        body: { isEnabled: !hook.isEnabled },
      }),
    onError: toastError,
    onSettled: () => refresh('listIncomingWebhooks'),
  });
  const parameters = Object.entries(hook.parameters);
  return (
    <li className="webhook">
      <div className="entry tall">
        <Icon name="play" />
        <div className="grow">
          <b className="mono">
            <bdi>{hook.name}</bdi>
          </b>{' '}
          {!hook.isEnabled && <span className="tag">{t.switchedOff}</span>}
          <small className="quiet block">
            <bdi className="mono">{hook.branch}</bdi> · {t.webhook.proofs[hook.proof].label}
            {hook.lastAcceptedAt !== null && (
              <>
                {' · '}
                {t.webhook.lastAccepted} <Ago at={hook.lastAcceptedAt} />
              </>
            )}
          </small>
          {parameters.map(([parameter, path]) => (
            <small key={parameter} className="block">
              <code>
                {parameter}={path}
              </code>
            </small>
          ))}
        </div>
        <div className="actions">
          <button
            type="button"
            className="button small"
            aria-disabled={change.isPending}
            onClick={() => change.mutate()}
          >
            {hook.isEnabled ? t.switchOff : t.switchOn}
            <span className="hidden-text"> {hook.name}</span>
          </button>
          <button type="button" className="button small" onClick={onChange}>
            {t.change}
            <span className="hidden-text"> {hook.name}</span>
          </button>
          <button type="button" className="button small danger" onClick={onRemove}>
            {t.remove}
            <span className="hidden-text"> {hook.name}</span>
          </button>
        </div>
      </div>
      <CommandLine command={hook.url} />
    </li>
  );
}
