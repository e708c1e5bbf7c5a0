import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import type { RegistryView } from '../../../src/api/secrets.ts';
import { useMessages } from '../../language.ts';
import { Answer, EmptyState } from '../../parts/answers.tsx';
import { CommandLine } from '../../parts/copy.tsx';
import { FormDialog } from '../../parts/dialog.tsx';
import { fieldOf, TextField } from '../../parts/field.tsx';
import { Icon } from '../../parts/icons.tsx';
import { Ago } from '../../parts/time.tsx';
import { toast } from '../../parts/toast.tsx';
import { type HolderName, holderOption, listKey, listRegistries, removeRegistry, setRegistry } from './holder.ts';
import { originOf, PullRequestOriginField } from './pull-request-origin-field.tsx';

/** Logins with which images are pulled; passwords go in and never come out. */
export function RegistrySettings({ holder }: { holder: HolderName }) {
  const t = useMessages();
  const registries = useQuery({
    queryKey: listKey('registries', holder),
    queryFn: ({ signal }) => listRegistries(holder, signal),
  });
  const [changing, setChanging] = useState<RegistryView | 'new'>();
  const [removing, setRemoving] = useState<RegistryView>();
  return (
    <section className="box flush">
      <div className="box-head">
        <h2>{t.registries}</h2>
        <span className="spacer" />
        <button type="button" className="button small" onClick={() => setChanging('new')}>
          {t.addRegistry}
        </button>
      </div>
      <Answer query={registries}>
        {({ items }) =>
          items.length === 0 ? (
            <EmptyState title={t.noRegistries}>
              <p>{t.registriesHint}</p>
              <CommandLine command={`gantry registry set HOST --username NAME ${holderOption(holder)}`} />
            </EmptyState>
          ) : (
            <ul className="entries">
              {items.map((login) => (
                <li key={login.registry} className="entry tall">
                  <Icon name="lock" />
                  <div className="grow">
                    <b className="mono">
                      <bdi>{login.registry}</bdi>
                    </b>{' '}
                    <bdi className="mono">{login.username}</bdi>
                    {login.pullRequests !== 'none' && (
                      <span className="chips">
                        <span className="tag">{t.pullRequestsOf[login.pullRequests]}</span>
                      </span>
                    )}
                    <small className="quiet block">
                      {t.updatedBy} <bdi>{login.updatedBy}</bdi>, <Ago at={login.updatedAt} />
                    </small>
                  </div>
                  <button type="button" className="button small" onClick={() => setChanging(login)}>
                    {t.change}
                    <span className="hidden-text"> {login.registry}</span>
                  </button>
                  <button type="button" className="button small danger" onClick={() => setRemoving(login)}>
                    {t.remove}
                    <span className="hidden-text"> {login.registry}</span>
                  </button>
                </li>
              ))}
            </ul>
          )
        }
      </Answer>
      <p className="box-note quiet">{t.registriesNote}</p>
      {changing !== undefined && (
        <FormDialog
          title={changing === 'new' ? t.addRegistry : t.changeRegistry({ name: changing.registry })}
          description={t.registriesHint}
          action={t.save}
          onClose={() => setChanging(undefined)}
          onSubmit={async (form) => {
            const name = changing === 'new' ? fieldOf(form, 'registry').trim() : changing.registry;
            await setRegistry(holder, name, {
              username: fieldOf(form, 'username'),
              password: fieldOf(form, 'password'),
              pullRequests: originOf(form),
            });
            toast(t.registrySaved({ name }));
          }}
        >
          {changing === 'new' && (
            <TextField
              label={t.registryHost}
              name="registry"
              required
              autoFocus
              maxLength={260}
              autoComplete="off"
              autoCapitalize="none"
              spellCheck={false}
              hint={t.registryHostHint}
            />
          )}
          <TextField
            label={t.username}
            name="username"
            required
            maxLength={256}
            autoComplete="off"
            autoCapitalize="none"
            spellCheck={false}
            defaultValue={changing === 'new' ? '' : changing.username}
          />
          <TextField label={t.password} name="password" type="password" required autoComplete="new-password" />
          <PullRequestOriginField value={changing === 'new' ? 'project' : changing.pullRequests} />
        </FormDialog>
      )}
      {removing && (
        <FormDialog
          title={t.removeRegistry({ name: removing.registry })}
          description={t.removeRegistryHint}
          action={t.remove}
          isDangerous
          onClose={() => setRemoving(undefined)}
          onSubmit={async () => {
            await removeRegistry(holder, removing.registry);
            toast(t.registryRemoved({ name: removing.registry }));
          }}
        />
      )}
    </section>
  );
}
