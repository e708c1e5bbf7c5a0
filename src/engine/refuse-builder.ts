import type { DocumentReader } from './document-reader.ts';
import { isBuilderPlugin } from './well-known-plugins.ts';
import type { YamlNode } from './yaml/yaml-node.ts';

/** An image that builds images needs a builder; as a plain container it would fail after minutes. */
export function refuseBuilder(
  reader: DocumentReader,
  at: YamlNode,
  step: string,
  image: string,
  commands: readonly string[],
): void {
  if (commands.length > 0 || !isBuilderPlugin(image)) return;
  reader.add('key.unsupported', at, `step "${step}" builds an image with "${image}", which Gantry does not support`);
}
