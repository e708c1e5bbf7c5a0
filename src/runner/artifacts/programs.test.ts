import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { pack } from 'tar-stream';
import { describe, expect, it, onTestFinished } from 'vitest';
import { readArtifactPattern } from './artifact-pattern.ts';
import { packProgram } from './pack-program.ts';
import { unpackProgram } from './unpack-program.ts';

const limits = ['1000000', '1000'];

function folder(files: Readonly<Record<string, string>> = {}): string {
  const path = mkdtempSync(join(tmpdir(), 'gantry-artifact-'));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(path, name)), { recursive: true });
    writeFileSync(join(path, name), text);
  }
  return path;
}

function packed(cwd: string, paths: readonly string[], exclude: readonly string[] = [], given = limits) {
  const include = paths.map(readArtifactPattern).flatMap(({ prefix, expression }) => [prefix, expression]);
  const left = exclude.map((pattern) => readArtifactPattern(pattern).expression);
  const { status, stdout, stderr } = spawnSync(
    'perl',
    ['-e', packProgram, ...given, String(paths.length), ...include, ...left],
    { cwd, maxBuffer: 2 ** 26 },
  );
  return { status, tar: stdout, said: stderr.toString('utf8').trimEnd().split('\n') };
}

function unpacked(cwd: string, tar: Buffer, below = '', given = limits) {
  const { status, stderr } = spawnSync('perl', ['-e', unpackProgram, below, ...given], { cwd, input: tar });
  return { status, said: stderr.toString('utf8').trimEnd() };
}

function names(tar: Buffer): readonly string[] {
  const listed = spawnSync('tar', ['-tf', '-'], { input: tar });
  expect(listed.status, listed.stderr.toString('utf8')).toBe(0);
  return listed.stdout.toString('utf8').trimEnd().split('\n');
}

describe('packing', () => {
  it('takes what a folder or a pattern names, in an order that stays, and nothing of .git', () => {
    const work = folder({ 'dist/b.js': 'b', 'dist/a/c.js': 'c', 'src/x.ts': 'x', 'a.tgz': 't', '.git/HEAD': 'h' });
    expect(names(packed(work, ['dist', '*.tgz']).tar)).toEqual([
      'a.tgz',
      'dist/',
      'dist/a/',
      'dist/a/c.js',
      'dist/b.js',
    ]);
    expect(names(packed(work, ['**/*.js'], ['dist/a']).tar)).toEqual(['dist/b.js']);
    expect(names(packed(work, ['**']).tar)).not.toContain('.git/HEAD');
    expect(packed(work, ['**']).said).toEqual(['=7']);
  });

  it('says when nothing matches, and stops at its limits', () => {
    const work = folder({ 'a/1': 'x'.repeat(600), 'a/2': 'y'.repeat(600) });
    expect(packed(work, ['b'])).toMatchObject({ status: 1, said: ['!no file matches its paths'] });
    expect(packed(work, ['a'], [], ['1000', '1000'])).toMatchObject({ status: 1 });
    expect(packed(work, ['a'], [], ['9999', '2']).said).toEqual(['!it has more than 2 files and folders']);
  });

  it('leaves out links that lead out, and says so', () => {
    const work = folder({ 'dist/a': 'a' });
    symlinkSync('a', join(work, 'dist/inside'));
    symlinkSync('/etc/passwd', join(work, 'dist/absolute'));
    symlinkSync('../../secret', join(work, 'dist/above'));
    const { tar, said } = packed(work, ['dist']);
    expect(names(tar)).toEqual(['dist/', 'dist/a', 'dist/inside']);
    expect(said).toEqual([
      '~dist/above is a link that leads out of the workspace',
      '~dist/absolute is a link that leads out of the workspace',
      '=3',
    ]);
  });

  it('follows no link on its way', () => {
    const secret = folder({ passwd: 'secret' });
    const work = folder({ 'real/a': 'a' });
    symlinkSync(secret, join(work, 'dist'));
    expect(packed(work, ['dist/passwd']).said).toEqual(['!no file matches its paths']);
  });
});

describe('unpacking', () => {
  it('puts back what was packed: bytes, modes, links, long names and times', () => {
    const long = `deep/${'n'.repeat(120)}/${'文件'.repeat(20)}.txt`;
    const work = folder({ 'bin/run': '#!/bin/sh\n', [long]: 'long', empty: '' });
    chmodSync(join(work, 'bin/run'), 0o755);
    symlinkSync('bin/run', join(work, 'link'));
    const { tar } = packed(work, ['**']);
    const target = folder();
    expect(unpacked(target, tar, 'into/here')).toEqual({ status: 0, said: '=7' });
    const at = (name: string): string => join(target, 'into/here', name);
    expect(readFileSync(at(long), 'utf8')).toBe('long');
    expect(readFileSync(at('empty'), 'utf8')).toBe('');
    expect(lstatSync(at('bin/run')).mode & 0o777).toBe(0o755);
    expect(readlinkSync(at('link'))).toBe('bin/run');
    expect(Math.floor(lstatSync(at(long)).mtimeMs / 1_000)).toBe(
      Math.floor(lstatSync(join(work, long)).mtimeMs / 1_000),
    );
  });

  it('replaces files, and goes through no link of the workspace', () => {
    const { tar } = packed(folder({ 'dist/a': 'new' }), ['dist']);
    const target = folder({ 'dist/a': 'old', 'dist/b': 'kept' });
    expect(unpacked(target, tar).status).toBe(0);
    expect([readFileSync(join(target, 'dist/a'), 'utf8'), readFileSync(join(target, 'dist/b'), 'utf8')]).toEqual([
      'new',
      'kept',
    ]);
    const outside = folder();
    const trap = folder();
    symlinkSync(outside, join(trap, 'dist'));
    expect(unpacked(trap, tar)).toEqual({
      status: 1,
      said: '!dist is a link in the workspace, and nothing is unpacked through it',
    });
    expect(lstatSync(outside).nlink).toBe(2);
  });

  it.each([
    ['an absolute path', { name: '/etc/cron.d/x' }],
    ['a path upwards', { name: 'a/../../x' }],
    ['the checkout', { name: '.git/hooks/post-checkout' }],
    ['a link that leads out', { name: 'x', type: 'symlink' as const, linkname: '../../etc' }],
    ['a device', { name: 'x', type: 'character-device' as const }],
    ['a hard link', { name: 'x', type: 'link' as const, linkname: 'y' }],
  ])('refuses %s', async (_what, header) => {
    const tar = pack();
    tar.entry(header, 'type' in header ? undefined : 'evil');
    tar.finalize();
    const target = folder();
    const { status, said } = unpacked(target, await buffer(tar));
    expect([status, said[0]]).toEqual([1, '!']);
  });

  it('stops at its limits, at damage and at an early end', () => {
    const { tar } = packed(folder({ 'a/1': 'x'.repeat(6_000), 'a/2': 'y' }), ['a']);
    expect(unpacked(folder(), tar, '', ['1000', '10']).said).toBe('!its files have more than 0 MiB');
    expect(unpacked(folder(), tar, '', ['9999', '2']).said).toBe('!it has more than 2 files and folders');
    expect(unpacked(folder(), tar.subarray(0, 3_000)).said).toBe('!it ends in the middle');
    const damaged = Buffer.from(tar);
    damaged[2] = 66;
    expect(unpacked(folder(), damaged).said).toBe('!a header of it is damaged');
  });
});

describe('a pattern of an artifact', () => {
  it.each([
    ['dist/**/*.js', 'dist', ['dist/a.js', 'dist/b/c.js'], ['dist/a.ts', 'x/dist/a.js']],
    ['*.{tgz,zip}', '', ['a.tgz', 'b.zip'], ['a/b.zip', 'a.tar']],
    ['log-?.txt', '', ['log-1.txt', 'log-文.txt'], ['log-10.txt', 'log-/.txt']],
    ['v[0-9].[!a]', '', ['v1.b'], ['v1.a', 'vx.b']],
    ['a.b+c', 'a.b+c', ['a.b+c'], ['aXb+c', 'a.bbc']],
    ['**', '', ['a', 'a/b'], []],
    ['a\\*', '', ['a*'], ['ab']],
  ])('%s', (pattern, prefix, hits, misses) => {
    const read = readArtifactPattern(pattern);
    expect(read.prefix).toBe(prefix);
    const check = (path: string): boolean =>
      spawnSync('perl', ['-e', 'exit($ARGV[1] =~ qr/\\A(?:$ARGV[0])\\z/s ? 0 : 1)', read.expression, path]).status ===
      0;
    for (const path of hits) expect(check(path), path).toBe(true);
    for (const path of misses) expect(check(path), path).toBe(false);
  });
});
