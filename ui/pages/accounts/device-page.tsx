import { useMutation } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import type { ClientResult } from '../../../src/api/client.ts';
import { call } from '../../api.ts';
import { formatClock, useMessages } from '../../language.ts';
import { usePageTitle } from '../../page-state.ts';
import { FormError, Skeleton } from '../../parts/answers.tsx';
import { CardForm, CardPage } from '../../parts/card-page.tsx';
import { fieldOf, TextField } from '../../parts/field.tsx';
import { Icon } from '../../parts/icons.tsx';
import { go, Link, useSearch } from '../../router.tsx';
import { changePerson, goToSignIn, type Me, signInAddress, useMe } from '../../session.ts';

type Login = ClientResult<'findDeviceLogin'>;
type Decision = 'approve' | 'refuse';

/** Where a person lets a program in that shows them a code (RFC 8628). Opening the page decides nothing. */
export function DevicePage() {
  const t = useMessages();
  const me = useMe();
  usePageTitle(t.deviceTitle);
  useEffect(() => {
    if (me === null) goToSignIn();
  }, [me]);
  return <CardPage title={t.deviceTitle}>{me ? <Approval me={me} /> : <Skeleton rows={4} />}</CardPage>;
}

function Approval({ me }: { me: Me }) {
  const t = useMessages();
  const [search, setSearch] = useSearch();
  const [login, setLogin] = useState<Login>();
  const [decided, setDecided] = useState<Decision>();

  if (decided)
    return (
      <>
        <p className="notice" role="status">
          <Icon name={decided === 'approve' ? 'check' : 'cross'} />
          <span>
            <b>{decided === 'approve' ? t.deviceApproved : t.deviceRefused}</b>
            <br />
            {decided === 'approve' ? t.deviceApprovedHint : t.deviceRefusedHint}
          </span>
        </p>
        {decided === 'approve' && (
          <p className="quiet">
            {t.deviceTokenHint} <Link to="/profile">{t.profile}</Link>
          </p>
        )}
      </>
    );
  if (login)
    return (
      <Comparison
        me={me}
        login={login}
        onDecided={setDecided}
        onOther={() => {
          setLogin(undefined);
          setSearch({ code: undefined });
        }}
      />
    );
  return (
    <CardForm
      action={t.goOn}
      onSend={async (form) => setLogin(await call('findDeviceLogin', { body: { userCode: fieldOf(form, 'code') } }))}
    >
      <p className="quiet">{t.deviceEnter}</p>
      <TextField
        label={t.deviceCode}
        name="code"
        className="input code-input"
        required
        autoFocus
        maxLength={40}
        defaultValue={search.get('code') ?? ''}
        autoComplete="one-time-code"
        autoCapitalize="characters"
        spellCheck={false}
        hint={t.deviceCodeHint}
      />
      <SignedInAs me={me} />
    </CardForm>
  );
}

function Comparison({
  me,
  login,
  onDecided,
  onOther,
}: {
  me: Me;
  login: Login;
  onDecided: (decision: Decision) => void;
  onOther: () => void;
}) {
  const t = useMessages();
  const decide = useMutation({
    mutationFn: (decision: Decision) => call('decideDeviceLogin', { body: { userCode: login.userCode, decision } }),
    onSuccess: (_, decision) => onDecided(decision),
  });
  const isEverything = login.scopes.includes('*');
  return (
    <>
      <p>{t.deviceCompare}</p>
      <p className="device-code">{login.userCode}</p>
      <h2 className="hidden-text">{t.deviceGets}</h2>
      <dl className="facts">
        <dt>{t.deviceHost}</dt>
        <dd>
          <b>
            <bdi>{login.host}</bdi>
          </b>{' '}
          <small className="quiet">({t.deviceHostSays})</small>
        </dd>
        <dt>{t.deviceFrom}</dt>
        <dd>{login.remoteAddress}</dd>
        <dt>{t.deviceMay}</dt>
        <dd>
          {isEverything ? t.deviceEverything : <code>{login.scopes.join(', ')}</code>},{' '}
          {t.deviceAsYou({ name: me.name })}
        </dd>
        <dt>{t.deviceTokenLife}</dt>
        <dd>{login.expiresInDays === null ? t.neverExpires : t.expiresAfter({ count: login.expiresInDays })}</dd>
        <dt>{t.deviceCodeLife}</dt>
        <dd>{formatClock(new Date(login.expiresAt))}</dd>
      </dl>
      <p className="notice">{t.deviceWarning}</p>
      <FormError error={decide.error} />
      <div className="row">
        <button
          type="button"
          className="button primary"
          aria-disabled={decide.isPending}
          onClick={() => decide.isPending || decide.mutate('approve')}
        >
          {t.approve}
        </button>
        <button
          type="button"
          className="button danger"
          aria-disabled={decide.isPending}
          onClick={() => decide.isPending || decide.mutate('refuse')}
        >
          {t.refuse}
        </button>
        <button type="button" className="link" onClick={onOther}>
          {t.otherCode}
        </button>
      </div>
      <SignedInAs me={me} />
    </>
  );
}

function SignedInAs({ me }: { me: Me }) {
  const t = useMessages();
  const signOut = useMutation({
    mutationFn: () => call('signOut'),
    onSuccess: () => {
      const address = signInAddress();
      changePerson();
      go(address, { replace: true });
    },
  });
  return (
    <p className="quiet">
      <Icon name="person" size={14} /> <bdi>{me.name}</bdi> ·{' '}
      <button type="button" className="link" onClick={() => signOut.mutate()}>
        {t.notYou}
      </button>
    </p>
  );
}
