import { useMutation, useQuery } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import type { ClientResult } from '../../../src/api/client.ts';
import { ask, call, refresh } from '../../api.ts';
import { formatClock, type Language, setLanguage, useLanguage, useMessages } from '../../language.ts';
import { usePageTitle } from '../../page-state.ts';
import { Answer, FormError, Skeleton } from '../../parts/answers.tsx';
import { fieldOf, Segmented, TextField } from '../../parts/field.tsx';
import { Ago } from '../../parts/time.tsx';
import { toast, toastError } from '../../parts/toast.tsx';
import { go } from '../../router.tsx';
import { changePerson, goToSignIn, type Me, useMe } from '../../session.ts';
import { chooseTheme, type ThemeChoice, useThemeChoice } from '../../theme/theme.ts';
import { Tokens } from './tokens.tsx';

export function ProfilePage() {
  const t = useMessages();
  const me = useMe();
  usePageTitle(t.profile);
  useEffect(() => {
    if (me === null) goToSignIn();
  }, [me]);
  if (!me)
    return (
      <div className="page narrow">
        <h1>{t.profile}</h1>
        <Skeleton rows={8} />
      </div>
    );
  return <Profile me={me} />;
}

function Profile({ me }: { me: Me }) {
  const t = useMessages();
  const signOut = useMutation({
    mutationFn: () => call('signOut'),
    onSuccess: () => {
      changePerson();
      go('/login');
    },
    onError: toastError,
  });
  return (
    <div className="page narrow">
      <div className="page-head">
        <h1>
          <bdi>{me.displayName === '' ? me.name : me.displayName}</bdi>
        </h1>
        <div className="actions">
          <button type="button" className="button" onClick={() => signOut.mutate()}>
            {t.signOut}
          </button>
        </div>
      </div>
      <Appearance />
      <Person me={me} />
      <Password />
      <Tokens />
      <Sessions />
    </div>
  );
}

function Appearance() {
  const t = useMessages();
  const language = useLanguage();
  const theme = useThemeChoice();
  return (
    <section className="box">
      <h2>{t.appearance}</h2>
      <div className="setting">
        <span>{t.language}</span>
        <Segmented<Language>
          label={t.language}
          value={language}
          onChange={(next) => void setLanguage(next)}
          options={[
            { value: 'en', label: <span lang="en">English</span> },
            { value: 'zh', label: <span lang="zh-CN">中文</span> },
          ]}
        />
      </div>
      <div className="setting">
        <span>{t.theme}</span>
        <Segmented<ThemeChoice>
          label={t.theme}
          value={theme}
          onChange={chooseTheme}
          options={[
            { value: 'system', label: t.systemTheme },
            { value: 'light', label: t.light },
            { value: 'dark', label: t.dark },
          ]}
        />
      </div>
    </section>
  );
}

function Person({ me }: { me: Me }) {
  const t = useMessages();
  const save = useMutation({
    mutationFn: (form: FormData) =>
      call('updateMe', {
        body: { displayName: fieldOf(form, 'displayName').trim(), email: fieldOf(form, 'email').trim() },
      }),
    onSuccess: async () => {
      await refresh('getMe');
      toast(t.saved);
    },
  });
  return (
    <section className="box">
      <h2>{t.person}</h2>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          save.mutate(new FormData(event.currentTarget));
        }}
      >
        <TextField label={t.name} value={me.name} readOnly />
        <TextField
          label={t.displayName}
          name="displayName"
          defaultValue={me.displayName}
          maxLength={100}
          autoComplete="name"
        />
        <TextField
          label={t.email}
          name="email"
          type="email"
          defaultValue={me.email}
          maxLength={200}
          autoComplete="email"
        />
        <FormError error={save.error} />
        <div className="row">
          <button type="submit" className="button" aria-disabled={save.isPending}>
            {t.save}
          </button>
        </div>
      </form>
    </section>
  );
}

function Password() {
  const t = useMessages();
  const [round, setRound] = useState(0);
  const change = useMutation({
    mutationFn: (form: FormData) =>
      call('updateMe', { body: { password: { current: fieldOf(form, 'current'), next: fieldOf(form, 'next') } } }),
    onSuccess: async () => {
      setRound((before) => before + 1);
      toast(t.passwordChanged);
      await refresh('listSessions');
    },
  });
  return (
    <section className="box">
      <h2>{t.password}</h2>
      <form
        key={round}
        onSubmit={(event) => {
          event.preventDefault();
          change.mutate(new FormData(event.currentTarget));
        }}
      >
        <TextField label={t.currentPassword} name="current" type="password" required autoComplete="current-password" />
        <TextField
          label={t.newPassword}
          name="next"
          type="password"
          required
          minLength={10}
          autoComplete="new-password"
          hint={t.passwordChangeHint}
        />
        <FormError error={change.error} />
        <div className="row">
          <button type="submit" className="button" aria-disabled={change.isPending}>
            {t.changePassword}
          </button>
        </div>
      </form>
    </section>
  );
}

type Session = ClientResult<'listSessions'>['items'][number];

function Sessions() {
  const t = useMessages();
  const sessions = useQuery(ask('listSessions'));
  const end = useMutation({
    mutationFn: (session: Session) => call('endSession', { params: { id: session.id } }),
    onSuccess: () => toast(t.sessionEnded),
    onError: toastError,
    onSettled: () => refresh('listSessions'),
  });
  return (
    <section className="box flush">
      <h2 className="box-head">{t.sessions}</h2>
      <Answer query={sessions}>
        {({ items }) => (
          <ul className="entries">
            {items.map((session) => (
              <li key={session.id} className="entry tall">
                <div className="grow">
                  <bdi>{describeAgent(session.userAgent)}</bdi>{' '}
                  {session.isThis && <span className="tag">{t.thisSession}</span>}
                  <small className="quiet block">
                    {session.remoteAddress} · {t.lastUsed} <Ago at={session.lastUsedAt} /> · {t.since}{' '}
                    {formatClock(new Date(session.createdAt))}
                  </small>
                </div>
                {!session.isThis && (
                  <button type="button" className="button small" onClick={() => end.mutate(session)}>
                    {t.endSession}
                  </button>
                )}
              </li>
            ))}
          </ul>
        )}
      </Answer>
    </section>
  );
}

/** "Firefox, Linux" of a User-Agent; what is not known is shown as it is. */
function describeAgent(agent: string): string {
  const browser = /(Firefox|Edg|OPR|Chrome|Safari)\/[\d.]+/.exec(agent)?.[1];
  const system = /Windows|Android|iPhone|iPad|Mac OS X|Linux/.exec(agent)?.[0];
  if (browser === undefined) return agent.slice(0, 100);
  const name = { Edg: 'Edge', OPR: 'Opera' }[browser] ?? browser;
  return system === undefined ? name : `${name}, ${system === 'Mac OS X' ? 'macOS' : system}`;
}
