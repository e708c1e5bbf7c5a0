import { useQuery } from '@tanstack/react-query';
import { type ReactNode, useState } from 'react';
import { useMessages } from '../../language.ts';
import { Answer, EmptyState } from '../../parts/answers.tsx';
import { CommandLine } from '../../parts/copy.tsx';
import { FormDialog } from '../../parts/dialog.tsx';
import { fieldOf, TextField } from '../../parts/field.tsx';
import { Icon } from '../../parts/icons.tsx';
import { Ago } from '../../parts/time.tsx';
import { toast } from '../../parts/toast.tsx';
import { type HolderName, listKey } from './holder.ts';

interface Login {
  readonly username: string;
  readonly updatedAt: string;
  readonly updatedBy: string;
}

interface LoginWords {
  readonly title: string;
  readonly add: string;
  readonly none: string;
  readonly hint: string;
  readonly note: string;
  readonly host: string;
  readonly hostHint: string;
  readonly removeHint: string;
  readonly changeTitle: (p: { name: string }) => string;
  readonly removeTitle: (p: { name: string }) => string;
  readonly saved: (p: { name: string }) => string;
  readonly removed: (p: { name: string }) => string;
}

interface Props<Kept extends Login> {
  readonly holder: HolderName;
  readonly list: 'registries' | 'gitLogins';
  readonly words: LoginWords;
  /** What adds one on the command line. */
  readonly command: string;
  readonly hostOf: (login: Kept) => string;
  readonly ask: (holder: HolderName, signal: AbortSignal) => Promise<{ readonly items: readonly Kept[] }>;
  readonly save: (
    holder: HolderName,
    host: string,
    login: { readonly username: string; readonly password: string },
    form: FormData,
  ) => Promise<void>;
  readonly remove: (holder: HolderName, host: string) => Promise<void>;
  /** What a login says besides. */
  readonly chip?: (login: Kept) => string | undefined;
  /** What its form asks besides; without a login for a new one. */
  readonly fields?: (login: Kept | undefined) => ReactNode;
}

/** Logins for hosts, of one kind; passwords go in and never come out. */
export function LoginSettings<Kept extends Login>(props: Props<Kept>) {
  const { holder, list, words, command, hostOf, ask, save, remove, chip, fields } = props;
  const t = useMessages();
  const logins = useQuery({ queryKey: listKey(list, holder), queryFn: ({ signal }) => ask(holder, signal) });
  const [changing, setChanging] = useState<Kept | 'new'>();
  const [removing, setRemoving] = useState<Kept>();
  return (
    <section className="box flush">
      <div className="box-head">
        <h2>{words.title}</h2>
        <span className="spacer" />
        <button type="button" className="button small" onClick={() => setChanging('new')}>
          {words.add}
        </button>
      </div>
      <Answer query={logins}>
        {({ items }) =>
          items.length === 0 ? (
            <EmptyState title={words.none}>
              <p>{words.hint}</p>
              <CommandLine command={command} />
            </EmptyState>
          ) : (
            <ul className="entries">
              {items.map((login) => (
                <Entry
                  key={hostOf(login)}
                  login={login}
                  host={hostOf(login)}
                  chip={chip?.(login)}
                  onChange={() => setChanging(login)}
                  onRemove={() => setRemoving(login)}
                />
              ))}
            </ul>
          )
        }
      </Answer>
      <p className="box-note quiet">{words.note}</p>
      {changing !== undefined && (
        <FormDialog
          title={changing === 'new' ? words.add : words.changeTitle({ name: hostOf(changing) })}
          description={words.hint}
          action={t.save}
          onClose={() => setChanging(undefined)}
          onSubmit={async (form) => {
            const name = changing === 'new' ? fieldOf(form, 'host').trim() : hostOf(changing);
            const login = { username: fieldOf(form, 'username'), password: fieldOf(form, 'password') };
            await save(holder, name, login, form);
            toast(words.saved({ name }));
          }}
        >
          {changing === 'new' && (
            <TextField
              label={words.host}
              name="host"
              required
              autoFocus
              maxLength={260}
              autoComplete="off"
              autoCapitalize="none"
              spellCheck={false}
              hint={words.hostHint}
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
          {fields?.(changing === 'new' ? undefined : changing)}
        </FormDialog>
      )}
      {removing && (
        <FormDialog
          title={words.removeTitle({ name: hostOf(removing) })}
          description={words.removeHint}
          action={t.remove}
          isDangerous
          onClose={() => setRemoving(undefined)}
          onSubmit={async () => {
            await remove(holder, hostOf(removing));
            toast(words.removed({ name: hostOf(removing) }));
          }}
        />
      )}
    </section>
  );
}

interface EntryProps {
  readonly login: Login;
  readonly host: string;
  readonly chip: string | undefined;
  readonly onChange: () => void;
  readonly onRemove: () => void;
}

function Entry({ login, host, chip, onChange, onRemove }: EntryProps) {
  const t = useMessages();
  return (
    <li className="entry tall">
      <Icon name="lock" />
      <div className="grow">
        <b className="mono">
          <bdi>{host}</bdi>
        </b>{' '}
        <bdi className="mono">{login.username}</bdi>
        {chip !== undefined && (
          <span className="chips">
            <span className="tag">{chip}</span>
          </span>
        )}
        <small className="quiet block">
          {t.updatedBy} <bdi>{login.updatedBy}</bdi>, <Ago at={login.updatedAt} />
        </small>
      </div>
      <button type="button" className="button small" onClick={onChange}>
        {t.change}
        <span className="hidden-text"> {host}</span>
      </button>
      <button type="button" className="button small danger" onClick={onRemove}>
        {t.remove}
        <span className="hidden-text"> {host}</span>
      </button>
    </li>
  );
}
