import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { GantryError } from '../../../core/errors.ts';
import { type Generation, generationName, isDeadGeneration, startTicksOf } from '../caches/generation.ts';
import { overlayMount } from '../caches/overlay.ts';
import { routedInterfaces, switchOffForwarding, switchOnForwarding } from './forwarding.ts';
import { encodeFrame } from './frames.ts';
import { encodeRelease } from './gate.ts';
import { readResolver } from './job-network.ts';
import { bubblewrapLaunch } from './launcher-bubblewrap.ts';
import { findWorkspaceFault } from './skeleton.ts';

describe('overlayMount', () => {
  const plain = { isRootless: false, isKept: false };
  const many = (count: number): string[] => Array.from({ length: count }, (_, index) => `/${'x'.repeat(60)}${index}`);

  it('puts the topmost layer first and escapes what separates', () => {
    expect(overlayMount({ lowers: ['/low', '/a:b,c'], upper: '/up', work: '/work' }, plain)).toEqual({
      options: String.raw`lowerdir=/a\:b\,c:/low,upperdir=/up,workdir=/work,volatile`,
      links: [],
    });
  });

  it('names layers by number when their paths do not fit one page of options', () => {
    const lowers = many(127);
    const mount = overlayMount({ lowers, upper: '/up', work: '/work' }, plain);
    expect(mount.options).toMatch(/^lowerdir=0:1:2:.*:126,upperdir/);
    expect(mount.links).toEqual(lowers.toReversed());
  });

  it('refuses more layers than an overlay takes', () => {
    expect(() => overlayMount({ lowers: many(501), upper: '/u', work: '/w' }, plain)).toThrow(GantryError);
  });
});

describe('isDeadGeneration', () => {
  const own: Generation = {
    instanceId: 'one',
    pid: process.pid,
    startTicks: startTicksOf(process.pid)!,
    bootId: 'aaaaaaaa-bbbb-cccc',
  };

  it('keeps the living: this process and its start are what the name says', () => {
    expect(isDeadGeneration(generationName(own), own)).toBe(false);
  });

  it('knows a process of the same number that started at another time for another one', () => {
    expect(isDeadGeneration(generationName({ ...own, startTicks: own.startTicks - 1 }), own)).toBe(true);
  });

  it('takes what its own instance named on another boot for dead, unless just such a process lives', () => {
    const before = { ...own, bootId: 'other' };
    expect(isDeadGeneration(generationName({ ...before, startTicks: own.startTicks - 1 }), own)).toBe(true);
    expect(isDeadGeneration(generationName(before), own)).toBe(false);
  });

  it('takes another instance for dead only when its process is provably gone', () => {
    const other = { ...own, instanceId: 'two' };
    const gone = { ...other, startTicks: own.startTicks - 1 };
    expect(isDeadGeneration(generationName(other), own)).toBe(false);
    expect(isDeadGeneration(generationName(gone), own)).toBe(true);
    // Of another boot, or of a process namespace that we do not see into.
    expect(isDeadGeneration(generationName({ ...gone, bootId: 'other' }), own)).toBe(false);
  });

  it('never touches what was not named by us', () => {
    const [, , , host] = generationName(own).split('.');
    for (const name of ['gantry-one', `gantry-one.0.1.${host}`, `gantry-one.1.x.${host}`, `other.1.1.${host}`])
      expect(isDeadGeneration(name, own)).toBe(false);
  });
});

describe('switchOnForwarding', () => {
  const settings = (values: Readonly<Record<string, string>>): string => {
    const folder = mkdtempSync(join(tmpdir(), 'gantry-forwarding-'));
    folders.push(folder);
    for (const [name, value] of Object.entries(values)) {
      const path = name === 'ip_forward' ? join(folder, name) : join(folder, 'conf', name, 'forwarding');
      mkdirSync(join(path, '..'), { recursive: true });
      writeFileSync(path, `${value}\n`);
    }
    return folder;
  };
  const folders: string[] = [];
  afterAll(() => {
    for (const folder of folders) rmSync(folder, { recursive: true });
  });
  const read = (folder: string, name: string): string =>
    readFileSync(join(folder, name === 'ip_forward' ? name : `conf/${name}/forwarding`), 'utf8').trim();

  it('lets bridge and ways out forward, the rest of the host not, and takes back what it changed', () => {
    const folder = settings({ ip_forward: '0', bridge: '0', eth0: '0', tun0: '1' });
    expect(switchOnForwarding('bridge', ['eth0', 'tun0', 'gone'], folder)).toEqual(['eth0']);
    expect(['bridge', 'eth0', 'ip_forward'].map((name) => read(folder, name))).toEqual(['1', '1', '0']);
    switchOffForwarding(['eth0'], folder);
    expect(['eth0', 'tun0'].map((name) => read(folder, name))).toEqual(['0', '1']);
  });

  it('changes nothing but the bridge where the host forwards, nor when it was told to meanwhile', () => {
    const folder = settings({ ip_forward: '1', bridge: '0', eth0: '0' });
    expect(switchOnForwarding('bridge', ['eth0'], folder)).toEqual([]);
    writeFileSync(join(folder, 'conf/eth0/forwarding'), '1');
    switchOffForwarding(['eth0'], folder);
    expect(read(folder, 'eth0')).toBe('1');
  });

  it('finds the interfaces that have routes, but for the loopback and networks of jobs', () => {
    const routes =
      'default via 192.0.2.1 dev eth0 \n10.213.4.0/22 dev gantry0a1b2c3d proto kernel\n10.8.0.0/24 dev wg0.5 scope link\n127.0.0.0/8 dev lo\n192.0.2.0/24 dev eth0';
    expect(routedInterfaces(routes)).toEqual(['eth0', 'wg0.5']);
  });
});

describe('readResolver', () => {
  const files = (texts: Readonly<Record<string, string>>) => (path: string) => texts[path] ?? '';

  it('takes the servers and search settings of the host', () => {
    const resolver = readResolver(
      files({ '/etc/resolv.conf': 'search a.example\nnameserver 10.1.2.3\noptions edns0\n' }),
    );
    expect(resolver.text).toBe('search a.example\noptions edns0\nnameserver 10.1.2.3\n');
    expect(resolver.findings).toEqual([]);
  });

  it('looks behind a resolver on the loopback', () => {
    const resolver = readResolver(
      files({
        '/etc/resolv.conf': 'nameserver 127.0.0.53\n',
        '/run/systemd/resolve/resolv.conf': 'nameserver 192.0.2.53\n',
      }),
    );
    expect(resolver.servers).toEqual(['192.0.2.53']);
  });

  it('says so when steps can look nothing up', () => {
    expect(readResolver(files({ '/etc/resolv.conf': 'nameserver ::1\n' })).findings).toHaveLength(1);
  });
});

describe('findWorkspaceFault', () => {
  it('takes ordinary folders and refuses those of the system', () => {
    expect(findWorkspaceFault('/drone/src')).toBeUndefined();
    expect(findWorkspaceFault('/home/app/src')).toBeUndefined();
    expect(findWorkspaceFault('/usr/src/app')).toBeUndefined();
    for (const path of ['/', '//', 'x', '/lib/x', '/dev/shm', '/a/./b', '/.gantry/x']) {
      expect(findWorkspaceFault(path)).toBeTypeOf('string');
    }
  });
});

describe('encodeRelease', () => {
  const base = {
    step: { name: 'test', kind: 'commands' as const },
    image: {
      environment: ['A=image', 'B=image', 'C=image=more'],
      entrypoint: ['e'],
      command: ['c'],
      user: 'app',
      workingDirectory: '/srv',
    },
    workspace: '/drone/src',
    hostNames: ['db', 'cache'],
    defaults: { SSL_CERT_FILE: '/ca', A: 'default' },
  };
  const release = {
    environment: { B: 'plan' },
    secrets: { S: 'secret' },
    timeoutMs: 1,
    graceMs: 1,
    onOutput: () => {},
  };

  it('lets secrets win over the plan, the plan over the image, the image over defaults', () => {
    const frame = encodeRelease({ ...base, release: { ...release, script: 'true', secrets: { S: 's', B: 'secret' } } });
    const fields = decode(frame);
    const hosts = '127.0.0.1 db\n127.0.0.1 cache\n';
    expect(fields.slice(0, 6)).toEqual(['app', '/drone/src', '/drone/src', hosts, 'true', '1']);
    const count = Number(fields[6]);
    const pairs = Array.from({ length: count }, (_, index) => [fields[7 + 2 * index], fields[8 + 2 * index]]);
    expect(Object.fromEntries(pairs)).toMatchObject({ A: 'image', B: 'secret', C: 'image=more', SSL_CERT_FILE: '/ca' });
    expect(fields.slice(7 + 2 * count)).toEqual([]);
  });

  it('starts in the workspace, or where the image says and then without making the workspace its own', () => {
    const places = (step: object): readonly string[] =>
      decode(encodeRelease({ ...base, step: { name: 'x', kind: 'image', ...step }, release })).slice(1, 3);
    expect(places({})).toEqual(['/drone/src', '/drone/src']);
    expect(places({ startsIn: 'image' })).toEqual(['/srv', '']);
    expect(places({ startsIn: 'image', workingDirectory: 'sub' })).toEqual(['/drone/src/sub', '']);
  });

  it('takes command and entrypoint of the step over those of the image', () => {
    const rest = (step: object): readonly string[] => {
      const fields = decode(encodeRelease({ ...base, step: { name: 'x', kind: 'image', ...step }, release }));
      return fields.slice(7 + 2 * Number(fields[6]));
    };
    expect(rest({})).toEqual(['e', 'c']);
    expect(rest({ command: ['mine'] })).toEqual(['e', 'mine']);
    expect(rest({ entrypoint: ['other'] })).toEqual(['other']);
  });

  it('refuses values that no environment can hold', () => {
    expect(() => encodeRelease({ ...base, release: { ...release, environment: { X: 'a\0b' } } })).toThrow(/NUL/);
  });
});

describe('bubblewrapLaunch', () => {
  it('covers /proc/sys after /proc, always hands over the filter, and leaves binds to the holder', () => {
    const { command, options, furniture } = bubblewrapLaunch('/usr/bin/bwrap', {
      root: '/r',
      sys: '/s',
      binds: [{ source: '/w', target: '/work', isWritable: true }],
      network: 'none',
      hostname: 'h',
      shmBytes: 1,
      workingDirectory: '/',
      command: ['x'],
      architecture: 'x86_64',
      isRootless: false,
    });
    const text = options.join(' ');
    expect(text.indexOf('--ro-bind /proc/sys /proc/sys')).toBeGreaterThan(text.indexOf('--proc /proc'));
    expect(text).toContain('--seccomp 5');
    expect(command).toEqual(['/usr/bin/bwrap', '--args', '6', '--', 'x']);
    expect(text).toContain('--cap-drop ALL');
    expect(text).toContain('--unshare-net');
    expect(text).toContain('--unshare-pid --as-pid-1');
    expect(text).not.toContain('/work');
    expect(furniture).toEqual({
      shmBytes: 1,
      binds: [
        { source: '/s', target: '/sys', isWritable: false },
        { source: '/w', target: '/work', isWritable: true },
      ],
    });
  });
});

function decode(frame: Buffer): string[] {
  const fields: string[] = [];
  for (let at = 4; at < frame.length; ) {
    const length = frame.readUInt32BE(at);
    fields.push(frame.subarray(at + 4, at + 4 + length).toString());
    at += 4 + length;
  }
  expect(encodeFrame(fields).equals(frame)).toBe(true);
  return fields;
}
