import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import type { CronView } from '../../../src/api/crons.ts';
import type { ProjectName } from '../../addresses.ts';
import { ask, call, newIdempotencyKey, refresh } from '../../api.ts';
import { useMessages } from '../../language.ts';
import { FormError } from '../../parts/answers.tsx';
import { FormDialog } from '../../parts/dialog.tsx';
import { fieldOf, SelectField, TextField } from '../../parts/field.tsx';
import { toast } from '../../parts/toast.tsx';
import { Slot } from './cron-slot.tsx';

/** While somebody types, no half expression is asked about. */
const typingMs = 300;

/** Every zone that the browser knows, and the one that is set already. */
function timeZones(chosen: string): readonly string[] {
  return [...new Set(['UTC', chosen, ...Intl.supportedValuesOf('timeZone')])].sort();
}

interface Props {
  readonly name: ProjectName;
  /** Absent for a new one. */
  readonly cron: CronView | undefined;
  readonly onClose: () => void;
}

/** Makes or changes a cron; says in words, as it is typed, when it will run. */
export function CronDialog({ name, cron, onClose }: Props) {
  const t = useMessages();
  const [idempotencyKey] = useState(newIdempotencyKey);
  const [expression, setExpression] = useState(cron?.expression ?? '0 2 * * *');
  const [timeZone, setTimeZone] = useState(cron?.timeZone ?? Intl.DateTimeFormat().resolvedOptions().timeZone);
  const project = useQuery(ask('getProject', { params: name }));
  const refs = useQuery(ask('listRefs', { params: name }));
  const branch = cron?.branch ?? project.data?.defaultBranch;
  const branches = new Set([
    ...(branch === undefined ? [] : [branch]),
    ...(refs.data?.items.filter(({ kind }) => kind === 'branch').map((ref) => ref.name) ?? []),
  ]);
  const save = async (form: FormData): Promise<void> => {
    const body = { name: fieldOf(form, 'name').trim(), expression, timeZone, branch: fieldOf(form, 'branch') };
    const saved = cron
      ? await call('updateCron', { params: { ...name, name: cron.name }, body })
      : await call('createCron', { params: name, body, idempotencyKey });
    toast(t.cronSaved({ name: saved.name }));
    await refresh('listCrons');
  };
  return (
    <FormDialog
      title={cron ? t.changeCron({ name: cron.name }) : t.addCron}
      action={t.save}
      onClose={onClose}
      onSubmit={save}
    >
      <TextField
        label={t.name}
        name="name"
        required
        autoFocus={cron === undefined}
        maxLength={63}
        defaultValue={cron?.name}
        pattern="[A-Za-z0-9][A-Za-z0-9._\-]*"
        title={t.cronNameHint}
        autoComplete="off"
        autoCapitalize="none"
        spellCheck={false}
        placeholder="nightly"
        hint={t.cronHint}
      />
      <TextField
        label={t.expression}
        name="expression"
        required
        maxLength={200}
        className="input mono"
        value={expression}
        onChange={(event) => setExpression(event.target.value)}
        autoComplete="off"
        spellCheck={false}
        hint={t.expressionHint}
      />
      <SelectField
        label={t.timeZone}
        name="timeZone"
        value={timeZone}
        onChange={(event) => setTimeZone(event.target.value)}
      >
        {timeZones(timeZone).map((zone) => (
          <option key={zone}>{zone}</option>
        ))}
      </SelectField>
      <SelectField key={branch ?? ''} label={t.cronBranch} name="branch" defaultValue={branch}>
        {[...branches].map((one) => (
          <option key={one}>{one}</option>
        ))}
      </SelectField>
      <Preview expression={expression} timeZone={timeZone} />
    </FormDialog>
  );
}

function Preview({ expression, timeZone }: { expression: string; timeZone: string }) {
  const t = useMessages();
  const settled = useSettled(expression.trim());
  const preview = useQuery({
    queryKey: ['previewCron', settled, timeZone, t.nextRuns],
    queryFn: ({ signal }) => call('previewCron', { body: { expression: settled, timeZone }, signal }),
    enabled: settled !== '',
    retry: false,
    placeholderData: keepPreviousData,
  });
  return (
    <div className="field" aria-live="polite">
      <b>{t.nextRuns}</b>
      {preview.isError ? (
        <FormError error={preview.error} />
      ) : (
        preview.data && (
          <>
            <p>{preview.data.sentence}</p>
            <ol className="cron-slots">
              {preview.data.next.map((slot) => (
                <li key={slot.at}>
                  <Slot slot={slot} timeZone={timeZone} />
                </li>
              ))}
            </ol>
          </>
        )
      )}
    </div>
  );
}

/** The value, once it has stopped changing. */
function useSettled(value: string): string {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), typingMs);
    return () => clearTimeout(timer);
  }, [value]);
  return settled;
}
