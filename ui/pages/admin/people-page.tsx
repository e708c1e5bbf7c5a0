import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import type { PersonView } from '../../../src/api/accounts.ts';
import { ask, call, refresh } from '../../api.ts';
import { formatClock, useMessages } from '../../language.ts';
import { Answer, EmptyState, Skeleton } from '../../parts/answers.tsx';
import { CommandLine } from '../../parts/copy.tsx';
import { FormDialog, NoticeDialog } from '../../parts/dialog.tsx';
import { fieldOf, RadioCards, TextField } from '../../parts/field.tsx';
import { Icon } from '../../parts/icons.tsx';
import { Ago } from '../../parts/time.tsx';
import { toast } from '../../parts/toast.tsx';
import { useSearch } from '../../router.tsx';
import { SitePage } from './site-page.tsx';

interface NewLink {
  readonly name: string;
  readonly url: string;
  readonly expiresAt: string;
}

type Question = { readonly kind: 'admin' | 'disable' | 'link'; readonly person: PersonView };

export function PeoplePage() {
  const t = useMessages();
  const [isCreating, setCreating] = useState(false);
  const [link, setLink] = useState<NewLink>();
  return (
    <SitePage
      title={t.people}
      actions={
        <button type="button" className="button primary" onClick={() => setCreating(true)}>
          {t.newPerson}
        </button>
      }
    >
      {(me) => (
        <>
          <People myName={me.name} onLink={setLink} />
          {isCreating && <CreatePersonDialog onClose={() => setCreating(false)} onLink={setLink} />}
          {link && (
            <NoticeDialog title={t.linkFor({ name: link.name })} onClose={() => setLink(undefined)}>
              <p>{t.linkShownOnce({ until: formatClock(new Date(link.expiresAt)) })}</p>
              <CommandLine command={link.url} />
            </NoticeDialog>
          )}
        </>
      )}
    </SitePage>
  );
}

function People({ myName, onLink }: { myName: string; onLink: (link: NewLink) => void }) {
  const t = useMessages();
  const [search, setSearch] = useSearch();
  const [question, setQuestion] = useState<Question>();
  const people = useQuery(ask('listPeople'));
  const query = search.get('query') ?? '';
  const wanted = query.trim().toLowerCase();
  return (
    <>
      <div className="search-field">
        <Icon name="search" size={14} />
        <input
          type="search"
          className="input"
          aria-label={t.searchPeople}
          placeholder={t.searchPeople}
          value={query}
          onChange={(event) => setSearch({ query: event.target.value })}
        />
      </div>
      <Answer query={people} skeleton={<Skeleton rows={6} rowHeight={58} />}>
        {({ items }) => {
          const found = items.filter((one) =>
            [one.name, one.displayName, one.email].some((text) => text.toLowerCase().includes(wanted)),
          );
          if (found.length === 0)
            return (
              <EmptyState title={t.nothingFound({ query })}>
                <button type="button" className="button" onClick={() => setSearch({ query: undefined })}>
                  {t.clearSearch}
                </button>
              </EmptyState>
            );
          return (
            <section className="box flush">
              <ul className="entries">
                {found.map((person) => (
                  <PersonRow key={person.name} person={person} isMe={person.name === myName} onAsk={setQuestion} />
                ))}
              </ul>
            </section>
          );
        }}
      </Answer>
      {question && <QuestionDialog question={question} onLink={onLink} onClose={() => setQuestion(undefined)} />}
    </>
  );
}

function PersonRow({
  person,
  isMe,
  onAsk,
}: {
  person: PersonView;
  isMe: boolean;
  onAsk: (question: Question) => void;
}) {
  const t = useMessages();
  const ask = (kind: Question['kind'], label: string, isDangerous = false) => (
    <button
      type="button"
      className={`button small ${isDangerous ? 'danger' : ''}`}
      onClick={() => onAsk({ kind, person })}
    >
      {label}
      <span className="hidden-text"> {person.name}</span>
    </button>
  );
  return (
    <li className="entry tall">
      <Icon name="person" />
      <div className="grow">
        <b>
          <bdi>{person.name}</bdi>
        </b>{' '}
        {person.displayName !== '' && <bdi>{person.displayName}</bdi>} {isMe && <span className="tag">{t.you}</span>}{' '}
        {person.isSiteAdmin && <span className="tag">{t.siteAdmin}</span>}{' '}
        {person.isDisabled && <span className="tag bad">{t.disabled}</span>}
        <small className="quiet block">
          {person.email !== '' && (
            <>
              <bdi>{person.email}</bdi> ·{' '}
            </>
          )}
          {person.lastSeenAt === null ? (
            t.neverSeen
          ) : (
            <>
              {t.lastSeen} <Ago at={person.lastSeenAt} />
            </>
          )}{' '}
          · {t.since} {formatClock(new Date(person.createdAt))}
        </small>
      </div>
      {/* Nobody locks themselves out by a slip of the hand: another admin does that. */}
      {!isMe && (
        <div className="row">
          {ask('link', t.newLink)}
          {ask('admin', person.isSiteAdmin ? t.takeAdmin : t.makeAdmin)}
          {ask('disable', person.isDisabled ? t.enable : t.disable, !person.isDisabled)}
        </div>
      )}
    </li>
  );
}

function QuestionDialog({
  question: { kind, person },
  onLink,
  onClose,
}: {
  question: Question;
  onLink: (link: NewLink) => void;
  onClose: () => void;
}) {
  const t = useMessages();
  const { name } = person;
  const change = async (body: { isDisabled?: boolean; isSiteAdmin?: boolean }): Promise<void> => {
    await call('updatePerson', { params: { name }, body });
    toast(t.personSaved({ name }));
    await refresh('listPeople');
  };
  if (kind === 'link')
    return (
      <FormDialog
        title={t.newLinkFor({ name })}
        description={t.newLinkHint}
        action={t.drawLink}
        onClose={onClose}
        onSubmit={async () => onLink({ name, ...(await call('createPasswordLink', { params: { name } })) })}
      />
    );
  if (kind === 'admin')
    return (
      <FormDialog
        title={person.isSiteAdmin ? t.takeAdminOf({ name }) : t.makeAdminOf({ name })}
        description={person.isSiteAdmin ? t.takeAdminHint : t.siteAdminHint}
        action={person.isSiteAdmin ? t.takeAdmin : t.makeAdmin}
        isDangerous
        onClose={onClose}
        onSubmit={() => change({ isSiteAdmin: !person.isSiteAdmin })}
      />
    );
  return (
    <FormDialog
      title={person.isDisabled ? t.enablePerson({ name }) : t.disablePerson({ name })}
      description={person.isDisabled ? t.enableHint : t.disableHint}
      action={person.isDisabled ? t.enable : t.disable}
      isDangerous={!person.isDisabled}
      onClose={onClose}
      onSubmit={() => change({ isDisabled: !person.isDisabled })}
    />
  );
}

function CreatePersonDialog({ onClose, onLink }: { onClose: () => void; onLink: (link: NewLink) => void }) {
  const t = useMessages();
  const [hasPassword, setHasPassword] = useState(false);
  return (
    <FormDialog
      title={t.newPerson}
      action={t.createPerson}
      onClose={onClose}
      onSubmit={async (form) => {
        const name = fieldOf(form, 'name').trim();
        const { link } = await call('createPerson', {
          body: {
            name,
            displayName: fieldOf(form, 'displayName').trim(),
            email: fieldOf(form, 'email').trim(),
            isSiteAdmin: form.get('isSiteAdmin') === 'on',
            ...(hasPassword && { password: fieldOf(form, 'password') }),
          },
        });
        toast(t.personCreated({ name }));
        if (link) onLink({ name, ...link });
        await refresh('listPeople');
      }}
    >
      <TextField
        label={t.name}
        name="name"
        required
        autoFocus
        maxLength={63}
        autoComplete="off"
        autoCapitalize="none"
        pattern="[A-Za-z0-9][A-Za-z0-9._\-]*"
        title={t.nameRule}
        hint={t.nameRule}
      />
      <TextField label={t.displayName} name="displayName" maxLength={100} autoComplete="off" />
      <TextField label={t.email} name="email" type="email" maxLength={200} autoComplete="off" />
      <div onChange={(event) => setHasPassword((event.target as HTMLInputElement).value === 'password')}>
        <RadioCards
          legend={t.firstPassword}
          name="by"
          defaultValue="link"
          options={[
            { value: 'link', label: t.byLink, hint: t.byLinkHint },
            { value: 'password', label: t.byPassword, hint: t.byPasswordHint },
          ]}
        />
      </div>
      {hasPassword && (
        <TextField
          label={t.password}
          name="password"
          type="password"
          required
          minLength={10}
          autoComplete="new-password"
          hint={t.passwordHint}
        />
      )}
      <fieldset className="checks">
        <legend>{t.roleLabel}</legend>
        <label>
          <input type="checkbox" name="isSiteAdmin" />
          <span>
            {t.siteAdmin} <small className="quiet">{t.siteAdminHint}</small>
          </span>
        </label>
      </fieldset>
    </FormDialog>
  );
}
