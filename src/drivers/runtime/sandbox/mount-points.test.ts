import { lstatSync, mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { makeMountPoints } from './mount-points.ts';

describe('makeMountPoints', () => {
  let folder: string;
  let upper: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'gantry-mounts-'));
    upper = join(folder, 'upper');
    mkdirSync(upper);
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const layer = (name: string, fill: (root: string) => void): string => {
    const root = join(folder, name);
    mkdirSync(root);
    fill(root);
    return root;
  };

  it('makes folders that look as the topmost layer has them', () => {
    const lower = layer('lower', (root) => mkdirSync(join(root, 'srv/data'), { recursive: true, mode: 0o750 }));
    const top = layer('top', (root) => mkdirSync(join(root, 'tmp'), { mode: 0o700 }));
    expect(makeMountPoints(upper, [lower, top], ['/srv/data/own', '/tmp/fast'])).toEqual([
      '/srv/data/own',
      '/tmp/fast',
    ]);
    const mode = (path: string): number => statSync(join(upper, path)).mode & 0o7777;
    expect([mode('srv/data'), mode('srv/data/own'), mode('tmp'), mode('tmp/fast')]).toEqual([
      0o750, 0o755, 0o700, 0o755,
    ]);
  });

  it('follows the links of the image within the image', () => {
    const image = layer('image', (root) => {
      mkdirSync(join(root, 'run'));
      mkdirSync(join(root, 'var'));
      symlinkSync('/run', join(root, 'var/run'));
      symlinkSync('../../../../run', join(root, 'var/out'));
    });
    expect(makeMountPoints(upper, [image], ['/var/run/db'])).toEqual(['/run/db']);
    // A climb ends at the root of the image.
    expect(makeMountPoints(upper, [image], ['/var/out/db'])).toEqual(['/run/db']);
    expect(lstatSync(join(upper, 'var'), { throwIfNoEntry: false })).toBeUndefined();
  });

  it('never follows a link of a layer on the host', () => {
    const outside = join(folder, 'outside');
    mkdirSync(outside);
    const image = layer('image', (root) => symlinkSync(outside, join(root, 'data')));
    const [place] = makeMountPoints(upper, [image], ['/data/own']);
    expect(place).toBe(`${outside}/own`);
    // Below the writable layer, as every path of the step.
    expect(lstatSync(join(upper, outside, 'own')).isDirectory()).toBe(true);
    expect(lstatSync(join(outside, 'own'), { throwIfNoEntry: false })).toBeUndefined();
  });

  it('hides a file, and what lower layers have below it', () => {
    const lower = layer('lower', (root) => mkdirSync(join(root, 'data/kept'), { recursive: true, mode: 0o700 }));
    const top = layer('top', (root) => writeFileSync(join(root, 'data'), ''));
    expect(makeMountPoints(upper, [lower, top], ['/data/kept'])).toEqual(['/data/kept']);
    expect(statSync(join(upper, 'data')).mode & 0o777).toBe(0o755);
  });

  it.each([
    ['/etc', 'the configuration'],
    ['/.gantry/objects', 'the gate'],
    ['/proc', 'the kernel'],
    ['/', 'the root'],
  ])('refuses an image that leads the volume to %s', (target) => {
    const image = layer('image', (root) => symlinkSync(target, join(root, 'data')));
    expect(() => makeMountPoints(upper, [image], ['/data'])).toThrow('Cannot mount a volume at /data');
  });

  it('refuses links that lead in a circle', () => {
    const image = layer('image', (root) => {
      symlinkSync('b', join(root, 'a'));
      symlinkSync('a', join(root, 'b'));
    });
    expect(() => makeMountPoints(upper, [image], ['/a/x'])).toThrow('circle');
  });
});
