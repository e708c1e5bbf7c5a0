import type { DocumentReader } from './document-reader.ts';
import { isNull } from './yaml/scalar-type.ts';
import type { YamlNode } from './yaml/yaml-node.ts';

/**
 * `entrypoint` or `command`: a list, or a single text, which Drone 0.8 splits into words as a shell does (pipelines.md
 * 9.2). `undefined` when it is absent.
 */
export function readArguments(
  reader: DocumentReader,
  node: YamlNode | undefined,
  what: string,
): readonly string[] | undefined {
  if (!node || isNull(node)) return undefined;
  if (node.kind === 'scalar' && reader.rules.dialect === 'drone08') return splitWords(reader.text(node, what) ?? '');
  return reader
    .items(node, what)
    .flatMap((item) => (isNull(item) ? [''] : (reader.text(item, `each item of ${what}`) ?? [])));
}

/** Words of a command line: quotes and backslashes count, nothing is expanded. */
function splitWords(text: string): string[] {
  const words: string[] = [];
  for (const [word] of text.matchAll(/(?:[^\s"'\\]|\\.|"(?:[^"\\]|\\.)*"|'[^']*')+/gs))
    words.push(
      word.replaceAll(/\\(.)|"((?:[^"\\]|\\.)*)"|'([^']*)'/gs, (_all, escaped, double, single: string | undefined) =>
        typeof escaped === 'string'
          ? escaped
          : typeof double === 'string'
            ? double.replaceAll(/\\(["\\])/g, '$1')
            : (single ?? ''),
      ),
    );
  return words;
}
