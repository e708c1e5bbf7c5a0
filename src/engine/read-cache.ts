import type { CachePlan, VolumeMountPlan } from '../core/plan.ts';
import { type BlobIds, resolveCacheKey } from './cache-key.ts';
import type { DocumentReader, Fields } from './document-reader.ts';
import { keysAt } from './gantry-keys.ts';
import type { LintReport } from './lint-report.ts';
import { findMountFault, isWithin } from './read-volumes.ts';
import type { Position } from './source-position.ts';
import { plainFolder } from './workspace-folder.ts';
import type { YamlNode } from './yaml/yaml-node.ts';

/** A cache as the file has it: its key may hold checksums of files that the commit decides about. */
export interface WrittenCache {
  readonly key: string;
  readonly restore: readonly string[];
  /** Absolute paths. */
  readonly paths: readonly string[];
  readonly at: Position;
}

const cacheKeys = keysAt('cache');
const maxPaths = 16;
const maxRestore = 16;

/** Reads `cache` of a step or a document of `.gantry.yml`; `undefined` when there is none, or it cannot be had. */
export function readCache(
  reader: DocumentReader,
  node: YamlNode | undefined,
  where: string,
  workspace: string,
): WrittenCache | undefined {
  const fields = reader.fields(node, `"cache" of ${where}`);
  if (!node || !fields) return undefined;
  for (const [name, { key }] of fields)
    if (!cacheKeys.has(name)) reader.unknownKey(key, '"cache"', cacheKeys, name === 'path' ? ': it is "paths"' : '');
  const key = readKey(reader, fields, node, where);
  const restore = readRestore(reader, fields, where);
  const paths = readPaths(reader, fields, node, where, workspace);
  return key === undefined || paths.length === 0 ? undefined : { key, restore, paths, at: reader.positionOf(node) };
}

function readKey(reader: DocumentReader, fields: Fields, node: YamlNode, where: string): string | undefined {
  const at = fields.get('key')?.value;
  const key = reader.text(at, `"key" of the cache of ${where}`)?.trim();
  if (key === undefined && at && at.kind !== 'scalar') return undefined;
  const fault = key === undefined ? 'it has none' : resolveCacheKey(key, undefined).fault;
  if (fault === undefined) return key;
  reader.add('cache.key', at ?? node, `the cache of ${where} needs a key: ${fault}`);
  return undefined;
}

function readRestore(reader: DocumentReader, fields: Fields, where: string): readonly string[] {
  const what = `"restore" of the cache of ${where}`;
  const items = reader.texts(fields.get('restore')?.value, what);
  const surplus = items[maxRestore];
  if (surplus) reader.add('cache.key', surplus.node, `${what} may have ${maxRestore} items`);
  return items.slice(0, maxRestore).flatMap(({ text, node }) => {
    const { fault } = resolveCacheKey(text, undefined);
    if (fault !== undefined) reader.add('cache.key', node, `${what} has an item that no key begins with: ${fault}`);
    return fault === undefined ? [text.trim()] : [];
  });
}

function readPaths(
  reader: DocumentReader,
  fields: Fields,
  node: YamlNode,
  where: string,
  workspace: string,
): readonly string[] {
  const at = fields.get('paths')?.value;
  const items = reader.texts(at, `"paths" of the cache of ${where}`);
  if (items.length === 0) reader.add('cache.path', at ?? node, `the cache of ${where} needs "paths"`);
  const surplus = items[maxPaths];
  if (surplus) reader.add('cache.path', surplus.node, `a cache may have ${maxPaths} paths`);
  const paths: string[] = [];
  for (const item of items.slice(0, maxPaths)) {
    const path = item.text.startsWith('/') ? plainPath(item.text) : plainPath(`${workspace}/${item.text}`);
    const fault =
      findPathFault(item.text, path, workspace) ?? (overlaps(paths, path) ? 'another path of it is there' : undefined);
    if (fault === undefined) paths.push(path);
    else reader.add('cache.path', item.node, `a cache cannot be at "${item.text}": ${fault}`);
  }
  return paths;
}

function findPathFault(written: string, path: string, workspace: string): string | undefined {
  if (written.startsWith('~')) return 'write the path of the home folder out, for example /root/.npm';
  if (written.split('/').some((part) => part === '..')) return 'it has ".." in it';
  if (isWithin(workspace, path)) return 'it would hide the workspace';
  if (!isWithin(path, workspace)) return findMountFault(path);
  if (path.length > 500 || /[\p{Cc}]/u.test(path)) return 'it is no good path';
  return isWithin(path, `${workspace}/.git`) ? 'it belongs to the checkout' : undefined;
}

function plainPath(path: string): string {
  return plainFolder(path).replace(/(?<=.)\/$/, '');
}

function overlaps(paths: readonly string[], path: string): boolean {
  return paths.some((other) => isWithin(other, path) || isWithin(path, other));
}

/** Finds paths at which a step has a volume too. */
export function refuseCachesAtVolumes(
  report: LintReport,
  steps: readonly {
    readonly name: string;
    readonly volumes: readonly VolumeMountPlan[];
    readonly cache?: WrittenCache | undefined;
  }[],
): void {
  for (const { name, volumes, cache } of steps)
    for (const path of cache?.paths ?? [])
      if (
        overlaps(
          volumes.map(({ target }) => target),
          path,
        )
      )
        report.add('cache.path', cache!.at, `step "${name}" cannot have a cache at "${path}": a volume is there`);
}

/** The cache with the checksums of this commit; files that are not there are found at its line. */
export function planCache(
  { key, restore, paths, at }: WrittenCache,
  blobs: BlobIds | undefined,
  report: LintReport,
): CachePlan {
  const resolved = [key, ...restore].map((text) => resolveCacheKey(text, blobs));
  for (const path of new Set(resolved.flatMap(({ missing }) => missing)))
    report.add(
      'cache.file-missing',
      at,
      `the commit has no file "${path}": it counts as empty in the key of the cache`,
    );
  const [first, ...others] = resolved.map((one) => one.key);
  return { key: first!, restore: others, paths };
}
