import type { SecretReference } from '../core/plan.ts';
import type { DocumentReader } from './document-reader.ts';
import { encodeSetting } from './encode-setting.ts';
import { setVariable } from './layered-variables.ts';
import type { Position } from './source-position.ts';
import type { YamlNode } from './yaml/yaml-node.ts';

/** Variables with values, and variables that receive secrets. */
export interface Given {
  readonly values: Record<string, string>;
  readonly secrets: SecretReference[];
  /** Of settings: where each stands, in the order of the file. */
  readonly nodes: WrittenSetting[];
}

/** A setting, by its name in the file. */
export interface WrittenSetting {
  readonly name: string;
  readonly at: Position;
}

/** To read into. */
export function nothingGiven(): Given {
  return { values: {}, secrets: [], nodes: [] };
}

/** Each of them carries the whole value with it, so their number is limited. */
const maxSecretsOfValue = 32;

/** `PLUGIN_<NAME>`: in upper case, `-` and `.` as the dialect has them (pipelines.md 4). */
function settingVariable(reader: DocumentReader, name: string): string {
  const upper = name.toUpperCase();
  return `PLUGIN_${reader.rules.settingNames === 'underscored' ? upper.replaceAll(/[-.]/g, '_') : upper}`;
}

/** Encodes one value as its dialect does, into `given`; what has no form is found at its line. */
export function readEncoded(
  reader: DocumentReader,
  given: Given,
  variable: string,
  node: YamlNode,
  what: string,
): void {
  const encoded = encodeSetting(node, reader.rules);
  const { requiresSecrets: isRequired } = reader.rules;
  switch (encoded.kind) {
    case 'unset':
      return;
    case 'value':
      if (encoded.text.includes('\0'))
        reader.add('value.type', node, `${what} holds a NUL character, which no program can be given`);
      else setVariable(given.values, variable, encoded.text);
      return;
    case 'secret':
      if (encoded.name.trim() === '') reader.add('secret.name', node, `"from_secret" of ${what} names no secret`);
      else given.secrets.push({ variable, secret: encoded.name, isRequired });
      return;
    case 'composed': {
      const secrets = new Set(encoded.parts.flatMap((part) => (typeof part === 'string' ? [] : [part.secret])));
      if (secrets.size > maxSecretsOfValue)
        reader.add('value.type', node, `${what} holds ${secrets.size} secrets, and may hold ${maxSecretsOfValue}`);
      else for (const secret of secrets) given.secrets.push({ variable, secret, isRequired, parts: encoded.parts });
      return;
    }
    case 'error':
      reader.add('value.type', node, `${what} has no form as a variable: ${encoded.message}`);
  }
}

/** Reads a map of settings. */
export function readSettings(reader: DocumentReader, node: YamlNode | undefined, step: string): Given {
  const given = nothingGiven();
  const fields = node && reader.fields(node, `"settings" of step "${step}"`);
  for (const [name, { key, value }] of fields ?? []) readSetting(reader, given, name, key, value);
  return given;
}

/** Reads one setting of a plugin into `given`. */
export function readSetting(reader: DocumentReader, given: Given, name: string, key: YamlNode, value: YamlNode): void {
  const variable = settingVariable(reader, name);
  if (/[=\0]/.test(variable)) reader.add('environment.name', key, 'a setting has no usable name');
  else {
    given.nodes.push({ name, at: reader.positionOf(key) });
    readEncoded(reader, given, variable, value, `the setting "${name}"`);
  }
}
