import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import type { ApprovalDetail } from '../../../src/api/approvals.ts';
import { type ProjectName, pipelineAddress } from '../../addresses.ts';
import { ask, call, refresh } from '../../api.ts';
import { useMessages } from '../../language.ts';
import { Answer, EmptyState } from '../../parts/answers.tsx';
import { CommitLink } from '../../parts/commit-link.tsx';
import { FormDialog } from '../../parts/dialog.tsx';
import { CheckField } from '../../parts/field.tsx';
import { Ago } from '../../parts/time.tsx';
import { toast } from '../../parts/toast.tsx';
import { Link } from '../../router.tsx';
import { isAtLeast } from '../../session.ts';

interface Props {
  readonly name: ProjectName;
  readonly number: number;
}

/** What whoever approves a pipeline answers for, and the two answers. Both are about what is shown here and no other. */
export function ApprovalCard({ name, number }: Props) {
  const t = useMessages();
  const approval = useQuery(ask('getApproval', { params: { ...name, number } }));
  const project = useQuery(ask('getProject', { params: name }));
  const mayDecide = isAtLeast(project.data?.role, 'maintain') && project.data?.isArchived !== true;
  const [asking, setAsking] = useState<'approve' | 'decline'>();
  return (
    <section className="box flush" aria-label={t.approval}>
      <Answer query={approval}>
        {(asked) => (
          <>
            <div className="box-head">
              <h2>{t.approvalAsked}</h2>
              <span className="spacer" />
              {mayDecide && (
                <span className="actions">
                  <button type="button" className="button" onClick={() => setAsking('decline')}>
                    {t.decline}
                  </button>
                  <button type="button" className="button primary" onClick={() => setAsking('approve')}>
                    {t.approve}
                  </button>
                </span>
              )}
            </div>
            <div className="box-body approval">
              <Asked name={name} asked={asked} />
              {!mayDecide && <p className="quiet">{t.approvalByMaintainers}</p>}
            </div>
            {asking && <Decision name={name} asked={asked} decision={asking} onClose={() => setAsking(undefined)} />}
          </>
        )}
      </Answer>
    </section>
  );
}

function Asked({ name, asked }: { name: ProjectName; asked: ApprovalDetail }) {
  const t = useMessages();
  const { pullRequest, workflows } = asked;
  return (
    <>
      <p>
        <bdi>{asked.why}</bdi>
      </p>
      <p className="meta">
        <CommitLink name={name} commit={asked.head} />
        <bdi>{asked.subject}</bdi>
        <span>
          {t.by} <bdi>{asked.personName}</bdi>
        </span>
        {pullRequest && (
          <bdi className="mono">
            #{pullRequest.number} {pullRequest.source} {pullRequest.sourceBranch} → {pullRequest.targetBranch}
          </bdi>
        )}
      </p>
      <h3>{t.wouldRun}</h3>
      <ul className="entries">
        {workflows.flatMap((workflow) =>
          workflow.steps.map((step) => (
            <li key={`${workflow.name}/${step.name}`} className="entry tall">
              <div className="grow">
                <b>
                  <bdi>
                    {workflow.name} / {step.name}
                  </bdi>
                </b>{' '}
                <bdi className="mono">{step.image}</bdi>
                {step.secrets.length > 0 && (
                  <small className="quiet block">{t.asksForSecrets({ names: step.secrets.join(', ') })}</small>
                )}
                {step.commands.length > 0 && <pre className="commit-message">{step.commands.join('\n')}</pre>}
              </div>
            </li>
          )),
        )}
      </ul>
      <h3>{t.fileDifference}</h3>
      {asked.diff === '' ? (
        <p className="quiet">{t.fileUnchanged}</p>
      ) : (
        // A region that scrolls has to be reached without a mouse.
        <pre className="plain-text difference" tabIndex={0} role="region" aria-label={t.fileDifference}>
          {asked.diff.split('\n').map((line, i) => (
            <span key={i} className={lineKind(line)}>
              {line === '' ? '\n' : line}
            </span>
          ))}
        </pre>
      )}
      {asked.isDiffCut && <p className="quiet">{t.differenceCut}</p>}
    </>
  );
}

/** Of a line of a unified difference. */
function lineKind(line: string): 'added' | 'removed' | undefined {
  if (line.startsWith('+') && !line.startsWith('+++ ')) return 'added';
  return line.startsWith('-') && !line.startsWith('--- ') ? 'removed' : undefined;
}

interface DecisionProps {
  readonly name: ProjectName;
  readonly asked: ApprovalDetail;
  readonly decision: 'approve' | 'decline';
  readonly onClose: () => void;
}

function Decision({ name, asked, decision, onClose }: DecisionProps) {
  const t = useMessages();
  const number = asked.pipeline;
  const isApproval = decision === 'approve';
  const decide = async (form: FormData): Promise<void> => {
    const { head, configuration } = asked;
    const withSecrets = form.get('withSecrets') !== null;
    await call('decideApproval', {
      params: { ...name, number },
      body: { decision, withSecrets, head, configuration },
    });
    toast(isApproval ? t.approved({ number }) : t.declined({ number }));
    onClose();
    await refresh('getPipeline', 'getApproval', 'listApprovals', 'listPipelines');
  };
  return (
    <FormDialog
      title={isApproval ? t.approvePipeline({ number }) : t.declinePipeline({ number })}
      description={isApproval ? t.approveHint({ commit: asked.head.slice(0, 8) }) : t.declineHint}
      action={isApproval ? t.approve : t.decline}
      isDangerous={!isApproval}
      onClose={onClose}
      onSubmit={decide}
    >
      {isApproval && <CheckField label={t.withSecrets} hint={t.withSecretsHint} name="withSecrets" />}
    </FormDialog>
  );
}

/** Pipelines of a project that wait for somebody, the oldest first. */
export function ApprovalList({ name }: { name: ProjectName }) {
  const t = useMessages();
  const approvals = useQuery(ask('listApprovals', { params: name }));
  return (
    <section className="box flush">
      <Answer query={approvals}>
        {({ items }) =>
          items.length === 0 ? (
            <EmptyState title={t.noApprovals}>
              <p>{t.approvalsHint}</p>
            </EmptyState>
          ) : (
            <ul className="entries">
              {items.map((asked) => (
                <li key={asked.pipeline} className="entry tall">
                  <div className="grow">
                    <Link to={pipelineAddress(name, asked.pipeline)}>
                      #{asked.pipeline} {asked.pullRequest?.title ?? asked.subject}
                    </Link>
                    <span className="block">
                      <bdi>{asked.why}</bdi>
                    </span>
                    <small className="quiet block">
                      <bdi>{asked.personName}</bdi> · <bdi className="mono">{asked.head.slice(0, 8)}</bdi> ·{' '}
                      <Ago at={asked.createdAt} />
                    </small>
                  </div>
                </li>
              ))}
            </ul>
          )
        }
      </Answer>
    </section>
  );
}
