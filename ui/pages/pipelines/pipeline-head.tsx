import { useQuery } from '@tanstack/react-query';
import { useEffect, useRef, useState } from 'react';
import type { PipelineDetail } from '../../../src/api/pipelines.ts';
import { type ProjectName, pipelineAddress } from '../../addresses.ts';
import { ask } from '../../api.ts';
import { useMessages } from '../../language.ts';
import { CommitLink, RefLabel } from '../../parts/commit-link.tsx';
import { StatusMark } from '../../parts/status.tsx';
import { Ago, Duration } from '../../parts/time.tsx';
import { Link } from '../../router.tsx';
import { isAtLeast } from '../../session.ts';
import { logsUrl } from './log-requests.ts';
import { PipelineActions } from './pipeline-actions.tsx';

/** What ran, for whom and how it stands, and what can be done about it. */
export function PipelineHead({ name, pipeline }: { name: ProjectName; pipeline: PipelineDetail }) {
  const t = useMessages();
  const project = useQuery(ask('getProject', { params: name }));
  const mayRun = isAtLeast(project.data?.role, 'write') && project.data?.isArchived !== true;
  const attempt = Math.max(1, ...pipeline.workflows.map((workflow) => workflow.attempt));
  return (
    <>
      <div className="page-head">
        <h1>
          <bdi>{pipeline.subject === '' ? t.noMessage : pipeline.subject}</bdi>
        </h1>
        {mayRun && <PipelineActions name={name} pipeline={pipeline} />}
      </div>
      <div className="meta pipeline-meta">
        <StatusMark status={pipeline.status} pill />
        <RefLabel name={name} branch={pipeline.branch} isTag={pipeline.event === 'tag'} />
        <CommitLink name={name} commit={pipeline.commit} />
        <span>
          <bdi>{pipeline.authorName}</bdi> · {t.eventKind[pipeline.event]}
          {pipeline.cron !== null && (
            <b>
              {' '}
              <bdi className="mono">{pipeline.cron}</bdi>
            </b>
          )}
          {pipeline.target !== null && (
            <b>
              {' '}
              <bdi>{t.towards({ target: pipeline.target })}</bdi>
            </b>
          )}
          {pipeline.personName !== pipeline.authorName && (
            <>
              {' '}
              {t.by} <bdi>{pipeline.personName}</bdi>
            </>
          )}
        </span>
        {pipeline.pullRequest && (
          <span>
            {t.pullRequest} #{pipeline.pullRequest.number}{' '}
            <bdi className="mono">
              {pipeline.pullRequest.source} {pipeline.pullRequest.sourceBranch}
            </bdi>
          </span>
        )}
        {pipeline.isUntrusted && <span className="tag">{t.untrusted}</span>}
        {pipeline.approval === 'declined' && <span className="tag">{t.wasDeclined}</span>}
        {pipeline.parent !== null && (
          <Link to={pipelineAddress(name, pipeline.parent)} className="link">
            {t.repeats({ number: pipeline.parent })}
          </Link>
        )}
        <Ago at={pipeline.createdAt} />
        {pipeline.startedAt !== null && (
          <span>
            {t.duration}{' '}
            <b>
              <Duration from={pipeline.startedAt} to={pipeline.finishedAt} />
            </b>
          </span>
        )}
        {attempt > 1 && <span>{t.attempt({ number: attempt })}</span>}
        {pipeline.steps.some(({ startedAt }) => startedAt !== null) && (
          <a className="link" href={`${logsUrl(name, pipeline.number)}?download=1`} download>
            {t.downloadLogs}
          </a>
        )}
      </div>
      <Announcement number={pipeline.number} status={pipeline.status} />
    </>
  );
}

/** The one polite live region of the page: says when the state changes, and nothing at first. */
function Announcement({ number, status }: { number: number; status: PipelineDetail['status'] }) {
  const t = useMessages();
  const [text, setText] = useState('');
  const before = useRef(status);
  useEffect(() => {
    if (before.current === status) return;
    before.current = status;
    setText(`#${number} ${t.status[status]}`);
  }, [number, status, t]);
  return (
    <div className="hidden-text" role="status">
      {text}
    </div>
  );
}
