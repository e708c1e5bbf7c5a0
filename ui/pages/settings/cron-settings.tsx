import { useMutation, useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import type { CronView } from '../../../src/api/crons.ts';
import { type ProjectName, pipelineAddress } from '../../addresses.ts';
import { ask, call, newIdempotencyKey, refresh } from '../../api.ts';
import { useMessages } from '../../language.ts';
import { Answer, EmptyState } from '../../parts/answers.tsx';
import { CommandLine } from '../../parts/copy.tsx';
import { FormDialog } from '../../parts/dialog.tsx';
import { Icon } from '../../parts/icons.tsx';
import { Ago } from '../../parts/time.tsx';
import { toast, toastError } from '../../parts/toast.tsx';
import { go } from '../../router.tsx';
import { CronDialog } from './cron-dialog.tsx';
import { Slot } from './cron-slot.tsx';

/** Pipelines at certain times: whoever may see the project sees when, and who maintains it decides. */
export function CronSettings({ name, mayChange, mayRun }: { name: ProjectName; mayChange: boolean; mayRun: boolean }) {
  const t = useMessages();
  const crons = useQuery(ask('listCrons', { params: name }));
  const [changing, setChanging] = useState<CronView | 'new'>();
  const [removing, setRemoving] = useState<CronView>();
  return (
    <section className="box flush">
      <div className="box-head">
        <h2>{t.settingsTab.crons}</h2>
        <span className="spacer" />
        {mayChange && (
          <button type="button" className="button small" onClick={() => setChanging('new')}>
            {t.addCron}
          </button>
        )}
      </div>
      <Answer query={crons}>
        {({ items }) =>
          items.length === 0 ? (
            <EmptyState title={t.noCrons}>
              <p>{t.cronsHint}</p>
              {mayChange && (
                <CommandLine
                  command={`gantry cron create nightly '0 2 * * *' --project ${name.owner}/${name.project}`}
                />
              )}
            </EmptyState>
          ) : (
            <ul className="entries">
              {items.map((cron) => (
                <CronEntry
                  key={cron.name}
                  name={name}
                  cron={cron}
                  mayRun={mayRun}
                  onChange={mayChange ? () => setChanging(cron) : undefined}
                  onRemove={mayChange ? () => setRemoving(cron) : undefined}
                />
              ))}
            </ul>
          )
        }
      </Answer>
      <p className="box-note quiet">{t.cronsNote}</p>
      {changing !== undefined && (
        <CronDialog
          name={name}
          cron={changing === 'new' ? undefined : changing}
          onClose={() => setChanging(undefined)}
        />
      )}
      {removing && (
        <FormDialog
          title={t.removeCron({ name: removing.name })}
          description={t.removeCronHint}
          action={t.remove}
          isDangerous
          onClose={() => setRemoving(undefined)}
          onSubmit={async () => {
            await call('removeCron', { params: { ...name, name: removing.name } });
            toast(t.cronRemoved({ name: removing.name }));
            await refresh('listCrons');
          }}
        />
      )}
    </section>
  );
}

interface EntryProps {
  readonly name: ProjectName;
  readonly cron: CronView;
  readonly mayRun: boolean;
  readonly onChange: (() => void) | undefined;
  readonly onRemove: (() => void) | undefined;
}

function CronEntry({ name, cron, mayRun, onChange, onRemove }: EntryProps) {
  const t = useMessages();
  const params = { ...name, name: cron.name };
  const [idempotencyKey] = useState(newIdempotencyKey);
  const toggle = useMutation({
    mutationFn: () => call('updateCron', { params, body: { isEnabled: !cron.isEnabled } }),
    onError: toastError,
    onSettled: () => refresh('listCrons'),
  });
  const run = useMutation({
    mutationFn: () => call('runCron', { params, idempotencyKey }),
    onSuccess: (pipeline) => {
      toast(t.cronStarted({ number: pipeline.number }));
      void refresh('listPipelines');
      go(pipelineAddress(name, pipeline.number));
    },
    onError: toastError,
  });
  return (
    <li className="entry tall">
      <Icon name="clock" />
      <div className="grow">
        <b className="mono">
          <bdi>{cron.name}</bdi>
        </b>{' '}
        {!cron.isEnabled && <span className="tag">{t.switchedOff}</span>}
        <span className="block">
          {cron.sentence} <code>{cron.expression}</code> · <bdi className="mono">{cron.branch}</bdi>
        </span>
        <small className="quiet block">
          {cron.next && (
            <>
              {t.nextRun}: <Slot slot={cron.next} timeZone={cron.timeZone} />
            </>
          )}
          {cron.next && cron.last && ' · '}
          {cron.last && (
            <>
              {t.lastRun} <Ago at={cron.last.at} />
            </>
          )}
        </small>
      </div>
      {mayRun && (
        <button type="button" className="button small" aria-disabled={run.isPending} onClick={() => run.mutate()}>
          {t.runNow}
          <span className="hidden-text"> {cron.name}</span>
        </button>
      )}
      {onChange && (
        <>
          <button
            type="button"
            className="button small"
            aria-disabled={toggle.isPending}
            onClick={() => toggle.mutate()}
          >
            {cron.isEnabled ? t.switchOff : t.switchOn}
            <span className="hidden-text"> {cron.name}</span>
          </button>
          <button type="button" className="button small" onClick={onChange}>
            {t.change}
            <span className="hidden-text"> {cron.name}</span>
          </button>
        </>
      )}
      {onRemove && (
        <button type="button" className="button small danger" onClick={onRemove}>
          {t.remove}
          <span className="hidden-text"> {cron.name}</span>
        </button>
      )}
    </li>
  );
}
