import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import type { SecretView } from '../../../src/api/secrets.ts';
import { useMessages } from '../../language.ts';
import { Answer, EmptyState } from '../../parts/answers.tsx';
import { CommandLine } from '../../parts/copy.tsx';
import { FormDialog } from '../../parts/dialog.tsx';
import { Icon } from '../../parts/icons.tsx';
import { Ago } from '../../parts/time.tsx';
import { toast } from '../../parts/toast.tsx';
import { type HolderName, holderOption, listKey, listSecrets, removeSecret } from './holder.ts';
import { SecretDialog, secretEventName } from './secret-dialog.tsx';

/** Values go in and never come out. */
export function SecretSettings({ holder }: { holder: HolderName }) {
  const t = useMessages();
  const secrets = useQuery({
    queryKey: listKey('secrets', holder),
    queryFn: ({ signal }) => listSecrets(holder, signal),
  });
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
              <CommandLine command={`gantry secret set NAME ${holderOption(holder)}`} />
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
                    <Limits secret={secret} />
                    <small className="quiet block">
                      {t.updatedBy} <bdi>{secret.updatedBy}</bdi>, <Ago at={secret.updatedAt} />
                    </small>
                  </div>
                  <button type="button" className="button small" onClick={() => setChanging(secret)}>
                    {t.change}
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
      <p className="box-note quiet">
        {t.secretsNote} {holder.project === undefined && t.organisationSecretsNote}
      </p>
      {changing !== undefined && (
        <SecretDialog
          holder={holder}
          secret={changing === 'new' ? undefined : changing}
          onClose={() => setChanging(undefined)}
          onWarning={setWarning}
        />
      )}
      {removing && (
        <FormDialog
          title={t.removeSecret({ name: removing.name })}
          description={t.removeSecretHint}
          action={t.remove}
          isDangerous
          onClose={() => setRemoving(undefined)}
          onSubmit={async () => {
            await removeSecret(holder, removing.name);
            toast(t.secretRemoved({ name: removing.name }));
          }}
        />
      )}
    </section>
  );
}

/** To whom it is given: events always, other limits where there are any. */
function Limits({ secret }: { secret: SecretView }) {
  const t = useMessages();
  return (
    <span className="chips">
      {secret.events
        .filter((event) => event !== 'pull_request')
        .map((event) => (
          <span key={event} className="tag">
            {secretEventName(t, event)}
          </span>
        ))}
      {secret.pullRequests !== 'none' && <span className="tag">{t.pullRequestsOf[secret.pullRequests]}</span>}
      {secret.branches.map((branch) => (
        <span key={branch} className="tag">
          <Icon name="branch" size={12} />
          <span className="hidden-text">{t.secretBranches}: </span>
          <bdi className="mono">{branch}</bdi>
        </span>
      ))}
      {secret.images.map((image) => (
        <span key={image} className="tag">
          <Icon name="project" size={12} />
          <span className="hidden-text">{t.secretImages}: </span>
          <bdi className="mono">{image}</bdi>
        </span>
      ))}
      {secret.isForPluginsOnly && <span className="tag">{t.pluginsOnly}</span>}
    </span>
  );
}
