import { mkdir, mkdtemp, readFile, readlink, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Headers, pack } from 'tar-stream';
import { describe, expect, it, onTestFinished } from 'vitest';
import { unpackLayer } from './unpack-layer.ts';

type Entry = Partial<Headers> & { readonly name: string; readonly content?: string };

async function unpack(entries: readonly Entry[], limits?: Parameters<typeof unpackLayer>[2]) {
  const folder = await mkdtemp(join(tmpdir(), 'layer-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const root = join(folder, 'root');
  await mkdir(root);
  const tar = pack();
  for (const { content = '', ...header } of entries) tar.entry(header, content);
  tar.finalize();
  return { folder, root, result: await unpackLayer(tar, root, limits) };
}

describe('unpackLayer', () => {
  it('writes files, folders, links and modes', async () => {
    const { root } = await unpack([
      { name: 'usr/', type: 'directory', mode: 0o755 },
      { name: 'usr/tool', content: '#!/bin/sh\n', mode: 0o4755 },
      { name: 'usr/again', type: 'link', linkname: 'usr/tool' },
      { name: 'bin', type: 'symlink', linkname: 'usr' },
    ]);
    expect(await readFile(join(root, 'usr/again'), 'utf8')).toBe('#!/bin/sh\n');
    expect((await stat(join(root, 'usr/tool'))).mode & 0o7777).toBe(0o4755);
    expect(await readlink(join(root, 'bin'))).toBe('usr');
  });

  it.each([
    ['an absolute name', [{ name: '/etc/passwd', content: 'x' }]],
    ['a name that climbs out', [{ name: 'a/../../etc/passwd', content: 'x' }]],
    ['a hard link outwards', [{ name: 'a', type: 'link', linkname: '../../etc/passwd' }]],
    [
      'a hard link through a link',
      [
        { name: 'door', type: 'symlink', linkname: '/etc' },
        { name: 'a', type: 'link', linkname: 'door/passwd' },
      ],
    ],
    ['a device node', [{ name: 'disk', type: 'block-device', devmajor: 8, devminor: 0 }]],
    ['a FIFO', [{ name: 'pipe', type: 'fifo' }]],
  ] as [string, Entry[]][])('refuses %s', async (_title, entries) => {
    await expect(unpack(entries)).rejects.toMatchObject({ code: 'IMAGE_INVALID' });
  });

  it('never writes through a link: it is replaced by a folder', async () => {
    const { folder, root } = await unpack([
      { name: 'door', type: 'symlink', linkname: '..' },
      { name: 'door/escaped', content: 'x' },
    ]);
    await expect(stat(join(folder, 'escaped'))).rejects.toThrow();
    expect(await readFile(join(root, 'door/escaped'), 'utf8')).toBe('x');
  });

  it('stops at the caps on entries, bytes and depth', async () => {
    const limits = { entries: 2, bytes: 10, depth: 3 };
    await expect(unpack([{ name: 'a' }, { name: 'b' }, { name: 'c' }], limits)).rejects.toThrow('more than 2 entries');
    await expect(unpack([{ name: 'a', content: 'x'.repeat(11) }], limits)).rejects.toThrow('more than 10 bytes');
    await expect(unpack([{ name: 'a/b/c/d', content: 'x' }], limits)).rejects.toThrow('deeper than 3 folders');
  });

  it('collects whiteouts instead of writing them', async () => {
    const { result } = await unpack([{ name: 'etc/.wh.motd' }, { name: 'var/.wh..wh..opq' }]);
    expect(result.whiteouts).toEqual({ hidden: ['etc/motd'], opaque: ['var'] });
  });
});
