import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ImageReaders } from './image-readers.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gantry-readers-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const name = 'registry.example/team/app:1';
const mei = { registry: 'registry.example', username: 'mei', password: 'correct horse' };
const wei = { ...mei, username: 'wei' };

describe('ImageReaders', () => {
  it('gives an image that nobody pulled with a login to everybody', () => {
    const readers = new ImageReaders();
    expect([readers.mayUse(name, undefined), readers.mayUse(name, mei)]).toEqual([true, true]);
  });

  it('gives one that was pulled with a login to those who have it, also after a restart', () => {
    const path = join(folder, 'runner/readers.json');
    new ImageReaders(path).note(name, mei);
    for (const readers of [new ImageReaders(path), new ImageReaders(path)]) {
      expect(readers.mayUse(name, mei)).toBe(true);
      expect(readers.mayUse(name, wei)).toBe(false);
      expect(readers.mayUse(name, { ...mei, password: 'other' })).toBe(false);
      expect(readers.mayUse(name, undefined)).toBe(false);
      expect(readers.mayUse(`${name}0`, undefined)).toBe(true);
    }
  });

  it('gives one to everybody again once its registry asked for no login', () => {
    const path = join(folder, 'readers.json');
    const readers = new ImageReaders(path);
    readers.note(name, mei);
    readers.note(name, undefined);
    expect(new ImageReaders(path).mayUse(name, undefined)).toBe(true);
  });

  it('keeps no password, and a file for nobody but its user', () => {
    const path = join(folder, 'readers.json');
    new ImageReaders(path).note(name, mei);
    expect(readFileSync(path, 'utf8')).not.toContain('correct horse');
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  it('sees what another one in the same engine has noted since', () => {
    const path = join(folder, 'readers.json');
    const [steps, builds] = [new ImageReaders(path), new ImageReaders(path)];
    builds.note(name, mei);
    expect(steps.mayUse(name, wei)).toBe(false);
    steps.note(name, wei);
    expect([builds.mayUse(name, mei), builds.mayUse(name, wei), builds.mayUse(name, undefined)]).toEqual([
      true,
      true,
      false,
    ]);
  });

  it('begins anew with a file that cannot be read', () => {
    const path = join(folder, 'readers.json');
    writeFileSync(path, '{');
    const readers = new ImageReaders(path);
    readers.note(name, mei);
    expect(new ImageReaders(path).mayUse(name, wei)).toBe(false);
  });
});
