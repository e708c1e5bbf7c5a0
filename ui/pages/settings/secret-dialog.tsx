import type { UiMessages } from '../../../src/api/messages/ui.ts';
import type { SecretBody, SecretView } from '../../../src/api/secrets.ts';
import { useMessages } from '../../language.ts';
import { FormDialog } from '../../parts/dialog.tsx';
import { CheckField, fieldOf, TextArea, TextField } from '../../parts/field.tsx';
import { toast } from '../../parts/toast.tsx';
import { type HolderName, setSecret } from './holder.ts';
import { linesOf } from './lines.ts';
import { originOf, PullRequestOriginField } from './pull-request-origin-field.tsx';

const secretEvents = ['push', 'tag', 'manual', 'promote', 'rollback', 'cron'] as const;
type SecretEvent = (typeof secretEvents)[number];

/** An event that a secret may be limited to, in words. */
export function secretEventName(t: UiMessages, event: string): string {
  return t.eventKind[event as SecretEvent] ?? event;
}

/** Pull requests are chosen apart from the other events. */
function eventsOf(form: FormData): Pick<SecretBody, 'events' | 'pullRequests'> {
  const pullRequests = originOf(form);
  const events = secretEvents.filter((event) => form.get(event) !== null);
  return { events: pullRequests === 'none' ? events : [...events, 'pull_request'], pullRequests };
}

/** A new secret, or another value and other limits of one that is there. */
export function SecretDialog({
  holder,
  secret,
  onClose,
  onWarning,
}: {
  holder: HolderName;
  secret: SecretView | undefined;
  onClose: () => void;
  onWarning: (warning: string | undefined) => void;
}) {
  const t = useMessages();
  const isGiven = (event: SecretEvent): boolean => secret?.events.includes(event) ?? true;
  return (
    <FormDialog
      title={secret ? t.changeSecret({ name: secret.name }) : t.addSecret}
      description={t.secretWriteOnly}
      action={t.saveSecret}
      onClose={onClose}
      onSubmit={async (form) => {
        const value = fieldOf(form, 'value');
        const stored = await setSecret(holder, secret?.name ?? fieldOf(form, 'name').trim(), {
          ...(value === '' ? {} : { value }),
          ...eventsOf(form),
          branches: linesOf(form, 'branches'),
          images: linesOf(form, 'images'),
          isForPluginsOnly: form.get('isForPluginsOnly') !== null,
        });
        onWarning(stored.warning ?? undefined);
        toast(t.secretSaved({ name: stored.name }));
      }}
    >
      {!secret && (
        <TextField
          label={t.name}
          name="name"
          required
          autoFocus
          maxLength={100}
          autoComplete="off"
          autoCapitalize="none"
          spellCheck={false}
          hint={t.secretNameHint}
        />
      )}
      <TextArea
        label={t.value}
        name="value"
        required={!secret}
        rows={3}
        maxLength={65_536}
        className="input mono"
        autoComplete="off"
        spellCheck={false}
        {...(secret ? { hint: t.secretValueKept } : {})}
      />
      <fieldset className="checks">
        <legend>{t.secretEvents}</legend>
        {secretEvents.map((event) => (
          <label key={event}>
            <input type="checkbox" name={event} defaultChecked={isGiven(event)} />
            {secretEventName(t, event)}
          </label>
        ))}
      </fieldset>
      <PullRequestOriginField value={secret?.pullRequests ?? 'none'} />
      <TextArea
        label={t.secretBranches}
        name="branches"
        className="input mono"
        rows={2}
        spellCheck={false}
        defaultValue={secret?.branches.join('\n')}
        hint={t.secretBranchesHint}
      />
      <TextArea
        label={t.secretImages}
        name="images"
        className="input mono"
        rows={2}
        spellCheck={false}
        defaultValue={secret?.images.join('\n')}
        hint={t.secretImagesHint}
      />
      <CheckField
        label={t.secretPluginsOnly}
        hint={t.secretPluginsOnlyHint}
        name="isForPluginsOnly"
        defaultChecked={secret?.isForPluginsOnly ?? false}
      />
    </FormDialog>
  );
}
