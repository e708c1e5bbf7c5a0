import type { PipelineParameterView } from '../../../src/api/pipelines.ts';
import { useMessages } from '../../language.ts';
import { CheckField, fieldOf, SelectField, TextField } from '../../parts/field.tsx';

const fieldName = (name: string): string => `parameter-${name}`;

/** A field for each parameter that the pipeline file names, with its default. */
export function ParameterFields({ parameters }: { readonly parameters: readonly PipelineParameterView[] }) {
  return parameters.map((parameter) => <ParameterField key={parameter.name} parameter={parameter} />);
}

function ParameterField({ parameter }: { readonly parameter: PipelineParameterView }) {
  const t = useMessages();
  const { name, type, default: value, isRequired, options, description, pattern } = parameter;
  const mustBeGiven = isRequired && value === '';
  const field = { label: mustBeGiven ? t.requiredField(name) : name, name: fieldName(name) };
  const hints = [description, pattern === null ? '' : t.mustMatch(pattern)].filter((hint) => hint !== '');
  const hint = hints.length === 0 ? undefined : hints.join(' · ');
  if (type === 'boolean') return <CheckField {...field} hint={hint} defaultChecked={value === 'true'} />;
  if (type === 'choice')
    return (
      <SelectField {...field} hint={hint} defaultValue={value} required={mustBeGiven}>
        {value === '' && <option value="">{t.chooseValue}</option>}
        {options.map((option) => (
          <option key={option} value={option}>
            {option}
          </option>
        ))}
      </SelectField>
    );
  return (
    <TextField
      {...field}
      hint={hint}
      className="input mono"
      defaultValue={value}
      required={mustBeGiven}
      inputMode={type === 'number' ? 'decimal' : 'text'}
      spellCheck={false}
    />
  );
}

/** What was given; an empty field gives nothing, so that the default of the file counts. */
export function valuesOfFields(form: FormData, parameters: readonly PipelineParameterView[]): Record<string, string> {
  return Object.fromEntries(
    parameters.flatMap(({ name, type }) => {
      if (type === 'boolean') return [[name, form.has(fieldName(name)) ? 'true' : 'false']];
      const value = fieldOf(form, fieldName(name));
      return value === '' ? [] : [[name, value]];
    }),
  );
}
