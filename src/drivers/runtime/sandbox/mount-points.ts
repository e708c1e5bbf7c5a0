import { chmodSync, chownSync, existsSync, lstatSync, mkdirSync, readdirSync, readlinkSync, type Stats } from 'node:fs';
import { join } from 'node:path';
import { GantryError } from '../../../core/errors.ts';
import { findTakenFolder } from './skeleton.ts';

/** As many links does the kernel follow too. */
const linkLimit = 40;

/**
 * Makes the folders where volumes will be mounted in the writable layer of a step, and answers where they are: links of
 * the image are followed within its layers, as `/var/run` mostly is one. Folders on the way look as the image has them.
 * The writable layer is the topmost, so that what is mounted there is never redirected by the image.
 *
 * @param layers read-only, the lowest first; they may be hostile
 * @throws REQUEST_INVALID when the image leads the path to where nothing may be mounted
 */
export function makeMountPoints(upper: string, layers: readonly string[], targets: readonly string[]): string[] {
  return targets.map((target) => {
    const parts = resolve(layers, target);
    let path = '';
    for (const part of parts) {
      path = `${path}/${part}`;
      const folder = join(upper, path);
      if (existsSync(folder)) continue;
      mkdirSync(folder);
      const found = lookUp(layers, path.slice(1).split('/'));
      chmodSync(folder, found?.isDirectory() ? found.mode & 0o7777 : 0o755);
      // Without root all owners are the one that we are.
      if (found?.isDirectory() && process.getuid?.() === 0) chownSync(folder, found.uid, found.gid);
    }
    return path;
  });
}

/** Why a folder that begins empty may not be mounted at a path: as the end of a sentence, or `undefined`. */
export function findOccupant(layers: readonly string[], target: string): string | undefined {
  let parts: readonly string[];
  try {
    parts = resolve(layers, target);
  } catch (error) {
    if (error instanceof GantryError) return 'the image leads it elsewhere';
    throw error;
  }
  const isOccupied = layers.some((layer) => {
    const found = inLayer(layer, parts);
    if (found === 'absent' || found === 'hidden') return false;
    return !found.isDirectory() || readdirSync(join(layer, ...parts)).length > 0;
  });
  return isOccupied ? 'the image has files there' : undefined;
}

/** The path without links, each name of it below the root of the image. */
function resolve(layers: readonly string[], target: string): readonly string[] {
  const open = target.split('/').filter(Boolean);
  let done: string[] = [];
  let links = 0;
  for (let part = open.shift(); part !== undefined; part = open.shift()) {
    if (part === '.') continue;
    if (part === '..') {
      done.pop();
      continue;
    }
    const place = [...done, part];
    const link = linkAt(layers, place);
    if (link === undefined) done = place;
    else {
      links += 1;
      if (links > linkLimit) throw refusal(target, 'its links lead in a circle');
      if (link.startsWith('/')) done = [];
      open.unshift(...link.split('/').filter(Boolean));
    }
  }
  const path = `/${done.join('/')}`;
  const taken = findTakenFolder(path);
  if (taken !== undefined) throw refusal(target, `the image leads it to ${path}`);
  return done;
}

function refusal(target: string, why: string): GantryError {
  return new GantryError('REQUEST_INVALID', `Cannot mount a volume at ${target}: ${why}`);
}

function linkAt(layers: readonly string[], parts: readonly string[]): string | undefined {
  for (const layer of layers.toReversed()) {
    const found = inLayer(layer, parts);
    if (found === 'absent') continue;
    return found !== 'hidden' && found.isSymbolicLink() ? readlinkSync(join(layer, ...parts)) : undefined;
  }
  return undefined;
}

/** What the image has at a path none of whose folders is a link; `undefined` when it has nothing there. */
function lookUp(layers: readonly string[], parts: readonly string[]): Stats | undefined {
  for (const layer of layers.toReversed()) {
    const found = inLayer(layer, parts);
    if (found === 'absent') continue;
    return found === 'hidden' ? undefined : found;
  }
  return undefined;
}

/** One name after the other, so that no link of the layer is followed. */
function inLayer(layer: string, parts: readonly string[]): Stats | 'absent' | 'hidden' {
  let path = layer;
  for (const [index, part] of parts.entries()) {
    path = join(path, part);
    const found = lstatSync(path, { throwIfNoEntry: false });
    if (!found) return 'absent';
    if (index === parts.length - 1) return found;
    // A file, a link or a mark of removal: what lower layers have below it does not count.
    if (!found.isDirectory()) return 'hidden';
  }
  return 'absent';
}
