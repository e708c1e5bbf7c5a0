import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { type ProjectName, pipelineAddress } from '../../addresses.ts';
import { ask, call, newIdempotencyKey, refresh } from '../../api.ts';
import { useMessages } from '../../language.ts';
import { FormDialog } from '../../parts/dialog.tsx';
import { fieldOf, RadioCards, Segmented, TextArea, TextField } from '../../parts/field.tsx';
import { go } from '../../router.tsx';
import { readParameters } from './read-parameters.ts';

interface Props {
  readonly name: ProjectName;
  readonly number: number;
  readonly onClose: () => void;
}

/** Runs the commit of a pipeline once more, towards a target. One key per opened dialog: a double click starts one. */
export function PromoteDialog({ name, number, onClose }: Props) {
  const t = useMessages();
  const [idempotencyKey] = useState(newIdempotencyKey);
  const [target, setTarget] = useState('');
  const named = useQuery(ask('listPromotionTargets', { params: { ...name, number } })).data?.items ?? [];
  const promote = async (form: FormData): Promise<void> => {
    const pipeline = await call('promotePipeline', {
      params: { ...name, number },
      body: {
        target: target.trim(),
        event: fieldOf(form, 'event') === 'rollback' ? 'rollback' : 'promote',
        parameters: readParameters(fieldOf(form, 'parameters')),
      },
      idempotencyKey,
    });
    void refresh('listPipelines');
    onClose();
    go(pipelineAddress(name, pipeline.number));
  };
  return (
    <FormDialog
      title={t.promotePipeline({ number })}
      description={t.promoteNote}
      action={t.promoteAction}
      onClose={onClose}
      onSubmit={promote}
    >
      <TextField
        label={t.target}
        name="target"
        required
        autoFocus
        maxLength={100}
        autoComplete="off"
        autoCapitalize="none"
        spellCheck={false}
        value={target}
        onChange={(event) => setTarget(event.target.value)}
        placeholder={named[0]?.name ?? 'production'}
        hint={named.length > 0 ? t.targetsOfFile : t.targetHint}
      />
      {named.length > 0 && (
        <Segmented
          label={t.targetsOfFile}
          options={named.map(({ name, role }) => ({
            value: name,
            label: role === null ? name : `${name} · ${t.role[role]}`,
          }))}
          value={target.trim()}
          onChange={setTarget}
        />
      )}
      <RadioCards
        legend={t.direction}
        name="event"
        defaultValue="promote"
        options={[
          { value: 'promote', label: t.forward, hint: t.forwardNote },
          { value: 'rollback', label: t.back, hint: t.backNote },
        ]}
      />
      <TextArea
        label={t.parameters}
        name="parameters"
        rows={3}
        className="input mono"
        placeholder="NAME=value"
        hint={t.parametersHint}
        spellCheck={false}
      />
    </FormDialog>
  );
}
