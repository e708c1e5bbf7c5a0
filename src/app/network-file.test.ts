import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { secretsOf } from '../core/network-settings.ts';
import { readNetworkFile } from './network-file.ts';

async function read(text: string) {
  const folder = await mkdtemp(join(tmpdir(), 'network-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const path = join(folder, 'mirrors.yaml');
  await writeFile(path, text);
  return readNetworkFile(path);
}

describe('readNetworkFile', () => {
  it('reads YAML, JSON and an empty file', async () => {
    expect(await read('')).toEqual({ mirrors: {}, images: [], registries: [] });
    expect(
      await read('proxy: {https: http://proxy.example:3128, no_proxy: [.example]}\nimages: [golang:* -> base/golang]'),
    ).toEqual({
      proxy: { http: undefined, https: 'http://proxy.example:3128', noProxy: ['.example'] },
      mirrors: {},
      images: [{ from: 'golang:*', to: 'base/golang' }],
      registries: [],
    });
    expect(await read('{"mirrors": {"go_sumdb": "off"}}')).toMatchObject({ mirrors: { goSumDb: 'off' } });
  });

  it.each(['behind-a-proxy.md', 'behind-a-proxy.zh-CN.md'])('reads the file that the guide shows: %s', async (name) => {
    const guide = readFileSync(new URL(`../../docs/guide/${name}`, import.meta.url), 'utf8');
    const [block] = /^ {4}proxy:\n(?: {4}.*\n)+/m.exec(guide) ?? [''];
    const { images, mirrors, proxy, registries } = await read(block.replaceAll(/^ {4}/gm, ''));
    expect([proxy?.noProxy, mirrors.goSumDb, images.length, registries.length]).toEqual([
      ['.example.internal'],
      'off',
      2,
      1,
    ]);
  });

  it('knows every form of the credentials in it', async () => {
    const settings = await read(`
mirrors: {npm: 'https://robot:p%40ss-word@mirror.example/', pypi: 'https://only-a-token@mirror.example/simple'}
registries: [{registry: registry.example, username: robot, password: third-word}]
`);
    expect(secretsOf(settings)).toEqual(
      expect.arrayContaining(['p@ss-word', 'p%40ss-word', 'robot:p@ss-word', 'only-a-token', 'third-word']),
    );
  });

  it.each([
    ['mirrors: {npn: https://mirror.example}', 'Unrecognized key: "npn"'],
    ['mirrors: {npm: mirror.example}', 'mirrors.npm: write an address such as'],
    ['mirrors: {npm: "https://mirror.example/ x"}', 'mirrors.npm: write an address such as'],
    ['mirrors: {debian: https://a:b@mirror.example/debian}', 'apt takes no user and password from here'],
    ['mirrors: {npm: "https://a:%zz@mirror.example/"}', 'mirrors.npm: write an address such as'],
    ['images: [golang]', 'images.0: write "golang:* -> base/golang", not "golang"'],
    ['proxy: {https: http://proxy.example, no_proxy: ["a b"]}', 'proxy.no_proxy.0: write one host'],
    ['registries: [{registry: a}]', 'registries.0.username'],
    ['mirrors: [', 'GANTRY_MIRRORS'],
    ['- a', 'expected object'],
    ['a: &a [*a, *a]', 'GANTRY_MIRRORS'],
  ])('refuses %s', async (text, message) => {
    await expect(read(text)).rejects.toThrow(
      expect.objectContaining({ code: 'CONFIG_INVALID', message: expect.stringContaining(message) }),
    );
  });

  it('names a file that is not there', () => {
    expect(() => readNetworkFile('/nowhere/mirrors.yaml')).toThrow(
      'Cannot read the settings: GANTRY_MIRRORS: /nowhere/mirrors.yaml: ENOENT',
    );
  });
});
