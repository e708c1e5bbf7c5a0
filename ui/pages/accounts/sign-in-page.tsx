import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { ask, call } from '../../api.ts';
import { useMessages } from '../../language.ts';
import { usePageTitle } from '../../page-state.ts';
import { FormError } from '../../parts/answers.tsx';
import { fieldOf, TextField } from '../../parts/field.tsx';
import { Logo } from '../../parts/icons.tsx';
import { go, safeNext, useSearch } from '../../router.tsx';
import { changePerson } from '../../session.ts';

export function SignInPage() {
  const t = useMessages();
  const [search] = useSearch();
  const [error, setError] = useState<unknown>();
  const [isSending, setSending] = useState(false);
  const instance = useQuery(ask('getInstance'));
  usePageTitle(t.signIn);

  const signIn = async (form: FormData): Promise<void> => {
    setSending(true);
    setError(undefined);
    try {
      await call('signIn', { body: { name: fieldOf(form, 'name').trim(), password: fieldOf(form, 'password') } });
      changePerson();
      go(safeNext(search.get('next')), { replace: true });
    } catch (refusal) {
      setError(refusal);
      setSending(false);
    }
  };

  return (
    <div className="card-page">
      <div className="brand">
        <Logo />
        <b>Gantry</b>
      </div>
      <h1>{t.signIn}</h1>
      {instance.data?.needsSetup === true ? (
        <p className="notice">{t.needsSetup}</p>
      ) : (
        <form
          onSubmit={(event) => {
            event.preventDefault();
            if (!isSending) void signIn(new FormData(event.currentTarget));
          }}
        >
          <TextField label={t.name} name="name" required autoFocus autoComplete="username" autoCapitalize="none" />
          <TextField label={t.password} name="password" type="password" required autoComplete="current-password" />
          <FormError error={error} />
          <button type="submit" className="button primary wide" aria-disabled={isSending}>
            {isSending ? t.signingIn : t.signIn}
          </button>
        </form>
      )}
    </div>
  );
}
