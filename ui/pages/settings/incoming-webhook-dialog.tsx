import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import type { IncomingWebhookView } from '../../../src/api/webhooks.ts';
import type { ProjectName } from '../../addresses.ts';
import { ask, call, newIdempotencyKey, refresh } from '../../api.ts';
import { useMessages } from '../../language.ts';
import { FormDialog } from '../../parts/dialog.tsx';
import { fieldOf, RadioCards, SelectField, TextArea, TextField } from '../../parts/field.tsx';
import { toast } from '../../parts/toast.tsx';
import { linesOf } from './lines.ts';

interface Props {
  readonly name: ProjectName;
  /** Absent for a new one. */
  readonly hook: IncomingWebhookView | undefined;
  readonly onClose: () => void;
  readonly onSecret: (secret: string) => void;
}

const proofs = ['signature', 'token'] as const;

/** Makes or changes an incoming webhook. */
export function IncomingWebhookDialog({ name, hook, onClose, onSecret }: Props) {
  const t = useMessages();
  const [idempotencyKey] = useState(newIdempotencyKey);
  const project = useQuery(ask('getProject', { params: name }));
  const refs = useQuery(ask('listRefs', { params: name }));
  const branch = hook?.branch ?? project.data?.defaultBranch;
  const branches = new Set([
    ...(branch === undefined ? [] : [branch]),
    ...(refs.data?.items.filter(({ kind }) => kind === 'branch').map((ref) => ref.name) ?? []),
  ]);
  const save = async (form: FormData): Promise<void> => {
    const parameters = Object.fromEntries(
      linesOf(form, 'parameters').map((line) => {
        const [, parameter = line, path = ''] = /^([^=]*)=(.*)$/.exec(line) ?? [];
        return [parameter.trim(), path.trim()];
      }),
    );
    const body = {
      branch: fieldOf(form, 'branch'),
      proof: proofs.find((proof) => proof === fieldOf(form, 'proof')) ?? 'signature',
      parameters,
    };
    const renewed = form.get('renewSecret') === null ? {} : ({ renewSecret: true } as const);
    const saved = hook
      ? await call('updateIncomingWebhook', { params: { ...name, name: hook.name }, body: { ...body, ...renewed } })
      : await call('createIncomingWebhook', {
          params: name,
          body: { ...body, name: fieldOf(form, 'name').trim() },
          idempotencyKey,
        });
    toast(t.webhook.saved);
    if (saved.secret !== null) onSecret(saved.secret);
    await refresh('listIncomingWebhooks');
  };
  return (
    <FormDialog
      title={hook ? t.webhook.changeIncoming({ name: hook.name }) : t.webhook.addIncoming}
      action={t.save}
      onClose={onClose}
      onSubmit={save}
    >
      {!hook && (
        <TextField
          label={t.name}
          name="name"
          required
          autoFocus
          maxLength={63}
          pattern="[A-Za-z0-9][A-Za-z0-9._\-]*"
          title={t.cronNameHint}
          autoComplete="off"
          autoCapitalize="none"
          spellCheck={false}
          placeholder="deploy"
          hint={t.webhook.nameHint}
        />
      )}
      <SelectField key={branch ?? ''} label={t.cronBranch} name="branch" defaultValue={branch}>
        {[...branches].map((one) => (
          <option key={one}>{one}</option>
        ))}
      </SelectField>
      <TextArea
        label={t.webhook.parameters}
        name="parameters"
        rows={3}
        maxLength={16_384}
        className="input mono"
        defaultValue={Object.entries(hook?.parameters ?? {})
          .map(([parameter, path]) => `${parameter}=${path}`)
          .join('\n')}
        placeholder="VERSION=$.release.tag"
        spellCheck={false}
        hint={t.webhook.parametersHint}
      />
      <RadioCards
        legend={t.webhook.proof}
        name="proof"
        defaultValue={hook?.proof ?? 'signature'}
        options={proofs.map((value) => ({ value, ...t.webhook.proofs[value] }))}
      />
      {hook && (
        <fieldset className="checks">
          <legend>{t.webhook.secretTitle}</legend>
          <label>
            <input type="checkbox" name="renewSecret" />
            {t.webhook.renewIncomingSecret}
          </label>
        </fieldset>
      )}
    </FormDialog>
  );
}
