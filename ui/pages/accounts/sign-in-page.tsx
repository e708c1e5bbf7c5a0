import { useQuery } from '@tanstack/react-query';
import { ask, call } from '../../api.ts';
import { useMessages } from '../../language.ts';
import { usePageTitle } from '../../page-state.ts';
import { CardForm, CardPage } from '../../parts/card-page.tsx';
import { fieldOf, TextField } from '../../parts/field.tsx';
import { go, safeNext, useSearch } from '../../router.tsx';
import { changePerson } from '../../session.ts';

export function SignInPage() {
  const t = useMessages();
  const [search] = useSearch();
  const instance = useQuery(ask('getInstance'));
  usePageTitle(t.signIn);

  const signIn = async (form: FormData): Promise<void> => {
    await call('signIn', { body: { name: fieldOf(form, 'name').trim(), password: fieldOf(form, 'password') } });
    changePerson();
    go(safeNext(search.get('next')), { replace: true });
  };

  return (
    <CardPage title={t.signIn}>
      {instance.data?.needsSetup === true ? (
        <p className="notice">{t.needsSetup}</p>
      ) : (
        <CardForm action={t.signIn} sending={t.signingIn} onSend={signIn}>
          <TextField label={t.name} name="name" required autoFocus autoComplete="username" autoCapitalize="none" />
          <TextField label={t.password} name="password" type="password" required autoComplete="current-password" />
        </CardForm>
      )}
    </CardPage>
  );
}
