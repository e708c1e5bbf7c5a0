import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import type { SecretView } from '../../../src/api/secrets.ts';
import type { ProjectName } from '../../addresses.ts';
import { ask, call, refresh } from '../../api.ts';
import { useMessages } from '../../language.ts';
import { Answer, EmptyState } from '../../parts/answers.tsx';
import { CommandLine } from '../../parts/copy.tsx';
import { FormDialog } from '../../parts/dialog.tsx';
import { fieldOf, TextArea, TextField } from '../../parts/field.tsx';
import { Icon } from '../../parts/icons.tsx';
import { Ago } from '../../parts/time.tsx';
import { toast } from '../../parts/toast.tsx';

const events = ['push', 'tag', 'manual', 'promote', 'rollback'] as const;

/** Values go in and never come out. */
export function SecretSettings({ name }: { name: ProjectName }) {
  const t = useMessages();
  const secrets = useQuery(ask('listSecrets', { params: name }));
  const [changing, setChanging] = useState<SecretView | 'new'>();
  const [removing, setRemoving] = useState<SecretView>();
  const [warning, setWarning] = useState<string>();
  return (
    <section className="box flush">
      <div className="box-head">
        <h2>{t.settingsTab.secrets}</h2>
        <span className="spacer" />
        <button type="button" className="button small" onClick={() => setChanging('new')}>
          {t.addSecret}
        </button>
      </div>
      {warning !== undefined && (
        <p className="notice warn" role="status">
          {warning}
        </p>
      )}
      <Answer query={secrets}>
        {({ items }) =>
          items.length === 0 ? (
            <EmptyState title={t.noSecrets}>
              <p>{t.secretsHint}</p>
              <CommandLine command={`gantry secret set NAME --project ${name.owner}/${name.project}`} />
            </EmptyState>
          ) : (
            <ul className="entries">
              {items.map((secret) => (
                <li key={secret.name} className="entry tall">
                  <Icon name="lock" />
                  <div className="grow">
                    <b className="mono">
                      <bdi>{secret.name}</bdi>
                    </b>
                    <small className="quiet block">
                      {secret.events.map((event) => t.eventKind[event as (typeof events)[number]] ?? event).join(', ')}{' '}
                      · {t.updatedBy} <bdi>{secret.updatedBy}</bdi>, <Ago at={secret.updatedAt} />
                    </small>
                  </div>
                  <button type="button" className="button small" onClick={() => setChanging(secret)}>
                    {t.replace}
                    <span className="hidden-text"> {secret.name}</span>
                  </button>
                  <button type="button" className="button small danger" onClick={() => setRemoving(secret)}>
                    {t.remove}
                    <span className="hidden-text"> {secret.name}</span>
                  </button>
                </li>
              ))}
            </ul>
          )
        }
      </Answer>
      <p className="box-note quiet">{t.secretsNote}</p>
      {changing !== undefined && (
        <FormDialog
          title={changing === 'new' ? t.addSecret : t.replaceSecret({ name: changing.name })}
          description={t.secretWriteOnly}
          action={t.saveSecret}
          onClose={() => setChanging(undefined)}
          onSubmit={async (form) => {
            const secret = changing === 'new' ? fieldOf(form, 'name').trim() : changing.name;
            const chosen = events.filter((event) => form.get(event) !== null);
            const stored = await call('setSecret', {
              params: { ...name, name: secret },
              body: { value: fieldOf(form, 'value'), events: chosen },
            });
            setWarning(stored.warning ?? undefined);
            toast(t.secretSaved({ name: stored.name }));
            await refresh('listSecrets');
          }}
        >
          {changing === 'new' && (
            <TextField
              label={t.name}
              name="name"
              required
              autoFocus
              maxLength={100}
              autoComplete="off"
              autoCapitalize="none"
              spellCheck={false}
              hint={t.secretNameHint}
            />
          )}
          <TextArea
            label={t.value}
            name="value"
            required
            rows={4}
            maxLength={65_536}
            className="input mono"
            autoComplete="off"
            spellCheck={false}
          />
          <fieldset className="checks">
            <legend>{t.secretEvents}</legend>
            {events.map((event) => (
              <label key={event}>
                <input
                  type="checkbox"
                  name={event}
                  defaultChecked={changing === 'new' || changing.events.includes(event)}
                />
                {t.eventKind[event]}
              </label>
            ))}
          </fieldset>
        </FormDialog>
      )}
      {removing && (
        <FormDialog
          title={t.removeSecret({ name: removing.name })}
          description={t.removeSecretHint}
          action={t.remove}
          isDangerous
          onClose={() => setRemoving(undefined)}
          onSubmit={async () => {
            await call('removeSecret', { params: { ...name, name: removing.name } });
            toast(t.secretRemoved({ name: removing.name }));
            await refresh('listSecrets');
          }}
        />
      )}
    </section>
  );
}
