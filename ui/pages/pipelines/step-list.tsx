import type { PipelineDetail, StepView, WorkflowView } from '../../../src/api/pipelines.ts';
import { useMessages } from '../../language.ts';
import { isBad, StatusMark } from '../../parts/status.tsx';
import { Duration } from '../../parts/time.tsx';
import { groupByMatrix, isUnfolded, statusOfGroup } from './matrix-groups.ts';

interface StepListProps {
  readonly pipeline: PipelineDetail;
  readonly selectedId: number | undefined;
  readonly onSelect: (step: StepView) => void;
  /** The pointer or the focus is on it: it may be selected next. */
  readonly onApproach: (step: StepView) => void;
}

/** The steps by workflow, services apart; one of them is selected. */
export function StepList({ pipeline, ...choice }: StepListProps) {
  const t = useMessages();
  const own = ({ name }: WorkflowView, isService: boolean): readonly StepView[] =>
    pipeline.steps.filter((step) => step.workflow === name && (step.kind === 'service') === isService);
  const isMany = pipeline.workflows.length > 1;
  const section = (workflow: WorkflowView) => (
    <div key={workflow.name}>
      {isMany && (
        <h2>
          <StatusMark status={workflow.status} bare /> <bdi>{workflow.name}</bdi>
        </h2>
      )}
      <StepRows steps={own(workflow, false)} {...choice} />
      {own(workflow, true).length > 0 && (
        <>
          <p>{t.services}</p>
          <StepRows label={t.services} steps={own(workflow, true)} {...choice} />
        </>
      )}
    </div>
  );
  const isChosen = ({ name }: WorkflowView): boolean =>
    pipeline.steps.some((step) => step.workflow === name && step.id === choice.selectedId);
  return (
    <nav className="step-list" aria-label={t.steps} tabIndex={0}>
      {groupByMatrix(pipeline.workflows).map(({ name, workflows }) => {
        if (workflows.length === 1) return workflows.map(section);
        const folded = workflows.filter((workflow) => !isUnfolded(workflow));
        return (
          <div key={name} className="matrix-group">
            <h2>
              <StatusMark status={statusOfGroup(workflows)} bare /> <bdi>{name}</bdi>{' '}
              <span className="quiet number">{t.matrixSets({ count: workflows.length })}</span>
            </h2>
            {workflows.filter(isUnfolded).map(section)}
            {folded.length > 0 && (
              <details open={folded.some(isChosen)}>
                <summary>
                  {folded.length === workflows.length ? t.allSets : t.otherSets({ count: folded.length })}{' '}
                  <StatusCounts statuses={folded.map(({ status }) => status)} />
                </summary>
                {folded.map(section)}
              </details>
            )}
          </div>
        );
      })}
    </nav>
  );
}

/** How many there are of each status. */
function StatusCounts({ statuses }: { statuses: readonly WorkflowView['status'][] }) {
  const counts = Map.groupBy(statuses, (status) => status);
  return (
    <>
      {[...counts].map(([status, all]) => (
        <span key={status} className="status-count">
          <StatusMark status={status} bare /> {all.length}
        </span>
      ))}
    </>
  );
}

interface StepRowsProps extends Omit<StepListProps, 'pipeline'> {
  /** Of the list, where it is not that of the steps. */
  readonly label?: string;
  readonly steps: readonly StepView[];
}

function StepRows({ label, steps, selectedId, onSelect, onApproach }: StepRowsProps) {
  const t = useMessages();
  return (
    <ul aria-label={label}>
      {steps.map((step) => (
        <li key={step.id}>
          <button
            type="button"
            aria-current={step.id === selectedId ? 'step' : undefined}
            onClick={() => onSelect(step)}
            onPointerEnter={() => onApproach(step)}
            onFocus={() => onApproach(step)}
          >
            <StatusMark status={step.status} bare />
            <bdi className="name">{step.name}</bdi>
            {step.kind === 'detached' && <span className="tag">{t.detached}</span>}
            {step.reusedFrom && <span className="tag">{t.reused}</span>}
            {step.isIgnored && isBad(step.status) && <span className="tag">{t.ignored}</span>}
            <em>
              <Duration from={step.startedAt} to={step.finishedAt} />
            </em>
          </button>
        </li>
      ))}
    </ul>
  );
}
