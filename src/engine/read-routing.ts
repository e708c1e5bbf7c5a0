import type { RoutingPlan } from '../core/routing.ts';
import { asksForNothing } from './asks-for-nothing.ts';
import type { DocumentReader, Fields } from './document-reader.ts';
import { isNull } from './yaml/scalar-type.ts';
import type { YamlNode } from './yaml/yaml-node.ts';

/** Systems that pipelines are written for (pipelines.md 10.2). */
const systems: ReadonlySet<string> = new Set(['linux', 'windows']);
const architectures: ReadonlySet<string> = new Set(['amd64', 'arm64', 'arm', '386', 'ppc64le', 's390x', 'riscv64']);
const maxLabels = 32;

/** `labels` and `platform` of a file of Drone 0.8 or Woodpecker: what its runner must have. Empty labels do not count. */
export function readRouting(reader: DocumentReader, fields: Fields): RoutingPlan | undefined {
  const platform = reader.text(fields.get('platform')?.value, '"platform"') ?? '';
  const labels = readLabels(reader, fields).filter(([, value]) => value !== '');
  return routingOf(platform, labels, false);
}

/**
 * `platform` and `node` of Drone 1.x and `.gantry.yml`. The labels of Drone are to be the runner's own, no more and no
 * fewer; in `.gantry.yml` the runner may have others.
 */
export function readNodeRouting(reader: DocumentReader, fields: Fields): RoutingPlan | undefined {
  const node = fields.get('node')?.value;
  const labels = [...(reader.fields(node, '"node"') ?? [])].map(
    ([name, { value }]) => [name, isNull(value) ? '' : (reader.text(value, `the label "${name}"`) ?? '')] as const,
  );
  return routingOf(readPlatform(reader, fields.get('platform')?.value), labels, reader.rules.dialect === 'drone1');
}

function routingOf(
  platform: string,
  labels: readonly (readonly [name: string, value: string])[],
  isExact: boolean,
): RoutingPlan | undefined {
  const counted = labels.slice(0, maxLabels);
  if (platform === '' && counted.length === 0) return undefined;
  return {
    ...(platform === '' ? {} : { platform }),
    ...(counted.length === 0 ? {} : { labels: Object.fromEntries(counted) }),
    ...(counted.length > 0 && isExact ? { isExact } : {}),
  };
}

/** `{os, arch, variant}` as `linux/arm64`; empty when it asks for nothing. */
function readPlatform(reader: DocumentReader, node: YamlNode | undefined): string {
  if (!node || asksForNothing(node)) return '';
  const fields = reader.fields(node, '"platform"');
  const part = (name: string, fallback: string): string =>
    reader.text(fields?.get(name)?.value, `"${name}" of "platform"`) || fallback;
  for (const [name, { key }] of fields ?? [])
    if (!['os', 'arch', 'variant', 'version'].includes(name))
      reader.unknownKey(key, '"platform"', ['os', 'arch', 'variant', 'version']);
  const [os, arch, variant] = [part('os', 'linux'), part('arch', 'amd64'), part('variant', '')];
  if (!systems.has(os))
    reader.add('workflow.platform', fields?.get('os')?.value ?? node, `"os" is "${os}", and takes linux or windows`);
  else if (!architectures.has(arch))
    reader.add(
      'workflow.platform',
      fields?.get('arch')?.value ?? node,
      `"arch" is "${arch}", and takes ${[...architectures].join(', ')}`,
    );
  return variant === '' ? `${os}/${arch}` : `${os}/${arch}/${variant}`;
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
