import type { PortPlan } from '../core/plan.ts';
import { parsePort } from '../lib/parse-port.ts';
import { type DocumentReader, nounOf } from './document-reader.ts';
import type { YamlNode } from './yaml/yaml-node.ts';

const maxPorts = 32;

/**
 * `ports`: on which a service listens, as `5432` or `53/udp`. Of a mapping for the host (`8080:80`) the second counts,
 * and is found: nothing is reachable from the host.
 */
export function readPorts(reader: DocumentReader, node: YamlNode | undefined, step: string): readonly PortPlan[] {
  if (!node) return [];
  return reader
    .texts(node, `"ports" of step "${step}"`)
    .slice(0, maxPorts)
    .flatMap(({ text, node: item }): readonly PortPlan[] => {
      const own = text.slice(text.lastIndexOf(':') + 1);
      const port = parsePort(own);
      if (!port) reader.add('value.type', item, `${nounOf(item)} is no port of step "${step}": write 5432 or 53/udp`);
      else if (own !== text)
        reader.add(
          'key.no-effect',
          item,
          `"${text}" opens no port of the host: the steps reach port ${port.port} of "${step}"`,
        );
      return port ? [port] : [];
    });
}
