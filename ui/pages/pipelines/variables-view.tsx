import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import type { ConditionValueView, VariableOfStepView } from '../../../src/api/inspection.ts';
import type { PipelineDetail, StepView } from '../../../src/api/pipelines.ts';
import type { ProjectName } from '../../addresses.ts';
import { ask } from '../../api.ts';
import { useMessages } from '../../language.ts';
import { Answer } from '../../parts/answers.tsx';
import { CopyButton } from '../../parts/copy.tsx';
import { Icon } from '../../parts/icons.tsx';

interface VariablesViewProps {
  readonly name: ProjectName;
  readonly pipeline: PipelineDetail;
  readonly selectedId: number | undefined;
  readonly onSelect: (step: StepView) => void;
}

/** What the selected step was given, by name, and what its conditions compared with. */
export function VariablesView({ name, pipeline, selectedId, onSelect }: VariablesViewProps) {
  const t = useMessages();
  const [wanted, setWanted] = useState('');
  const { steps, workflows } = pipeline;
  const step = steps.find(({ id }) => id === selectedId) ?? steps[0];
  const variables = useQuery({
    ...ask('listStepVariables', { params: { ...name, number: pipeline.number, step: step?.id ?? 0 } }),
    enabled: step !== undefined,
  });
  if (!step) return null;
  return (
    <>
      <div className="inspect-bar">
        <label>
          {t.step}{' '}
          <select
            className="input small"
            value={step.id}
            onChange={(event) => {
              const next = steps.find(({ id }) => id === Number(event.target.value));
              if (next) onSelect(next);
            }}
          >
            {steps.map((one) => (
              <option key={one.id} value={one.id}>
                {workflows.length > 1 ? `${one.workflow}/${one.name}` : one.name}
              </option>
            ))}
          </select>
        </label>
        <input
          type="search"
          className="input small"
          aria-label={t.searchVariables}
          placeholder={t.searchVariables}
          value={wanted}
          onChange={(event) => setWanted(event.target.value)}
        />
      </div>
      <Answer query={variables}>
        {(answer) => (
          <>
            {answer.hidesVariables && <p className="notice">{t.hiddenVariables}</p>}
            {!answer.hasStarted && <p className="notice">{t.variablesBeforeStart}</p>}
            <Conditions conditions={answer.conditions} />
            <VariableTable variables={answer.variables} wanted={wanted} />
          </>
        )}
      </Answer>
    </>
  );
}

/** Each key of conditions with the values that it was compared with. */
export function Conditions({ conditions }: { conditions: readonly ConditionValueView[] }) {
  const t = useMessages();
  if (conditions.length === 0) return null;
  return (
    <div className="inspect-bar">
      <span className="quiet">{t.conditionsSaw}</span>
      <ul className="value-chips" aria-label={t.conditionsSaw}>
        {conditions.map(({ key, values }) => (
          <li key={key} className="tag">
            <code>
              {key} = {values.join(', ')}
            </code>
          </li>
        ))}
      </ul>
    </div>
  );
}

function VariableTable({ variables, wanted }: { variables: readonly VariableOfStepView[]; wanted: string }) {
  const t = useMessages();
  const words = wanted.toLowerCase().split(/\s+/).filter(Boolean);
  const sourceOf = ({ source }: VariableOfStepView): string =>
    source === null ? t.unknownSource : t.variableSource[source];
  const found = variables.filter((variable) => {
    const text =
      `${variable.name} ${variable.value ?? ''} ${variable.secret ?? ''} ${sourceOf(variable)}`.toLowerCase();
    return words.every((word) => text.includes(word));
  });
  return (
    <>
      <div className="inspect-bar">
        <span className="quiet number" role="status">
          {t.variablesFound({ count: found.length, all: variables.length })}
        </span>
        <span className="spacer" />
        <CopyButton
          wide
          label={t.copyVariables}
          text={() => found.flatMap(({ name, value }) => (value === null ? [] : [`${name}=${value}`])).join('\n')}
        />
      </div>
      <div className="scroll variable-scroll" role="group" tabIndex={0} aria-label={t.variablesOfStep}>
        <table className="variables">
          <thead>
            <tr>
              <th scope="col">{t.name}</th>
              <th scope="col">{t.value}</th>
              <th scope="col">{t.variableSourceLabel}</th>
            </tr>
          </thead>
          <tbody>
            {found.map((variable) => (
              <tr key={variable.name}>
                <th scope="row">
                  <code>{variable.name}</code>
                </th>
                <td>
                  <Value variable={variable} />
                </td>
                <td className="quiet">{sourceOf(variable)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </>
  );
}

function Value({ variable: { value, secret } }: { variable: VariableOfStepView }) {
  const t = useMessages();
  if (value !== null) return <code className="wrap">{value === '' ? ' ' : value}</code>;
  return (
    <span className="tag">
      <Icon name="lock" size={12} />
      {secret === null ? (
        t.maskedValue
      ) : (
        <span>
          {t.maskedSecret} <code>{secret}</code>
        </span>
      )}
    </span>
  );
}
