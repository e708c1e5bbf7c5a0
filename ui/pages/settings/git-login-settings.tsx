import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import type { GitLoginView } from '../../../src/api/secrets.ts';
import { useMessages } from '../../language.ts';
import { Answer, EmptyState } from '../../parts/answers.tsx';
import { CommandLine } from '../../parts/copy.tsx';
import { FormDialog } from '../../parts/dialog.tsx';
import { fieldOf, TextField } from '../../parts/field.tsx';
import { Icon } from '../../parts/icons.tsx';
import { Ago } from '../../parts/time.tsx';
import { toast } from '../../parts/toast.tsx';
import { type HolderName, holderOption, listGitLogins, listKey, removeGitLogin, setGitLogin } from './holder.ts';

/** Logins with which checkouts fetch from other hosts; passwords go in and never come out. */
export function GitLoginSettings({ holder }: { holder: HolderName }) {
  const t = useMessages();
  const logins = useQuery({
    queryKey: listKey('gitLogins', holder),
    queryFn: ({ signal }) => listGitLogins(holder, signal),
  });
  const [changing, setChanging] = useState<GitLoginView | 'new'>();
  const [removing, setRemoving] = useState<GitLoginView>();
  return (
    <section className="box flush">
      <div className="box-head">
        <h2>{t.gitLogins}</h2>
        <span className="spacer" />
        <button type="button" className="button small" onClick={() => setChanging('new')}>
          {t.addGitLogin}
        </button>
      </div>
      <Answer query={logins}>
        {({ items }) =>
          items.length === 0 ? (
            <EmptyState title={t.noGitLogins}>
              <p>{t.gitLoginsHint}</p>
              <CommandLine command={`gantry git-login set HOST --username NAME ${holderOption(holder)}`} />
            </EmptyState>
          ) : (
            <ul className="entries">
              {items.map((login) => (
                <li key={login.host} className="entry tall">
                  <Icon name="lock" />
                  <div className="grow">
                    <b className="mono">
                      <bdi>{login.host}</bdi>
                    </b>{' '}
                    <bdi className="mono">{login.username}</bdi>
                    <small className="quiet block">
                      {t.updatedBy} <bdi>{login.updatedBy}</bdi>, <Ago at={login.updatedAt} />
                    </small>
                  </div>
                  <button type="button" className="button small" onClick={() => setChanging(login)}>
                    {t.change}
                    <span className="hidden-text"> {login.host}</span>
                  </button>
                  <button type="button" className="button small danger" onClick={() => setRemoving(login)}>
                    {t.remove}
                    <span className="hidden-text"> {login.host}</span>
                  </button>
                </li>
              ))}
            </ul>
          )
        }
      </Answer>
      <p className="box-note quiet">{t.gitLoginsNote}</p>
      {changing !== undefined && (
        <FormDialog
          title={changing === 'new' ? t.addGitLogin : t.changeGitLogin({ name: changing.host })}
          description={t.gitLoginsHint}
          action={t.save}
          onClose={() => setChanging(undefined)}
          onSubmit={async (form) => {
            const name = changing === 'new' ? fieldOf(form, 'host').trim() : changing.host;
            await setGitLogin(holder, name, {
              username: fieldOf(form, 'username'),
              password: fieldOf(form, 'password'),
            });
            toast(t.gitLoginSaved({ name }));
          }}
        >
          {changing === 'new' && (
            <TextField
              label={t.gitHost}
              name="host"
              required
              autoFocus
              maxLength={260}
              autoComplete="off"
              autoCapitalize="none"
              spellCheck={false}
              hint={t.gitHostHint}
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
        </FormDialog>
      )}
      {removing && (
        <FormDialog
          title={t.removeGitLogin({ name: removing.host })}
          description={t.removeGitLoginHint}
          action={t.remove}
          isDangerous
          onClose={() => setRemoving(undefined)}
          onSubmit={async () => {
            await removeGitLogin(holder, removing.host);
            toast(t.gitLoginRemoved({ name: removing.host }));
          }}
        />
      )}
    </section>
  );
}
