import type { DocumentReader } from './document-reader.ts';
import { isBuilderPlugin } from './well-known-plugins.ts';
import type { YamlNode } from './yaml/yaml-node.ts';

/**
 * An image that builds images needs a builder; as a plain container it would fail after minutes. With commands or an
 * entrypoint of its own it is an image like any other (pipelines.md 8a).
 */
export function refuseBuilder(
  reader: DocumentReader,
  at: YamlNode,
  step: string,
  image: string,
  runsOwnProgram: boolean,
): void {
  if (runsOwnProgram || !isBuilderPlugin(image)) return;
  reader.add('key.unsupported', at, `step "${step}" builds an image with "${image}", which Gantry does not support`);
}
