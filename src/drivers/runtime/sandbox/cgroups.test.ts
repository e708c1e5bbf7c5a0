import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { createCgroupsV1 } from './cgroup-v1.ts';
import { createCgroupsV2 } from './cgroup-v2.ts';

// Folders stand in for the hierarchies: what is written where is what the kernel would read. The real ones are used by
// the contract suite.
const roots: string[] = [];

function makeRoot(files: Readonly<Record<string, string>>): string {
  const root = mkdtempSync(join(tmpdir(), 'gantry-cgroup-'));
  roots.push(root);
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(join(root, path, '..'), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  return root;
}

afterEach(() => {
  for (const root of roots.splice(0)) rmSync(root, { recursive: true, force: true });
});

const read = (...path: string[]): string => readFileSync(join(...path), 'utf8');

describe('createCgroupsV1', () => {
  const v1 = (): string =>
    makeRoot(Object.fromEntries(['memory', 'pids', 'cpu', 'freezer'].map((name) => [`${name}/cgroup.procs`, ''])));

  it('writes memory with swap, processes and CPU time before anything can join', () => {
    const root = v1();
    const cgroups = createCgroupsV1({ root, generation: 'gantry-a.1.1.b' });
    const group = cgroups.make('job/step', { memoryBytes: 1_000, pids: 10, cpuMillis: 1_500 });
    expect(read(root, 'memory/gantry-a.1.1.b/job/step/memory.limit_in_bytes')).toBe('1000');
    expect(read(root, 'memory/gantry-a.1.1.b/job/step/memory.memsw.limit_in_bytes')).toBe('1000');
    expect(read(root, 'pids/gantry-a.1.1.b/job/step/pids.max')).toBe('26');
    expect(read(root, 'cpu/gantry-a.1.1.b/job/step/cpu.cfs_quota_us')).toBe('150000');
    expect(group.joinFiles).toHaveLength(4);
  });

  it('counts the processes that the kernel ended', () => {
    const root = v1();
    const group = createCgroupsV1({ root, generation: 'gantry-a.1.1.b' }).make('job/step', {});
    expect(group.oomKills()).toBe(0);
    writeFileSync(
      join(root, 'memory/gantry-a.1.1.b/job/step/memory.oom_control'),
      'oom_kill_disable 0\nunder_oom 0\noom_kill 3\n',
    );
    expect(group.oomKills()).toBe(3);
  });

  it('counts the files in memory of the whole subtree', () => {
    const root = v1();
    const group = createCgroupsV1({ root, generation: 'gantry-a.1.1.b' }).make('job/step', {});
    expect(group.fileBytes()).toBe(0);
    writeFileSync(join(root, 'memory/gantry-a.1.1.b/job/step/memory.stat'), 'cache 1\nrss 2\ntotal_cache 4096\n');
    expect(group.fileBytes()).toBe(4_096);
  });

  it('reports what the host cannot limit', () => {
    const root = makeRoot({ 'pids/cgroup.procs': '' });
    const { capabilities } = createCgroupsV1({ root, generation: 'gantry-a.1.1.b' });
    expect(capabilities).toEqual({ memory: false, pids: true, cpu: false });
  });

  it('lists and removes generations', () => {
    const root = makeRoot({ 'pids/cgroup.procs': '' });
    mkdirSync(join(root, 'pids/gantry-a.1.1.b/job/step'), { recursive: true });
    mkdirSync(join(root, 'pids/somebody-else'), { recursive: true });
    const cgroups = createCgroupsV1({ root, generation: 'gantry-a.2.2.b' });
    expect(cgroups.generations()).toEqual(['gantry-a.1.1.b']);
    expect(cgroups.removeGeneration('gantry-a.1.1.b')).toBe(3);
    expect(existsSync(join(root, 'pids/somebody-else'))).toBe(true);
  });
});

describe('createCgroupsV2', () => {
  // The file is a fixed text here, so "handed down" is what the folder says from the start.
  const v2 = (offered: string): string =>
    makeRoot({
      'cgroup.controllers': 'cpu memory pids',
      'cgroup.subtree_control': '',
      'gantry-a.1.1.b/cgroup.subtree_control': offered,
    });

  it('writes its limits into a group whose processes sit in a leaf below it', () => {
    const root = v2('cpu memory pids');
    const cgroups = createCgroupsV2({ root, generation: 'gantry-a.1.1.b' });
    const group = cgroups.make('job/step', { memoryBytes: 1_000, pids: 10, cpuMillis: 500 });
    const folder = join(root, 'gantry-a.1.1.b/job/step');
    expect(read(folder, 'memory.max')).toBe('1000');
    expect(read(folder, 'memory.swap.max')).toBe('0');
    expect(read(folder, 'memory.oom.group')).toBe('1');
    expect(read(folder, 'pids.max')).toBe('26');
    expect(read(folder, 'cpu.max')).toBe('50000 100000');
    expect(group.joinFiles).toEqual([join(folder, 'main/cgroup.procs')]);
    expect(existsSync(join(folder, 'main'))).toBe(true);
  });

  it('counts kills of the whole subtree and ends it by one write', () => {
    const root = v2('cpu memory pids');
    const group = createCgroupsV2({ root, generation: 'gantry-a.1.1.b' }).make('job/step', {});
    const folder = join(root, 'gantry-a.1.1.b/job/step');
    writeFileSync(join(folder, 'memory.events'), 'low 0\nhigh 0\nmax 9\noom 2\noom_kill 2\noom_group_kill 1\n');
    expect(group.oomKills()).toBe(2);
    writeFileSync(join(folder, 'memory.stat'), 'anon 1\nfile 8192\nkernel 3\n');
    expect(group.fileBytes()).toBe(8_192);
    group.kill();
    expect(read(folder, 'cgroup.kill')).toBe('1');
  });
});
