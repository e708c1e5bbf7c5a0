import type { DocumentReader } from './document-reader.ts';
import { keysAt } from './gantry-keys.ts';
import { type Given, nothingGiven, readEncoded } from './read-settings.ts';
import type { YamlNode } from './yaml/yaml-node.ts';

const keys = keysAt('build');

/** Names that the plugins have for the same thing. */
const variables: Readonly<Record<string, string>> = {
  image: 'PLUGIN_REPO',
  repo: 'PLUGIN_REPO',
  args: 'PLUGIN_BUILD_ARGS',
};

/** Reads `build` of a step of `.gantry.yml`: its keys are settings, as those of a plugin that builds images. */
export function readBuild(reader: DocumentReader, node: YamlNode | undefined, step: string): Given {
  const given = nothingGiven();
  const what = `"build" of step "${step}"`;
  for (const [name, { key, value }] of reader.fields(node, what) ?? []) {
    if (!keys.has(name)) {
      reader.unknownKey(key, what, keys);
      continue;
    }
    const isMap = name === 'args' || name === 'labels' || name === 'secrets';
    if (isMap && value.kind !== 'map') {
      if (reader.fields(value, `"${name}" of ${what}`) === undefined) continue;
    }
    given.nodes.push({ name, at: reader.positionOf(key) });
    readEncoded(reader, given, variables[name] ?? `PLUGIN_${name.toUpperCase()}`, value, `"${name}" of ${what}`);
  }
  return given;
}
