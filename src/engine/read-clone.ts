import { asksForNothing } from './asks-for-nothing.ts';
import type { DocumentReader } from './document-reader.ts';
import { type CheckoutDraft, isCheckoutSetting, readCheckout } from './read-checkout.ts';
import { containerEntries } from './read-containers-file.ts';
import { isClonePlugin } from './well-known-plugins.ts';
import { isNull } from './yaml/scalar-type.ts';
import type { YamlEntry } from './yaml/yaml-node.ts';

/** Keys of a container that say nothing of its checkout. */
const ofContainers = new Set(['image', 'name', 'pull', 'when', 'settings']);

/**
 * The checkout of Drone 0.8 and Woodpecker: `clone:` may name a container, and the well-known ones run natively
 * (pipelines.md 8a). Any other container is refused, since the workspace would stay empty.
 */
export function readCloneContainers(
  reader: DocumentReader,
  entry: YamlEntry | undefined,
  { isDisabled, line, workspace }: { readonly isDisabled: boolean; readonly line: number; readonly workspace: string },
): CheckoutDraft {
  const beginning = { isDisabled, line: entry ? reader.positionOf(entry.key).line : line };
  if (!entry || isNull(entry.value) || isDisabled) return { ...beginning, depth: 0 };
  let clone: CheckoutDraft = { ...beginning, depth: 0 };
  for (const { name, key, value } of containerEntries(reader, entry.value, '"clone"')) {
    const fields = reader.fields(value, `the checkout "${name}"`);
    const image = reader.text(fields?.get('image')?.value, `"image" of the checkout "${name}"`) ?? '';
    if (!isClonePlugin(image)) {
      reader.add('key.unsupported', key, `Gantry does not support the image "${image}" as the checkout`);
      continue;
    }
    const settings = reader.fields(fields?.get('settings')?.value, `"settings" of the checkout "${name}"`);
    const given = new Map([...(fields ?? []), ...(settings ?? [])]);
    for (const [setting, { key: settingKey, value: settingValue }] of given)
      if (!ofContainers.has(setting) && !isCheckoutSetting(setting) && !asksForNothing(settingValue))
        reader.add('key.unsupported', settingKey, `Gantry does not support "${setting}" of the checkout`);
    clone = readCheckout(reader, given, beginning, workspace);
  }
  return clone;
}
