import { useState } from 'react';
import { call } from '../../api.ts';
import { useMessages } from '../../language.ts';
import { usePageTitle } from '../../page-state.ts';
import { CardForm, CardPage } from '../../parts/card-page.tsx';
import { fieldOf, TextField } from '../../parts/field.tsx';
import { go, useSearch } from '../../router.tsx';
import { changePerson } from '../../session.ts';

/** Reached by a one-time link: one chooses a password, and is signed in. */
export function WelcomePage() {
  const t = useMessages();
  const [search] = useSearch();
  // It stands after the #, so that no server and no other site is told.
  const [key] = useState(() => location.hash.slice(1));
  usePageTitle(t.welcomeTo);

  const choose = async (form: FormData): Promise<void> => {
    await call('usePasswordLink', { body: { key, password: fieldOf(form, 'password') } });
    changePerson();
    go('/', { replace: true });
  };

  return (
    <CardPage title={t.welcomeTo}>
      {key === '' ? (
        <p className="notice">{t.linkIncomplete}</p>
      ) : (
        <CardForm action={t.choosePassword} sending={t.signingIn} onSend={choose}>
          <p className="quiet">{t.welcomeHint}</p>
          {/* For the browser's password store; which account it is, the key alone decides. */}
          <TextField label={t.name} name="name" value={search.get('name') ?? ''} readOnly autoComplete="username" />
          <TextField
            label={t.password}
            name="password"
            type="password"
            required
            autoFocus
            minLength={10}
            autoComplete="new-password"
            hint={t.passwordHint}
          />
        </CardForm>
      )}
    </CardPage>
  );
}
