import { asksForNothing } from './asks-for-nothing.ts';
import type { DocumentReader } from './document-reader.ts';
import { containerEntries } from './read-containers-file.ts';
import { isClonePlugin } from './well-known-plugins.ts';
import type { WorkflowDraft } from './workflow-draft.ts';
import { isNull } from './yaml/scalar-type.ts';
import type { YamlEntry } from './yaml/yaml-node.ts';

/** Settings of a checkout plugin that change nothing here: the checkout is complete, and uses no network. */
const withoutEffect = new Set(['image', 'name', 'pull', 'tags', 'skip_verify', 'partial', 'fetch_tags', 'when']);

/**
 * The checkout of Drone 0.8 and Woodpecker: `clone:` may name a container, and the well-known ones run natively
 * (pipelines.md 8a). Any other container is refused, since the workspace would stay empty.
 */
export function readCloneContainers(
  reader: DocumentReader,
  entry: YamlEntry | undefined,
  isDisabled: boolean,
  documentLine: number,
): WorkflowDraft['clone'] {
  const clone = { isDisabled, depth: 0, line: entry ? reader.positionOf(entry.key).line : documentLine };
  if (!entry || isNull(entry.value) || isDisabled) return clone;
  for (const { name, key, value } of containerEntries(reader, entry.value, '"clone"')) {
    const fields = reader.fields(value, `the checkout "${name}"`);
    const image = reader.text(fields?.get('image')?.value, `"image" of the checkout "${name}"`) ?? '';
    if (!isClonePlugin(image)) {
      reader.add('key.unsupported', key, `Gantry does not support the image "${image}" as the checkout`);
      continue;
    }
    const settings = reader.fields(fields?.get('settings')?.value, `"settings" of the checkout "${name}"`);
    for (const [setting, { key: settingKey, value: settingValue }] of [...(fields ?? []), ...(settings ?? [])]) {
      if (setting === 'depth') clone.depth = Math.max(0, reader.integer(settingValue, '"depth" of the checkout') ?? 0);
      else if (withoutEffect.has(setting) || asksForNothing(settingValue)) continue;
      else if (setting === 'recursive')
        reader.add(
          'clone.submodules',
          settingKey,
          '"recursive" of the checkout has no effect: submodules are not fetched, so a step has to do it ("git submodule update --init")',
        );
      else if (setting !== 'settings')
        reader.add('key.unsupported', settingKey, `Gantry does not support "${setting}" of the checkout`);
    }
  }
  return clone;
}
