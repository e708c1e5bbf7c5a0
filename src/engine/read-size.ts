import { type DocumentReader, nounOf } from './document-reader.ts';
import type { YamlNode } from './yaml/yaml-node.ts';

/** Letters of Docker (`512m`, powers of 1024) and Kubernetes (`512Mi`, `1G`), and our own (`512MiB`), in lower case. */
const unitBytes: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  k: 2 ** 10,
  kb: 2 ** 10,
  ki: 2 ** 10,
  kib: 2 ** 10,
  m: 2 ** 20,
  mb: 2 ** 20,
  mi: 2 ** 20,
  mib: 2 ** 20,
  g: 2 ** 30,
  gb: 2 ** 30,
  gi: 2 ** 30,
  gib: 2 ** 30,
};

/** A size in bytes, as files of all dialects write it; what is none is found at its place. */
export function readSizeBytes(reader: DocumentReader, node: YamlNode, what: string): number | undefined {
  const text = reader.text(node, what);
  if (text === undefined) return undefined;
  const [, number, unit = ''] = /^(\d{1,12}(?:\.\d{1,3})?)\s*([A-Za-z]*)$/.exec(text.trim()) ?? [];
  const bytes = Math.round(Number(number) * (unitBytes[unit.toLowerCase()] ?? Number.NaN));
  if (number !== undefined && bytes > 0 && Number.isSafeInteger(bytes)) return bytes;
  reader.add('value.type', node, `${what} must be a size such as 512MiB, and is ${nounOf(node)}`);
  return undefined;
}
