import type { EncryptedSecret } from '../core/encrypted-secret.ts';
import type { DocumentReader, Fields } from './document-reader.ts';
import { keysAt } from './gantry-keys.ts';
import type { Position } from './source-position.ts';
import type { YamlNode } from './yaml/yaml-node.ts';

/** A document of the kind `secret`, with the place of its value. */
export interface WrittenSecret extends EncryptedSecret {
  readonly at: Position;
}

/** Of Drone's own words for it (pipelines.md 10.8): a type has no effect, and what is kept elsewhere is not asked for. */
const droneKeys = new Set([...keysAt('secretDocument'), 'type', 'get']);

/** Reads a secret whose value stands encrypted in the file; `undefined` with a finding when it is none. */
export function readSecretDocument(reader: DocumentReader, root: YamlNode, fields: Fields): WrittenSecret | undefined {
  const isGantry = reader.rules.dialect === 'gantry';
  const known = isGantry ? keysAt('secretDocument') : droneKeys;
  for (const [key, entry] of fields) if (!known.has(key)) reader.unknownKey(entry.key, 'a secret', known);
  const external = isGantry ? undefined : fields.get('get');
  if (external) {
    reader.add(
      'document.kind-unsupported',
      external.key,
      'Gantry asks no other system for secrets: store this one with "gantry secret set"',
    );
    return undefined;
  }
  const name = reader.text(fields.get('name')?.value, '"name" of a secret')?.toLowerCase();
  if (name === undefined || name === '') {
    reader.add('secret.name', fields.get('name')?.key ?? root, 'a secret in the file needs a "name"');
    return undefined;
  }
  const entry = fields.get('data');
  const data = reader.text(entry?.value, '"data" of a secret');
  if (entry && data !== undefined && data.trim() !== '') return { name, data, at: reader.positionOf(entry.value) };
  if (!entry || data !== undefined || entry.value.kind === 'scalar')
    reader.add(
      'secret.value',
      entry?.key ?? root,
      `the secret "${name}" has no value: write "data:" with what "gantry secret encrypt" gives`,
    );
  return undefined;
}
