import type { DocumentReader, Fields } from './document-reader.ts';
import { isNull } from './yaml/scalar-type.ts';

/**
 * A sentence when `labels` or `platform` of a file of Drone 0.8 or Woodpecker ask for a runner that is not there;
 * `ours` is the platform on which steps will run.
 */
export function readRouting(reader: DocumentReader, fields: Fields, ours: string): string | undefined {
  const platform = reader.text(fields.get('platform')?.value, '"platform"') ?? '';
  const wanted: string[] = platform === '' || platform === ours ? [] : [`the platform ${platform}`];
  for (const [name, label] of readLabels(reader, fields)) {
    if (label === '' || (name === 'platform' && label === ours)) continue;
    wanted.push(name === 'platform' ? `the platform ${label}` : `the label ${name}=${label}`);
  }
  return wanted.length === 0 ? undefined : `no runner has ${wanted.join(' and ')}`;
}

/** A map, or a list of `NAME=value`. */
function readLabels(reader: DocumentReader, fields: Fields): (readonly [name: string, label: string])[] {
  const labels = fields.get('labels')?.value;
  if (labels?.kind === 'list')
    return reader.texts(labels, '"labels"').map(({ text }) => {
      const at = text.indexOf('=');
      return at < 0 ? ([text, ''] as const) : ([text.slice(0, at), text.slice(at + 1)] as const);
    });
  return [...(reader.fields(labels, '"labels"') ?? [])].map(([name, { value }]) => [
    name,
    isNull(value) ? '' : (reader.text(value, `the label "${name}"`) ?? ''),
  ]);
}
