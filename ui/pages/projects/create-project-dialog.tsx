import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { projectAddress } from '../../addresses.ts';
import { ask, call, newIdempotencyKey, refresh } from '../../api.ts';
import { useMessages } from '../../language.ts';
import { FormDialog } from '../../parts/dialog.tsx';
import { fieldOf, RadioCards, SelectField, TextField } from '../../parts/field.tsx';
import { go } from '../../router.tsx';
import type { Me } from '../../session.ts';

interface Props {
  readonly me: Me;
  readonly owner: string | undefined;
  readonly onClose: () => void;
}

export function CreateProjectDialog({ me, owner, onClose }: Props) {
  const t = useMessages();
  const [idempotencyKey] = useState(newIdempotencyKey);
  const organisations = useQuery(ask('listOrganisations'));
  const owners = [...new Set([me.name, ...(organisations.data?.items.map(({ name }) => name) ?? [])])];

  const create = async (form: FormData): Promise<void> => {
    const project = await call('createProject', {
      body: {
        owner: fieldOf(form, 'owner'),
        name: fieldOf(form, 'name').trim(),
        description: fieldOf(form, 'description').trim(),
        visibility: fieldOf(form, 'visibility') as 'private',
      },
      idempotencyKey,
    });
    await refresh('listProjects');
    go(projectAddress({ owner: project.owner, project: project.name }));
  };

  return (
    <FormDialog title={t.newProject} action={t.createProject} onClose={onClose} onSubmit={create}>
      <div className="field-pair">
        <SelectField label={t.owner} name="owner" defaultValue={owner ?? me.name}>
          {owners.map((name) => (
            <option key={name}>{name}</option>
          ))}
        </SelectField>
        <TextField
          label={t.name}
          name="name"
          required
          autoFocus
          autoComplete="off"
          maxLength={63}
          pattern="[A-Za-z0-9][A-Za-z0-9._\-]*"
          title={t.nameRule}
        />
      </div>
      <TextField label={t.description} name="description" maxLength={500} autoComplete="off" />
      <RadioCards
        legend={t.whoMaySee}
        name="visibility"
        defaultValue="private"
        options={(['private', 'internal', 'public'] as const).map((value) => ({
          value,
          label: t.visibility[value],
          hint: t.visibilityHint[value],
        }))}
      />
    </FormDialog>
  );
}
