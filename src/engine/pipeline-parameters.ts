import type { IncludedPlace } from '../core/included-place.ts';
import type { FileEvent } from './compile-input.ts';
import { LinearRegexp } from './expression/linear-regexp.ts';

export const parameterTypes = ['string', 'number', 'boolean', 'choice'] as const;

export type ParameterType = (typeof parameterTypes)[number];

/** What a `.gantry.yml` says that whoever starts it by hand may choose. */
export interface PipelineParameter {
  readonly name: string;
  readonly type: ParameterType;
  /** Empty = none. */
  readonly default: string;
  /** A start by hand must give it, unless it has a default. */
  readonly isRequired: boolean;
  /** Of a choice; empty for other types. */
  readonly options: readonly string[];
  readonly description: string;
  /** Regular expression that the whole of a text must match. */
  readonly pattern?: string;
  readonly line: number;
  /** Its place in an included file. */
  readonly within?: IncludedPlace | undefined;
}

/** Why a parameter may not have a value; `name` is that of the parameter. */
export interface ParameterFault {
  readonly name: string;
  /** A sentence without its end point. */
  readonly message: string;
}

/** Events at which somebody gave the parameters, and could have given others. */
const byHand: ReadonlySet<FileEvent> = new Set(['manual', 'promote', 'rollback']);

/** What is wrong with the values of an event. A file without parameters takes any. */
export function findParameterFaults(
  parameters: readonly PipelineParameter[],
  given: Readonly<Record<string, string>>,
  event: FileEvent,
): readonly ParameterFault[] {
  if (parameters.length === 0) return [];
  const faults: ParameterFault[] = [];
  for (const parameter of parameters) {
    const value = Object.hasOwn(given, parameter.name) ? given[parameter.name] : undefined;
    const isMissing = (value ?? parameter.default) === '';
    const message = value === undefined || value === '' ? undefined : findValueFault(parameter, value);
    if (message !== undefined)
      faults.push({ name: parameter.name, message: `the parameter ${parameter.name} ${message}` });
    else if (isMissing && parameter.isRequired && byHand.has(event))
      faults.push({ name: parameter.name, message: `the parameter ${parameter.name} is required, and has no value` });
  }
  if (!byHand.has(event)) return faults;
  const names = parameters.map(({ name }) => name);
  for (const name of Object.keys(given))
    if (!names.includes(name))
      faults.push({ name, message: `the file has no parameter ${name}, and takes ${names.join(', ')}` });
  return faults;
}

/** What comes behind "the parameter NAME"; `undefined` for a value that it may have. */
export function findValueFault(
  { type, options, pattern }: Pick<PipelineParameter, 'type' | 'options' | 'pattern'>,
  value: string,
): string | undefined {
  const shown = `"${value.length > 60 ? `${value.slice(0, 60)}…` : value}"`;
  switch (type) {
    case 'number':
      return /^-?\d{1,30}(\.\d{1,30})?$/.test(value) ? undefined : `is a number, and ${shown} is none`;
    case 'boolean':
      return value === 'true' || value === 'false' ? undefined : `is true or false, and not ${shown}`;
    case 'choice':
      return options.includes(value) ? undefined : `is one of ${options.join(', ')}, and not ${shown}`;
    case 'string':
      return pattern === undefined || matchesWhole(pattern, value)
        ? undefined
        : `must match ${pattern}, and ${shown} does not`;
  }
}

/** Its matching is linear, and bounded by the sizes of a pattern and a value. */
function matchesWhole(pattern: string, value: string): boolean {
  return new LinearRegexp(wholePattern(pattern)).test(value, () => {});
}

export function wholePattern(pattern: string): string {
  return `^(?:${pattern})$`;
}

/** The values of a run: those that were given, and for the others what the file says. */
export function withDefaults(
  parameters: readonly PipelineParameter[],
  given: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  const values: Record<string, string> = { ...given };
  for (const { name, type, default: value } of parameters)
    if (!Object.hasOwn(given, name) || (given[name] === '' && value !== ''))
      values[name] = value === '' && type === 'boolean' ? 'false' : value;
  return values;
}
