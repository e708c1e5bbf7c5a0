import type { ArtifactPlan } from '../core/plan.ts';
import { parseDurationMs } from '../lib/duration.ts';
import type { DocumentReader, Fields } from './document-reader.ts';
import { keysAt } from './gantry-keys.ts';
import type { Position } from './source-position.ts';
import type { YamlNode } from './yaml/yaml-node.ts';

/** An artifact that a step leaves, as the file has it. */
export interface WrittenArtifact extends ArtifactPlan {
  readonly at: Position;
}

/** An artifact that a workflow takes, as the file has it: who makes it is not known yet. */
export interface WrittenUse {
  readonly name: string;
  readonly path: string;
  readonly at: Position;
}

const artifactKeys = keysAt('artifact');
const useKeys = keysAt('use');
const maxArtifacts = 20;
const maxUses = 50;
const maxPatterns = 50;
const dayMs = 86_400_000;
const defaultKeepMs = 30 * dayMs;
const maxKeepMs = 3_650 * dayMs;

/** Reads `artifacts` of a step of `.gantry.yml`: a map, or a list of maps. */
export function readArtifacts(
  reader: DocumentReader,
  node: YamlNode | undefined,
  step: string,
): readonly WrittenArtifact[] {
  const items = itemsOf(reader, node, `"artifacts" of step "${step}"`);
  const surplus = items[maxArtifacts];
  if (surplus) reader.add('artifact.invalid', surplus, `a step may leave ${maxArtifacts} artifacts`);
  const found: WrittenArtifact[] = [];
  for (const item of items.slice(0, maxArtifacts)) {
    const artifact = readArtifact(reader, item, step);
    if (!artifact) continue;
    if (found.some(({ name }) => name === artifact.name))
      reader.add('artifact.duplicate', item, `step "${step}" leaves the artifact "${artifact.name}" twice`);
    else found.push(artifact);
  }
  return found;
}

/** A map alone is a list of one. */
function itemsOf(reader: DocumentReader, node: YamlNode | undefined, what: string): readonly YamlNode[] {
  return node?.kind === 'map' ? [node] : reader.items(node, what);
}

function readArtifact(reader: DocumentReader, node: YamlNode, step: string): WrittenArtifact | undefined {
  const what = `an artifact of step "${step}"`;
  if (node.kind === 'scalar') {
    reader.add('artifact.invalid', node, `${what} must be a map: {name: dist, paths: [dist]}`);
    return undefined;
  }
  const fields = reader.fields(node, what);
  if (!fields) return undefined;
  for (const [key, { key: at }] of fields)
    if (!artifactKeys.has(key)) reader.unknownKey(at, 'an artifact', artifactKeys, hintFor(key));
  const name = readName(reader, fields.get('name')?.value, node, what);
  const paths = readPatterns(reader, fields, 'paths', step);
  if (paths.length === 0 && !hasValue(fields, 'paths')) reader.add('artifact.invalid', node, `${what} needs "paths"`);
  const exclude = readPatterns(reader, fields, 'exclude', step);
  const keepMs = readKeep(reader, fields, what);
  const when = readWhen(reader, fields, what);
  if (name === undefined || paths.length === 0) return undefined;
  return { name, paths, exclude, keepMs, when, at: reader.positionOf(node) };
}

/** Reads `use` of a document: names of artifacts, or maps with the folder that each goes to. */
export function readUses(reader: DocumentReader, node: YamlNode | undefined): readonly WrittenUse[] {
  const items = itemsOf(reader, node, '"use" of a pipeline');
  const surplus = items[maxUses];
  if (surplus) reader.add('artifact.invalid', surplus, `a pipeline may use ${maxUses} artifacts`);
  const found: WrittenUse[] = [];
  for (const item of items.slice(0, maxUses)) {
    const use = readUse(reader, item);
    if (!use) continue;
    if (found.some(({ name }) => name === use.name))
      reader.add('artifact.duplicate', item, `the artifact "${use.name}" is used twice`);
    else found.push(use);
  }
  return found;
}

function readUse(reader: DocumentReader, node: YamlNode): WrittenUse | undefined {
  const at = reader.positionOf(node);
  const what = 'an item of "use"';
  if (node.kind === 'scalar') {
    const name = readName(reader, node, node, what);
    return name === undefined ? undefined : { name, path: '', at };
  }
  const fields = reader.fields(node, what);
  if (!fields) return undefined;
  for (const [key, { key: keyNode }] of fields)
    if (!useKeys.has(key)) reader.unknownKey(keyNode, what, useKeys, key === 'artifact' ? ': it is "name"' : '');
  const name = readName(reader, fields.get('name')?.value, node, what);
  const given = fields.get('path')?.value;
  const text = reader.text(given, '"path" of an item of "use"') ?? '';
  const path = plainPath(text);
  const fault = text === '' ? undefined : findPathFault(text, path);
  if (fault !== undefined) reader.add('artifact.path', given ?? node, `an artifact cannot go to "${text}": ${fault}`);
  return name === undefined || fault !== undefined ? undefined : { name, path, at };
}

function readName(
  reader: DocumentReader,
  node: YamlNode | undefined,
  parent: YamlNode,
  what: string,
): string | undefined {
  if (node && node.kind !== 'scalar') {
    reader.text(node, `"name" of ${what}`);
    return undefined;
  }
  const name = reader.text(node, `"name" of ${what}`)?.trim() ?? '';
  if (/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/.test(name)) return name;
  const message =
    name === ''
      ? `${what} needs a name`
      : `"${name.slice(0, 60)}" is no name of an artifact: it has 1 to 100 of a-z, A-Z, 0-9, ".", "_" and "-"`;
  reader.add('artifact.invalid', node ?? parent, message);
  return undefined;
}

function readPatterns(reader: DocumentReader, fields: Fields, key: 'paths' | 'exclude', step: string): string[] {
  const items = reader.texts(fields.get(key)?.value, `"${key}" of an artifact of step "${step}"`);
  const surplus = items[maxPatterns];
  if (surplus) reader.add('artifact.path', surplus.node, `an artifact may have ${maxPatterns} "${key}"`);
  return items.slice(0, maxPatterns).flatMap(({ text, node }) => {
    const path = plainPath(text);
    const fault = findPathFault(text, path);
    if (fault === undefined) return [path];
    reader.add('artifact.path', node, `an artifact cannot have "${text}": ${fault}`);
    return [];
  });
}

function findPathFault(written: string, path: string): string | undefined {
  if (written.startsWith('/') || written.startsWith('~')) return 'only what lies in the workspace can be kept';
  if (written.split('/').includes('..')) return 'it has ".." in it';
  if (path.length > 500 || /[\p{Cc}]/u.test(path)) return 'it is no good path';
  if (path === '.git' || path.startsWith('.git/')) return 'it belongs to the checkout';
  return undefined;
}

/** `./dist/` is `dist`; the whole workspace is `**`. */
function plainPath(text: string): string {
  const parts = text.split('/').filter((part) => part !== '' && part !== '.');
  return parts.join('/') || '**';
}

function readKeep(reader: DocumentReader, fields: Fields, what: string): number {
  const node = fields.get('keep')?.value;
  const text = reader.text(node, `"keep" of ${what}`);
  if (!node || text === undefined || text === '') return defaultKeepMs;
  const keepMs = parseDurationMs(text);
  if (keepMs !== undefined && keepMs >= 60_000 && keepMs <= maxKeepMs) return keepMs;
  reader.add('artifact.invalid', node, `"keep: ${text}" is no time from 1m to 3650d: write for example 7d or 12h`);
  return defaultKeepMs;
}

function readWhen(reader: DocumentReader, fields: Fields, what: string): ArtifactPlan['when'] {
  const node = fields.get('when')?.value;
  const text = reader.text(node, `"when" of ${what}`) ?? 'success';
  if (text === 'success' || text === 'failure' || text === 'always') return text;
  reader.add('artifact.invalid', node!, `"when: ${text}" is none of success, failure, always`);
  return 'success';
}

function hasValue(fields: Fields, key: string): boolean {
  const value = fields.get(key)?.value;
  return value !== undefined && (value.kind !== 'list' || value.items.length > 0);
}

function hintFor(key: string): string {
  if (key === 'path') return ': it is "paths"';
  if (key === 'expire_in' || key === 'retention' || key === 'retention-days') return ': it is "keep"';
  return '';
}
