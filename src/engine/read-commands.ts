import type { DocumentReader } from './document-reader.ts';
import { isNull } from './yaml/scalar-type.ts';
import type { YamlNode } from './yaml/yaml-node.ts';

/** `commands` of a step, without the empty ones; a line that reads as a map gets the hint to quote it. */
export function readCommands(reader: DocumentReader, node: YamlNode | undefined, step: string): string[] {
  const commands: string[] = [];
  for (const item of reader.items(node, `"commands" of step "${step}"`)) {
    if (item.kind === 'map') {
      reader.add(
        'step.command-map',
        item,
        `a command of step "${step}" reads as a map, since it contains ": ": put the whole line in quotes`,
      );
      continue;
    }
    const command = isNull(item) ? '' : reader.text(item, `each command of step "${step}"`);
    if (command !== undefined && command !== '') commands.push(command);
  }
  return commands;
}
