import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { watchDiskLimit } from './disk-usage.ts';
import { findHostProgram } from './host-programs.ts';

describe('watchDiskLimit', () => {
  let folder = '';
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'gantry-disk-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const watch = (fileBytes: () => number) =>
    watchDiskLimit({
      du: findHostProgram('du')!,
      folders: [folder],
      limitBytes: 2 ** 20,
      fileBytes,
      onExceeded: () => {},
    });

  it('looks at its end when its writers have much in memory, whatever the disk got back meanwhile', async () => {
    const ballast = `${folder}-ballast`;
    writeFileSync(ballast, Buffer.alloc(16 * 2 ** 20));
    let written = 0;
    const watched = watch(() => written);
    written = 4 * 2 ** 20;
    writeFileSync(join(folder, 'burst'), Buffer.alloc(written));
    rmSync(ballast);
    expect(await watched.stop()).toBe(true);
  });

  it('finds nothing where the files are within the limit, however much was read', async () => {
    const watched = watch(() => 2 ** 30);
    writeFileSync(join(folder, 'small'), Buffer.alloc(1_000));
    expect(await watched.stop()).toBe(false);
  });
});
