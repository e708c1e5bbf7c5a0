import { useState } from 'react';
import type { PipelineDetail } from '../../../src/api/pipelines.ts';
import { type ProjectName, pipelineAddress } from '../../addresses.ts';
import { call, newIdempotencyKey, refresh } from '../../api.ts';
import { useMessages } from '../../language.ts';
import { FormDialog } from '../../parts/dialog.tsx';
import { CheckField, fieldOf, SelectField, TextArea } from '../../parts/field.tsx';
import { toast } from '../../parts/toast.tsx';
import { go } from '../../router.tsx';
import { readParameters } from './read-parameters.ts';

type Part = 'all' | 'failed' | 'workflow' | 'parameters';
type Body = Parameters<typeof call<'rerunPipeline'>>[1]['body'];

interface Props {
  readonly name: ProjectName;
  readonly pipeline: PipelineDetail;
  readonly onClose: () => void;
}

/** What of a pipeline runs again: all of it, what did not pass, one workflow, or all of it with other parameters. */
export function RerunDialog({ name, pipeline, onClose }: Props) {
  const t = useMessages();
  const { number, workflows } = pipeline;
  const notPassed = workflows.filter(({ status }) => status !== 'passed');
  const [part, setPart] = useState<Part>(notPassed.length > 0 && workflows.length > 1 ? 'failed' : 'all');
  const [idempotencyKey] = useState(newIdempotencyKey);
  const parts: readonly { readonly part: Part; readonly label: string; readonly hint: string }[] = [
    { part: 'all', label: t.rerunWhole, hint: t.rerunWholeNote },
    ...(notPassed.length > 0 && notPassed.length < workflows.length
      ? [{ part: 'failed', label: t.rerunFailedPart, hint: t.rerunFailedNote } as const]
      : []),
    ...(workflows.length > 1 ? [{ part: 'workflow', label: t.rerunOne, hint: t.rerunOneNote } as const] : []),
    { part: 'parameters', label: t.rerunOther, hint: t.rerunOtherNote },
  ];
  const send = async (form: FormData): Promise<void> => {
    const body = bodyOf(part, form);
    const answer = await call('rerunPipeline', { params: { ...name, number }, body, idempotencyKey });
    await refresh('getPipeline', 'listPipelines', 'explainPipeline');
    if (answer.number === number) {
      toast(t.rerunStarted({ number }));
      return;
    }
    toast(t.rerunRepeated({ number: answer.number }));
    onClose();
    go(pipelineAddress(name, answer.number));
  };
  return (
    <FormDialog
      title={t.rerunPipeline({ number })}
      description={t.rerunNote}
      action={t.rerunAction}
      onClose={onClose}
      onSubmit={send}
    >
      <fieldset className="radio-cards">
        <legend>{t.rerunWhat}</legend>
        {parts.map((one) => (
          <label key={one.part}>
            <input
              type="radio"
              name="part"
              value={one.part}
              checked={part === one.part}
              onChange={() => setPart(one.part)}
            />
            <span>
              <b>{one.label}</b>
              <small>{one.hint}</small>
            </span>
          </label>
        ))}
      </fieldset>
      {part === 'workflow' && (
        <SelectField label={t.rerunWorkflow} name="workflow" defaultValue={notPassed[0]?.name}>
          {workflows.map((workflow) => (
            <option key={workflow.name}>{workflow.name}</option>
          ))}
        </SelectField>
      )}
      {part === 'parameters' && (
        <TextArea
          label={t.parameters}
          name="parameters"
          rows={3}
          className="input mono"
          placeholder="NAME=value"
          defaultValue={Object.entries(pipeline.parameters)
            .map(([key, value]) => `${key}=${value}`)
            .join('\n')}
          hint={t.parametersHint}
          spellCheck={false}
        />
      )}
      {part === 'parameters' && (
        <>
          <CheckField label={t.ignoresCaches} hint={t.ignoresCachesHint} name="ignoresCaches" />
          <CheckField label={t.ignoresReuse} hint={t.ignoresReuseHint} name="ignoresReuse" />
        </>
      )}
    </FormDialog>
  );
}

function bodyOf(part: Part, form: FormData): Body {
  switch (part) {
    case 'workflow':
      return { workflow: fieldOf(form, 'workflow') };
    case 'parameters':
      return {
        parameters: readParameters(fieldOf(form, 'parameters')),
        ...(form.has('ignoresReuse') && { ignoresReuse: true }),
        ...(form.has('ignoresCaches') && { ignoresCaches: true }),
      };
    default:
      return { only: part };
  }
}
