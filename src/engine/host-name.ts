import type { DocumentReader } from './document-reader.ts';
import type { YamlNode } from './yaml/yaml-node.ts';

/** RFC 1123, with the underscore that names of containers may have. */
const hostNamePattern = /^[A-Za-z0-9_]([A-Za-z0-9_.-]{0,98}[A-Za-z0-9_])?$/;

/** The name by which others reach a step that runs beside them; `undefined` when its own is none, which is found. */
export function readHostName(reader: DocumentReader, at: YamlNode, name: string): string | undefined {
  if (hostNamePattern.test(name)) return name;
  if (name !== '')
    reader.add('step.host-name', at, `"${name}" is no name of a host: others reach this step at localhost only`);
  return undefined;
}
