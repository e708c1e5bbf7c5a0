import type { SecretReference } from '../core/plan.ts';
import { type DocumentReader, nounOf } from './document-reader.ts';
import type { Given } from './read-settings.ts';
import { readEncoded } from './read-settings.ts';
import { isVariableName } from './read-step.ts';
import { isNull } from './yaml/scalar-type.ts';
import type { YamlNode } from './yaml/yaml-node.ts';

/** What containers of Drone 0.8 and Woodpecker have in common: forms that Drone 1.x gave up (pipelines.md 9.2, 11.3). */

/** A text or a list of texts. */
export function readTexts(reader: DocumentReader, node: YamlNode | undefined, what: string): string[] {
  return reader.items(node, what).flatMap((item) => {
    if (isNull(item)) return [];
    if (item.kind === 'map') {
      reader.add(
        'step.command-map',
        item,
        `an item of ${what} reads as a map, since it contains ": ": put the whole line in quotes`,
      );
      return [];
    }
    const text = reader.text(item, `each item of ${what}`);
    return text === undefined ? [] : [text];
  });
}

/** `environment`: a map, or a list of `NAME=value`. Values are texts in Drone 0.8 and settings in Woodpecker. */
export function readContainerEnvironment(reader: DocumentReader, node: YamlNode | undefined, step: string): Given {
  const given: Given = { values: {}, secrets: [] };
  if (!node || isNull(node)) return given;
  if (node.kind === 'list') {
    for (const item of node.items) {
      const text = isNull(item) ? '' : (reader.text(item, `each variable of step "${step}"`) ?? '');
      const at = text.indexOf('=');
      const name = at < 0 ? text : text.slice(0, at);
      if (isVariableName(name)) given.values[name] = at < 0 ? '' : text.slice(at + 1);
      else reader.add('environment.name', item, `a variable of step "${step}" has no usable name`);
    }
    return given;
  }
  for (const [name, { key, value }] of reader.fields(node, `"environment" of step "${step}"`) ?? []) {
    if (!isVariableName(name)) reader.add('environment.name', key, `a variable of step "${step}" has no usable name`);
    else if (reader.rules.dialect === 'woodpecker') readEncoded(reader, given, name, value, `the variable "${name}"`);
    else if (!isNull(value)) {
      const text = reader.text(value, `the variable "${name}"`);
      if (text !== undefined) given.values[name] = text;
    }
  }
  return given;
}

/**
 * `secrets`: names, or maps of `source` and `target`. The variable is the target in upper case; Woodpecker sets it as
 * written too.
 */
export function readSecretList(reader: DocumentReader, node: YamlNode | undefined, step: string): SecretReference[] {
  const { requiresSecrets: isRequired, dialect } = reader.rules;
  return reader.items(node, `"secrets" of step "${step}"`).flatMap((item) => {
    const found = item.kind === 'map' ? readSourceAndTarget(reader, item, step) : nameOf(reader, item, step);
    if (!found) return [];
    const { source, target } = found;
    const variables = dialect === 'woodpecker' ? new Set([target, target.toUpperCase()]) : [target.toUpperCase()];
    return [...variables].map((variable) => ({ variable, secret: source.toLowerCase(), isRequired }));
  });
}

interface SourceAndTarget {
  readonly source: string;
  readonly target: string;
}

function nameOf(reader: DocumentReader, node: YamlNode, step: string): SourceAndTarget | undefined {
  const name = reader.text(node, `each of "secrets" of step "${step}"`)?.trim() ?? '';
  if (isVariableName(name)) return { source: name, target: name };
  if (node.kind === 'scalar') reader.add('secret.name', node, `${nounOf(node)} names no secret`);
  return undefined;
}

function readSourceAndTarget(reader: DocumentReader, node: YamlNode, step: string): SourceAndTarget | undefined {
  const fields = reader.fields(node, `each of "secrets" of step "${step}"`);
  for (const [name, { key }] of fields ?? [])
    if (name !== 'source' && name !== 'target') reader.add('key.unknown', key, `a secret has no key "${name}"`);
  const source = reader.text(fields?.get('source')?.value, '"source" of a secret')?.trim() ?? '';
  const target = reader.text(fields?.get('target')?.value, '"target" of a secret')?.trim() || source;
  if (source !== '' && isVariableName(target)) return { source, target };
  reader.add('secret.name', node, `a secret of step "${step}" needs a "source"`);
  return undefined;
}
