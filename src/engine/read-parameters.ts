import type { DocumentReader, Fields } from './document-reader.ts';
import { LinearRegexp } from './expression/linear-regexp.ts';
import { RegexpError } from './expression/parse-regexp.ts';
import { keysAt } from './gantry-keys.ts';
import {
  findValueFault,
  type ParameterType,
  type PipelineParameter,
  parameterTypes,
  wholePattern,
} from './pipeline-parameters.ts';
import { isNull } from './yaml/scalar-type.ts';
import type { YamlEntry, YamlNode } from './yaml/yaml-node.ts';

/** Of one file. */
const maxParameters = 50;
const maxOptions = 100;
const maxTextLength = 500;
const maxPatternLength = 200;

const parameterKeys = keysAt('parameter');

/** Reads `parameters` of a document: a map of names, each with a map, or without a value for an optional text. */
export function readParameters(reader: DocumentReader, entry: YamlEntry | undefined): readonly PipelineParameter[] {
  const fields = reader.fields(entry?.value, '"parameters"');
  if (!entry || !fields) return [];
  if (fields.size > maxParameters)
    reader.add(
      'parameter.too-many',
      entry.key,
      `a file may have ${maxParameters} parameters, and this one has ${fields.size}`,
    );
  return [...fields].slice(0, maxParameters).flatMap(([name, { key, value }]) => {
    if (!isUsableName(reader, key, name)) return [];
    return readParameter(reader, key, value, name);
  });
}

function isUsableName(reader: DocumentReader, key: YamlNode, name: string): boolean {
  const isVariable = /^[A-Za-z_]\w{0,99}$/.test(name);
  const isOurs = /^(?:GANTRY|DRONE|CI|PLUGIN)(?:_|$)/.test(name);
  if (!isVariable)
    reader.add('parameter.name', key, `a parameter is a variable of the steps, and "${name}" is no name of one`);
  else if (isOurs)
    reader.add('parameter.name', key, `"${name}" is set by Gantry, so that no parameter can have this name`);
  return isVariable && !isOurs;
}

function readParameter(
  reader: DocumentReader,
  key: YamlNode,
  node: YamlNode,
  name: string,
): readonly PipelineParameter[] {
  const { line, within } = reader.positionOf(key);
  const plain: PipelineParameter = {
    name,
    type: 'string',
    default: '',
    isRequired: false,
    options: [],
    description: '',
    line,
    ...(within ? { within } : {}),
  };
  if (isNull(node)) return [plain];
  const what = `the parameter "${name}"`;
  const fields = reader.fields(node, what);
  if (!fields) return [];
  for (const [word, entry] of fields) if (!parameterKeys.has(word)) reader.unknownKey(entry.key, what, parameterKeys);
  const text = (word: string): string => shortText(reader, fields, word, what);
  const type = readType(reader, fields, what);
  if (!type) return [];
  const pattern = readPattern(reader, fields, type, what);
  const parameter: PipelineParameter = {
    ...plain,
    type,
    default: text('default'),
    isRequired: reader.boolean(fields.get('required')?.value, `"required" of ${what}`) ?? false,
    options: readOptions(reader, key, fields, type, what),
    description: text('description'),
    ...(pattern === undefined ? {} : { pattern }),
  };
  // One mistake, one finding: without options nothing can be one of them.
  const isJudged = parameter.default !== '' && (type !== 'choice' || parameter.options.length > 0);
  const fault = isJudged ? findValueFault(parameter, parameter.default) : undefined;
  if (fault !== undefined) reader.add('parameter.default', fields.get('default')?.value ?? key, `${what} ${fault}`);
  return [parameter];
}

function shortText(reader: DocumentReader, fields: Fields, word: string, what: string): string {
  const node = fields.get(word)?.value;
  const text = reader.text(node, `"${word}" of ${what}`) ?? '';
  if (!node || text.length <= maxTextLength) return text;
  reader.add(
    'parameter.too-many',
    node,
    `"${word}" of ${what} may have ${maxTextLength} characters, and has ${text.length}`,
  );
  return '';
}

function readType(reader: DocumentReader, fields: Fields, what: string): ParameterType | undefined {
  const entry = fields.get('type');
  const word = reader.text(entry?.value, `"type" of ${what}`);
  // A list of options says that it is a choice.
  if (!entry || word === undefined || word === '') return fields.has('options') ? 'choice' : 'string';
  const type = parameterTypes.find((one) => one === word);
  if (!type)
    reader.add('value.unknown', entry.value, `"type" of ${what} is "${word}", and takes ${parameterTypes.join(', ')}`);
  return type;
}

function readOptions(
  reader: DocumentReader,
  key: YamlNode,
  fields: Fields,
  type: ParameterType,
  what: string,
): readonly string[] {
  const entry = fields.get('options');
  if (type !== 'choice') {
    if (entry && !isNull(entry.value))
      reader.add('parameter.options', entry.key, `${what} has options, and only a choice may have them`);
    return [];
  }
  const options = reader.texts(entry?.value, `"options" of ${what}`).map((item) => item.text);
  if (options.length === 0 && entry?.value.kind !== 'map')
    reader.add('parameter.options', entry?.key ?? key, `${what} is a choice, and has no options`);
  if (options.length > maxOptions)
    reader.add(
      'parameter.too-many',
      entry?.key ?? key,
      `${what} may have ${maxOptions} options, and has ${options.length}`,
    );
  return [...new Set(options)].slice(0, maxOptions);
}

function readPattern(reader: DocumentReader, fields: Fields, type: ParameterType, what: string): string | undefined {
  const entry = fields.get('pattern');
  const pattern = reader.text(entry?.value, `"pattern" of ${what}`) ?? '';
  if (!entry || pattern === '') return undefined;
  const fault = type === 'string' ? patternFault(pattern) : 'only a string may have one';
  if (fault === undefined) return pattern;
  reader.add('parameter.pattern', entry.value, `"pattern" of ${what} cannot be used: ${fault}`);
  return undefined;
}

function patternFault(pattern: string): string | undefined {
  if (pattern.length > maxPatternLength) return `it has more than ${maxPatternLength} characters`;
  try {
    return new LinearRegexp(wholePattern(pattern)).size > 0 ? undefined : 'it is empty';
  } catch (error) {
    if (error instanceof RegexpError) return error.message;
    throw error;
  }
}
