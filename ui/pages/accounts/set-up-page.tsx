import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { ask, call } from '../../api.ts';
import { useMessages } from '../../language.ts';
import { usePageTitle } from '../../page-state.ts';
import { FormError } from '../../parts/answers.tsx';
import { fieldOf, TextField } from '../../parts/field.tsx';
import { Logo } from '../../parts/icons.tsx';
import { go, Link, useSearch } from '../../router.tsx';
import { changePerson } from '../../session.ts';

/** Reached by the one-time link that the server prints at its first start. */
export function SetUpPage() {
  const t = useMessages();
  const [search] = useSearch();
  const key = search.get('key') ?? '';
  const [error, setError] = useState<unknown>();
  const [isSending, setSending] = useState(false);
  const instance = useQuery(ask('getInstance'));
  usePageTitle(t.setUp);

  const setUp = async (form: FormData): Promise<void> => {
    setSending(true);
    setError(undefined);
    try {
      await call('setUp', {
        body: {
          key,
          name: fieldOf(form, 'name').trim(),
          displayName: fieldOf(form, 'displayName').trim(),
          email: fieldOf(form, 'email').trim(),
          password: fieldOf(form, 'password'),
        },
      });
      changePerson();
      go('/', { replace: true });
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
      <h1>{t.setUp}</h1>
      {instance.data?.needsSetup === false ? (
        <>
          <p className="notice">{t.setUpDone}</p>
          <Link to="/login" className="button primary wide">
            {t.signIn}
          </Link>
        </>
      ) : key === '' ? (
        <p className="notice">{t.needsSetup}</p>
      ) : (
        <form
          onSubmit={(event) => {
            event.preventDefault();
            if (!isSending) void setUp(new FormData(event.currentTarget));
          }}
        >
          <p className="quiet">{t.setUpHint}</p>
          <TextField
            label={t.name}
            name="name"
            required
            autoFocus
            maxLength={63}
            autoComplete="username"
            autoCapitalize="none"
            pattern="[A-Za-z0-9][A-Za-z0-9._\-]*"
            title={t.nameRule}
            hint={t.nameHint}
          />
          <TextField label={t.displayName} name="displayName" maxLength={100} autoComplete="name" />
          <TextField label={t.email} name="email" type="email" maxLength={200} autoComplete="email" />
          <TextField
            label={t.password}
            name="password"
            type="password"
            required
            minLength={10}
            autoComplete="new-password"
            hint={t.passwordHint}
          />
          <FormError error={error} />
          <button type="submit" className="button primary wide" aria-disabled={isSending}>
            {t.createAdmin}
          </button>
        </form>
      )}
    </div>
  );
}
