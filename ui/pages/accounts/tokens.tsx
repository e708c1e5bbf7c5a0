import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import type { ClientResult } from '../../../src/api/client.ts';
import { ask, call, refresh } from '../../api.ts';
import { formatClock, useMessages } from '../../language.ts';
import { Answer, EmptyState } from '../../parts/answers.tsx';
import { CommandLine } from '../../parts/copy.tsx';
import { FormDialog, NoticeDialog } from '../../parts/dialog.tsx';
import { fieldOf, SelectField, TextField } from '../../parts/field.tsx';
import { Ago } from '../../parts/time.tsx';
import { toast } from '../../parts/toast.tsx';

type Token = ClientResult<'listTokens'>['items'][number];
type NewToken = ClientResult<'createToken'>;

const lifetimes = ['7', '30', '90', '365', ''] as const;

export function Tokens() {
  const t = useMessages();
  const tokens = useQuery(ask('listTokens'));
  const [isCreating, setCreating] = useState(false);
  const [created, setCreated] = useState<NewToken>();
  const [revoking, setRevoking] = useState<Token>();
  return (
    <section className="box flush">
      <div className="box-head">
        <h2>{t.tokens}</h2>
        <span className="spacer" />
        <button type="button" className="button small" onClick={() => setCreating(true)}>
          {t.newToken}
        </button>
      </div>
      <Answer query={tokens}>
        {({ items }) =>
          items.length === 0 ? (
            <EmptyState title={t.noTokens}>
              <p>{t.tokensHint}</p>
            </EmptyState>
          ) : (
            <ul className="entries">
              {items.map((token) => (
                <li key={token.id} className="entry tall">
                  <div className="grow">
                    <b>
                      <bdi>{token.name}</bdi>
                    </b>{' '}
                    <code className="quiet">{token.prefix}…</code>
                    <small className="quiet block">
                      {token.scopes.join(', ')}
                      {token.projects !== null &&
                        ` · ${token.projects.length === 0 ? t.noProjectLeft : token.projects.join(', ')}`}{' '}
                      ·{' '}
                      {token.expiresAt === null
                        ? t.neverExpires
                        : t.expiresAt({ at: formatClock(new Date(token.expiresAt)) })}{' '}
                      ·{' '}
                      {token.lastUsedAt === null ? (
                        t.neverUsed
                      ) : (
                        <>
                          {t.lastUsed} <Ago at={token.lastUsedAt} />
                        </>
                      )}
                    </small>
                  </div>
                  <button type="button" className="button small danger" onClick={() => setRevoking(token)}>
                    {t.revoke}
                    <span className="hidden-text"> {token.name}</span>
                  </button>
                </li>
              ))}
            </ul>
          )
        }
      </Answer>
      {isCreating && <CreateTokenDialog onClose={() => setCreating(false)} onCreated={setCreated} />}
      {created && (
        <NoticeDialog title={t.tokenCreated({ name: created.name })} onClose={() => setCreated(undefined)}>
          <p>{t.tokenShownOnce}</p>
          <CommandLine command={created.secret} />
        </NoticeDialog>
      )}
      {revoking && (
        <FormDialog
          title={t.revokeToken({ name: revoking.name })}
          description={t.revokeTokenHint}
          action={t.revoke}
          isDangerous
          onClose={() => setRevoking(undefined)}
          onSubmit={async () => {
            await call('revokeToken', { params: { id: revoking.id } });
            toast(t.tokenRevoked({ name: revoking.name }));
            await refresh('listTokens');
          }}
        />
      )}
    </section>
  );
}

const resources = ['account', 'project', 'code', 'pipeline', 'secret', 'site'] as const;
const levels = ['read', 'write', 'admin'] as const;

function CreateTokenDialog({ onClose, onCreated }: { onClose: () => void; onCreated: (token: NewToken) => void }) {
  const t = useMessages();
  const [isLimited, setLimited] = useState(false);
  const create = async (form: FormData): Promise<void> => {
    const days = fieldOf(form, 'lifetime');
    const scopes = resources.flatMap((resource) => {
      const level = levels.find((one) => one === form.get(resource));
      return level === undefined ? [] : [`${resource}:${level}` as const];
    });
    const token = await call('createToken', {
      body: {
        name: fieldOf(form, 'name').trim(),
        scopes: isLimited ? scopes : ['*'],
        expiresInDays: days === '' ? null : Number(days),
      },
    });
    onCreated(token);
    await refresh('listTokens');
  };
  return (
    <FormDialog title={t.newToken} action={t.createToken} onClose={onClose} onSubmit={create}>
      <TextField
        label={t.name}
        name="name"
        required
        autoFocus
        maxLength={100}
        hint={t.tokenNameHint}
        autoComplete="off"
      />
      <SelectField label={t.expires} name="lifetime" defaultValue="90">
        {lifetimes.map((days) => (
          <option key={days} value={days}>
            {days === '' ? t.never : t.inDays({ count: Number(days) })}
          </option>
        ))}
      </SelectField>
      <SelectField
        label={t.mayDo}
        name="kind"
        defaultValue="all"
        onChange={(event) => setLimited(event.target.value === 'some')}
      >
        <option value="all">{t.allThatIMay}</option>
        <option value="some">{t.onlySome}</option>
      </SelectField>
      {isLimited && (
        <div className="scopes">
          {resources.map((resource) => (
            <SelectField key={resource} label={t.scopeResource[resource]} name={resource} defaultValue="">
              <option value="">{t.nothing}</option>
              {levels.map((level) => (
                <option key={level} value={level}>
                  {t.scopeLevel[level]}
                </option>
              ))}
            </SelectField>
          ))}
        </div>
      )}
    </FormDialog>
  );
}
