import { useMutation } from '@tanstack/react-query';
import { useRef, useState } from 'react';
import type { PipelineDetail } from '../../../src/api/pipelines.ts';
import { type ProjectName, pipelineAddress } from '../../addresses.ts';
import { call, newIdempotencyKey, refresh } from '../../api.ts';
import { useMessages } from '../../language.ts';
import { isFinal } from '../../parts/status.tsx';
import { toast, toastError } from '../../parts/toast.tsx';
import { go } from '../../router.tsx';
import { PromoteDialog } from './promote-dialog.tsx';
import { RerunDialog } from './rerun-dialog.tsx';

/** Cancel, rerun or promote. A double click does one thing: while it is sent the buttons wait, and a repetition carries the same key. */
export function PipelineActions({ name, pipeline }: { name: ProjectName; pipeline: PipelineDetail }) {
  const t = useMessages();
  const params = { ...name, number: pipeline.number };
  const [isPromoting, setPromoting] = useState(false);
  const [isChoosing, setChoosing] = useState(false);
  const keys = useRef(new Map<string, string>());
  /** Set with the click itself: the second of a double click comes before anything is drawn. */
  const isSending = useRef(false);
  const settled = async (): Promise<void> => {
    isSending.current = false;
    await refresh('getPipeline', 'listPipelines', 'explainPipeline');
  };
  const once = (send: () => void): void => {
    if (isSending.current) return;
    isSending.current = true;
    send();
  };
  const rerun = useMutation({
    mutationFn: (only: 'all' | 'failed') => {
      const key = keys.current.get(only) ?? newIdempotencyKey();
      keys.current.set(only, key);
      return call('rerunPipeline', { params, body: { only }, idempotencyKey: key });
    },
    onSuccess: ({ number }, only) => {
      keys.current.delete(only);
      if (number === pipeline.number) {
        toast(t.rerunStarted({ number }));
        return;
      }
      toast(t.rerunRepeated({ number }));
      go(pipelineAddress(name, number));
    },
    onError: toastError,
    onSettled: settled,
  });
  const cancel = useMutation({
    mutationFn: () => call('cancelPipeline', { params }),
    onSuccess: () => toast(t.cancelAsked({ number: pipeline.number })),
    onError: toastError,
    onSettled: settled,
  });
  const isBusy = rerun.isPending || cancel.isPending;
  if (!isFinal(pipeline.status))
    return (
      <div className="actions">
        <button
          type="button"
          className="button danger"
          aria-disabled={isBusy}
          onClick={() => once(() => cancel.mutate())}
        >
          {t.cancelPipeline}
        </button>
      </div>
    );
  // Nobody let it run, and no other button goes round that.
  if (pipeline.approval !== null && pipeline.approval !== 'approved') return null;
  const hasFailed = pipeline.status !== 'passed' && pipeline.workflows.some(({ status }) => status === 'passed');
  return (
    <div className="actions">
      <button
        type="button"
        className={
          pipeline.status === 'passed' || pipeline.workflows.length === 0
            ? 'button'
            : hasFailed
              ? 'button'
              : 'button primary'
        }
        aria-disabled={isBusy}
        onClick={() => once(() => rerun.mutate('all'))}
      >
        {t.rerunAll}
      </button>
      {hasFailed && (
        <button
          type="button"
          className="button primary"
          aria-disabled={isBusy}
          onClick={() => once(() => rerun.mutate('failed'))}
        >
          {t.rerunFailed}
        </button>
      )}
      <button type="button" className="button" onClick={() => setChoosing(true)}>
        {t.rerunPart}
      </button>
      {pipeline.status === 'passed' && !pipeline.isUntrusted && (
        <button type="button" className="button" onClick={() => setPromoting(true)}>
          {t.promote}
        </button>
      )}
      {isChoosing && <RerunDialog name={name} pipeline={pipeline} onClose={() => setChoosing(false)} />}
      {isPromoting && <PromoteDialog name={name} number={pipeline.number} onClose={() => setPromoting(false)} />}
    </div>
  );
}
