import { useQuery } from '@tanstack/react-query';
import { ask, call } from '../../api.ts';
import { useMessages } from '../../language.ts';
import { usePageTitle } from '../../page-state.ts';
import { CardForm, CardPage } from '../../parts/card-page.tsx';
import { fieldOf, TextField } from '../../parts/field.tsx';
import { go, Link, useSearch } from '../../router.tsx';
import { changePerson } from '../../session.ts';

/** Reached by the one-time link that the server prints at its first start. */
export function SetUpPage() {
  const t = useMessages();
  const [search] = useSearch();
  const key = search.get('key') ?? '';
  const instance = useQuery(ask('getInstance'));
  usePageTitle(t.setUp);

  const setUp = async (form: FormData): Promise<void> => {
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
  };

  return (
    <CardPage title={t.setUp}>
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
        <CardForm action={t.createAdmin} onSend={setUp}>
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
        </CardForm>
      )}
    </CardPage>
  );
}
