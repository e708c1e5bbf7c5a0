import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { type ProjectName, pipelineAddress } from '../../addresses.ts';
import { ask, call, newIdempotencyKey, refresh } from '../../api.ts';
import { useMessages } from '../../language.ts';
import { FormDialog } from '../../parts/dialog.tsx';
import { CheckField, fieldOf, SelectField, TextArea } from '../../parts/field.tsx';
import { go } from '../../router.tsx';
import { ParameterFields, valuesOfFields } from './parameter-fields.tsx';
import { readParameters } from './read-parameters.ts';

interface Props {
  readonly name: ProjectName;
  readonly defaultBranch: string;
  readonly onClose: () => void;
}

/** One key per opened dialog: a double click starts one pipeline. */
export function StartPipelineDialog({ name, defaultBranch, onClose }: Props) {
  const t = useMessages();
  const [idempotencyKey] = useState(newIdempotencyKey);
  const [ref, setRef] = useState(defaultBranch);
  const refs = useQuery(ask('listRefs', { params: name }));
  const declared = useQuery(ask('listPipelineParameters', { params: name, query: { ref } })).data?.items ?? [];
  const start = async (form: FormData): Promise<void> => {
    const parameters =
      declared.length === 0 ? readParameters(fieldOf(form, 'parameters')) : valuesOfFields(form, declared);
    const pipeline = await call('startPipeline', {
      params: name,
      body: {
        ref: fieldOf(form, 'ref'),
        parameters,
        ...(form.has('ignoresReuse') && { ignoresReuse: true }),
        ...(form.has('ignoresCaches') && { ignoresCaches: true }),
      },
      idempotencyKey,
    });
    void refresh('listPipelines');
    go(pipelineAddress(name, pipeline.number));
  };
  return (
    <FormDialog title={t.runPipeline} action={t.run} onClose={onClose} onSubmit={start}>
      <SelectField label={t.branchOrTag} name="ref" value={ref} onChange={(event) => setRef(event.target.value)}>
        {(refs.data?.items ?? [{ name: defaultBranch, ref: defaultBranch, kind: 'branch' as const }])
          .filter(({ kind }) => kind !== 'other')
          .map((ref) => (
            <option key={ref.ref} value={ref.name}>
              {ref.name}
            </option>
          ))}
      </SelectField>
      {declared.length === 0 ? (
        <TextArea
          label={t.parameters}
          name="parameters"
          rows={3}
          className="input mono"
          placeholder="NAME=value"
          hint={t.parametersHint}
          spellCheck={false}
        />
      ) : (
        <ParameterFields key={ref} parameters={declared} />
      )}
      <CheckField label={t.ignoresCaches} hint={t.ignoresCachesHint} name="ignoresCaches" />
      <CheckField label={t.ignoresReuse} hint={t.ignoresReuseHint} name="ignoresReuse" />
    </FormDialog>
  );
}
